/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_RUN_LOCK_H
#define LARDER_LAYERS_RUN_LOCK_H
/* RUN/lock: one process at a time changes what is mounted. */
#include "layers/layers.h"

/*
 * Makes the run directory where it is not there, waits for the lock, and gives the request with the real path of the run directory
 * (*ret_run_dir, owned by the caller). The lock ends with its descriptor.
 */
int run_lock(const struct layers_request *request, struct layers_request *ret, char **ret_run_dir,
	     int *ret_lock, struct diag *diag);

/* The same, but -ETIMEDOUT with diag when the lock is not had within ms (0: waits without limit). */
int run_lock_within(const struct layers_request *request, unsigned ms, struct layers_request *ret,
		    char **ret_run_dir, int *ret_lock, struct diag *diag);

#endif
