/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_KNOWN_H
#define LARDER_RUNTIME_KNOWN_H
/*
 * What larder knows of a file that it wrote, or may have written: all that is saved and noted of it (saved.h, noted.h), compared with the
 * file as it is. Errors are those of reading what is saved, with diag.
 */
#include "runtime/plan.h"
#include "runtime/saved.h"

struct known {
	enum saved_state state;
	enum saved_copy copy;
	struct rootfs_file original; /* text NULL: there was none, or it is lost */
	bool lost;		     /* there was a file, and no copy tells what it was */
};
void known_done(struct known *k);
#define _cleanup_known_ _cleanup_(known_done)

/* Compares a file as it is with all that is saved of it. */
int known_look_up(struct runtime_plan *plan, const char *path, plan_strip strip,
		  const struct rootfs_file *current, struct known *ret, struct diag *diag);

/* Has the user's file, of which nothing is known, at least been there? */
bool known_was_there(const struct known *k);

/* What larder knows nothing of and holds its part: of a copied system, or SAVED_DIR is lost. */
bool known_is_stray(const struct known *k, const char *path, const char *text);

/* Whoever changed mode or owner of a file after larder wrote it wants them so: file gets them from current. */
int known_follow_user(struct runtime_plan *plan, const char *path,
		      const struct rootfs_file *current, struct rootfs_file *file,
		      struct diag *diag);

/* The user's part of a text that was edited after larder wrote it; NULL: there is none. Owned by the caller. */
int known_take_out(struct runtime_plan *plan, const char *path, plan_strip strip, const char *text,
		   const char *original, char **ret, struct diag *diag);

#endif
