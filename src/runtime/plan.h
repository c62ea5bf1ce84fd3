/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_PLAN_H
#define LARDER_RUNTIME_PLAN_H
/*
 * What is to be written for each runtime, decided before anything is. A planner (one per runtime) asks for the user's own
 * version of a file, computes what it should say, and puts that into the plan; plan_finish() adds the files that larder wrote
 * earlier and that nobody wants any more.
 */
#include "runtime/noted.h"
#include "runtime/rootfs.h"
#include "runtime/runtime.h"

#define PLAN_EDITS_MAX 4096

struct plan_edit {
	size_t report;		     /* whose it is */
	char *path;		     /* below the root */
	struct rootfs_file before;   /* as it is; text NULL: there is none */
	struct rootfs_file after;    /* as it will be; text NULL: removed */
	struct rootfs_file original; /* what restore would bring back */
	bool secret;		     /* never shown */
	bool forget;		     /* larder has no business there afterwards */
	bool leave;		     /* the file itself is not touched */
	bool keep_original;	     /* forget all but the copy of the user's file */
	bool change;		     /* is there anything to do? */
	bool interrupted; /* larder wrote what is there, and was stopped before it noted that */
	bool keep_copy;	  /* what is saved as the original is not what larder saved */
	bool keep_before; /* what is larder's part of it is a guess: the whole is kept */
	bool note;	  /* nothing is noted of the original yet */
	bool remembered;  /* what it was and what it will be is saved (runtime/saved.h) */
	bool done;	  /* it was written */
	const char *
		place; /* where below SAVED_DIR, not at path, something could not be written; NULL: nowhere */
};

struct runtime_plan {
	int root; /* descriptor */
	int lock; /* of rootfs_lock(), while this writes; else -1 */
	const struct machine_config *config;
	struct noted noted;
	struct plan_edit *edits;
	size_t n_edits;
	struct runtime_result result;
};

#define PLAN_INIT                                                                                  \
	{                                                                                          \
		.root = -1, .lock = -1                                                             \
	}

/* What a file was before larder, and what larder wrote then. */
struct plan_base {
	const char *original; /* NULL: there was no file */
	const char *written;
};

/*
 * Takes out of a text what larder put in; owned by the caller. NULL result: nothing of the user's is left. base NULL: nobody
 * remembers what larder wrote, so that only marks tell, or the cache's address.
 */
typedef int (*plan_strip)(const char *text, const struct plan_base *base, char **ret,
			  struct diag *diag);

int plan_open(const struct machine_config *config, const char *root, struct runtime_plan *ret,
	      struct diag *diag);

/* What is noted of files; before anything is planned, and while nobody else writes. */
int plan_read_noted(struct runtime_plan *plan, struct diag *diag);
void plan_done(struct runtime_plan *plan);
#define _cleanup_plan_ _cleanup_(plan_done)

/* A report for a runtime; *ret is its index. */
int plan_add_report(struct runtime_plan *plan, const char *name, enum runtime_state state,
		    size_t *ret);

/* The report of what is taken back, made if there is none. */
int plan_restore_report(struct runtime_plan *plan, size_t *ret);
int plan_hint(struct runtime_plan *plan, size_t report, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Drops what was planned for a runtime and says why it is left as it was. */
int plan_fail(struct runtime_plan *plan, size_t report, const char *why);

/*
 * The user's own text of a file: as it is, without larder's part. *ret NULL: the user has none. -errno with diag if
 * the file cannot be taken (a symbolic link, larger than ROOTFS_FILE_MAX).
 */
int plan_user_text(struct runtime_plan *plan, const char *path, plan_strip strip, char **ret,
		   struct diag *diag);

/* The file shall say text, and have mode if it is new (an existing file keeps its own). user: what plan_user_text() gave. */
int plan_put(struct runtime_plan *plan, size_t report, const char *path, const char *user,
	     const char *text, mode_t mode, struct diag *diag);

/* Will the file at path be written? */
bool plan_changes(const struct runtime_plan *plan, const char *path);

/* Is there anything planned for it, be it nothing? */
bool plan_has(const struct runtime_plan *plan, const char *path);

int plan_finish(struct runtime_plan *plan, struct diag *diag);

/*
 * Writes. States of the reports become true; a file that cannot be written fails its runtime alone, and what was written for that
 * runtime before it becomes what it was.
 */
int plan_apply(struct runtime_plan *plan, struct diag *diag);

/* Unified diff of all changes, owned by the caller. */
int plan_diff(const struct runtime_plan *plan, char **ret);

#endif
