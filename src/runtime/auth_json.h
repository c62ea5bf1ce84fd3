/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_AUTH_JSON_H
#define LARDER_RUNTIME_AUTH_JSON_H
/*
 * Credentials of the machine config for root's podman, CRI-O, Buildah and Skopeo (containers-auth.json(5)). These know no
 * file for the whole system. Of those that they read, one after another until one has the registry, AUTH_JSON is the one that
 * outlives a reboot and is not written by "podman login", whose file comes before it. CRI-O reads it, too, unless its
 * global_auth_file names another, which then is the only one. Other users log in themselves: the credentials are root's.
 */
#include "runtime/plan.h"

#define AUTH_JSON "/root/.config/containers/auth.json"

/* A report of its own, if there are credentials: where the file cannot be written, the rest still works. */
int auth_json_plan(struct runtime_plan *plan, struct diag *diag);

#endif
