/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_RUNTIMES_H
#define LARDER_RUNTIME_RUNTIMES_H
/*
 * The runtimes that larder knows: one file each, one row each in runtime.c. plan() and route() are called if the runtime is
 * installed; a negative result with diag makes a failure of its report and leaves its files alone.
 */
#include "runtime/plan.h"
#include "runtime/route.h"

struct runtime_kind {
	const char *name;
	const char *const
		*evidence; /* one of these paths exists: it is installed; ends with NULL */
	int (*plan)(struct runtime_plan *plan, size_t report, struct diag *diag);
	int (*route)(int root, const char *host, const char *repository,
		     struct runtime_route *route, struct diag *diag);
	const char *const *
		files; /* where it writes; with a slash at its end: DIRECTORY/HOST/hosts.toml; ends with NULL */
};

extern const struct runtime_kind *const runtime_kinds[];
extern const size_t n_runtime_kinds;

bool runtime_is_installed(int root, const struct runtime_kind *kind);

/* How larder's part is taken out of a file, by its name. */
plan_strip runtime_strip(const char *path);

/* Is this a file that larder only writes where there is none: a certificate, a key? */
bool runtime_owns(const char *path);

extern const struct runtime_kind runtime_containerd;
extern const struct runtime_kind runtime_containers;
extern const struct runtime_kind runtime_docker;
extern const struct runtime_kind runtime_k3s;
extern const struct runtime_kind runtime_rke2;

#endif
