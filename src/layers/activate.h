/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_ACTIVATE_H
#define LARDER_LAYERS_ACTIVATE_H
/* Inside of layers/layers.h: its parts for somebody who holds the lock (run_lock.h). run_dir of each request is a real path. */
#include "layers/layers.h"

/* layers_activate() */
int layers_activate_locked(const struct layers_request *request, struct layers_result *ret,
			   struct diag *diag);

/* layers_inspect(); the layers stay open until layers_result_done(). */
int layers_survey_locked(const struct layers_request *request, struct layers_result *ret,
			 struct diag *diag);

/*
 * Removes the links to files of layers from RUN/layers that no active layer of the result needs; NULL: all of them. And directories that
 * nothing is mounted on.
 */
void layers_clean_links(const char *run_dir, const struct layers_result *result);

#endif
