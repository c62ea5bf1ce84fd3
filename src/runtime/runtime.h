/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_RUNTIME_H
#define LARDER_RUNTIME_RUNTIME_H
/*
 * Settings of the container runtimes on this machine, so that each asks larder's registry first, then the mirrors of the
 * machine config, then the registry itself. The user's own settings stay in force behind the cache; the user's own
 * files are kept in SAVED_DIR (runtime/saved.h) and brought back byte for byte by runtime_restore().
 *
 * Everything is decided in a plan (runtime/plan.h) that can be printed; applying it twice changes nothing.
 */
#include <stddef.h>

#include "base/diag.h"
#include "config/machine_config.h"

#define RUNTIME_LOCK_MS                                                                            \
	(30 * 1000) /* how long another process may write the settings of the same system */

enum runtime_state {
	RUNTIME_ABSENT,	   /* not installed */
	RUNTIME_UNCHANGED, /* everything is as it should be */
	RUNTIME_CHANGED,   /* files were written */
	RUNTIME_FAILED,	   /* left as it was; message says why */
};

/* One runtime's outcome. Owned by the result. */
struct runtime_report {
	const char *name; /* "containerd" */
	enum runtime_state state;
	char *message; /* RUNTIME_FAILED: why; else NULL */
	char **files;  /* strv: what was (or would be) written or removed */
	char **hints;  /* strv: what a person should know or do, as "restart containerd once" */
};

struct runtime_result {
	struct runtime_report *reports;
	size_t n_reports;
};

/*
 * Configures every runtime that is installed below root (NULL: /). If the config does not enable the cache, what was written
 * before is taken back. A runtime that cannot be configured is a report, not a failure; -errno with diag is for what
 * concerns all: no memory, no root directory, another process that writes the same settings (-ETIMEDOUT).
 */
int runtime_configure(const struct machine_config *config, const char *root,
		      struct runtime_result *ret, struct diag *diag);

/* The same without writing; *ret_diff (may be NULL) is a unified diff, owned by the caller. Secrets are not in it. */
int runtime_preview(const struct machine_config *config, const char *root,
		    struct runtime_result *ret, char **ret_diff, struct diag *diag);

/*
 * Brings back what the files were before. A file that was changed since is left, and its report says so. ret has one report
 * for all runtimes.
 */
int runtime_restore(const char *root, struct runtime_result *ret, struct diag *diag);

void runtime_result_done(struct runtime_result *result);
#define _cleanup_runtime_result_ _cleanup_(runtime_result_done)

/* "changed", "unchanged", "not installed", "failed" */
const char *runtime_state_name(enum runtime_state state);

#endif
