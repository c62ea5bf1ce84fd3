/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_CERTS_D_H
#define LARDER_RUNTIME_CERTS_D_H
/*
 * Certificates of the machine config as HOST[:PORT]/ca.crt, client.cert and client.key, where Docker before 29
 * (/etc/docker/certs.d), podman and CRI-O (/etc/containers/certs.d) look for them at each pull; containers-certs.d(5).
 */
#include "runtime/plan.h"

/* Files of the user's own stay, and a hint names those that say something else. */
int certs_d_plan(struct runtime_plan *plan, size_t report, const char *directory,
		 struct diag *diag);

/* Is the file at path the user's own, of whatever kind? */
int certs_d_is_users(struct runtime_plan *plan, const char *path, bool *ret, struct diag *diag);

#endif
