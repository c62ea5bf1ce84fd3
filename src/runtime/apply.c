/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the plan to the files. */
#include <string.h>

#include "base/text.h"
#include "runtime/plan.h"
#include "runtime/saved.h"

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

/* Directories that this makes are remembered before they are there. */
static int write_file(int root, const char *path, const struct rootfs_file *file)
{
	_cleanup_strv_ char **missing = NULL, **made = NULL;
	int r = rootfs_missing(root, path, &missing);

	if (r == 0 && missing)
		r = saved_directories(root, &made);
	STRV_FOREACH (directory, missing)
		if (r == 0 && !strv_contains(made, *directory))
			r = strv_add(&made, *directory);
	if (r == 0 && missing)
		r = saved_set_directories(root, made);
	return r < 0 ? r : rootfs_write(root, path, file);
}

/* The file, and the directories that larder made for it as far as they are empty now. */
static int remove_file(int root, const char *path)
{
	_cleanup_strv_ char **made = NULL;
	_cleanup_free_ char *directory = strdup(path);
	int r = directory ? rootfs_remove(root, path, NULL) : -ENOMEM;

	if (r == 0)
		r = saved_directories(root, &made);
	while (r == 0) {
		*strrchr(directory, '/') = '\0';
		if (!strv_contains(made, directory) || rootfs_remove_directory(root, directory) < 0)
			break;
	}
	return r;
}

static int put_file(int root, const char *path, const struct rootfs_file *file)
{
	return file->text ? write_file(root, path, file) : remove_file(root, path);
}

/* The file itself, and before and after it what restore must know. */
static int apply_edit(struct runtime_plan *plan, struct plan_edit *e)
{
	int r = 0;

	if (!e->forget)
		r = saved_remember(plan->root, e->path, &e->original, &e->after);
	if (r < 0)
		return r;
	if (e->leave)
		return saved_forget(plan->root, e->path, e->keep_original);
	r = put_file(plan->root, e->path, &e->after);
	if (r < 0)
		return r;
	return e->forget ? saved_forget(plan->root, e->path, e->keep_original)
			 : saved_written(plan->root, e->path, &e->after);
}

/* After a failure: if the file is what it was, nothing of the attempt is left. */
static void abandon_edit(struct runtime_plan *plan, const struct plan_edit *e)
{
	_cleanup_rootfs_file_ struct rootfs_file now = { 0 };

	if (e->forget || rootfs_read(plan->root, e->path, &now) < 0 ||
	    !rootfs_same(&now, &e->before))
		return;
	(void)saved_abandon(plan->root, e->path);
	if (!now.text)
		(void)remove_file(plan->root, e->path); /* directories that were made for it */
}

/* The file becomes what it was: the user's own, of which nothing is remembered then, or what larder had written. */
static int take_back(struct runtime_plan *plan, struct plan_edit *e)
{
	bool users = rootfs_same(&e->before, &e->original);
	int r = users ? 0 : saved_remember(plan->root, e->path, &e->original, &e->before);

	if (r == 0)
		r = put_file(plan->root, e->path, &e->before);
	if (r < 0)
		return r;
	e->done = false;
	return users ? saved_forget(plan->root, e->path, false)
		     : saved_written(plan->root, e->path, &e->before);
}

/*
 * What was written for this runtime before its file "failed". What cannot be taken back, as on a full disk, stays
 * written and remembered, and *ret_stays is its name.
 */
static void take_back_all(struct runtime_plan *plan, const struct plan_edit *failed,
			  const char **ret_stays)
{
	*ret_stays = NULL;
	for (size_t i = plan->n_edits; i-- > 0;) {
		struct plan_edit *e = &plan->edits[i];
		if (e->report == failed->report && e->done && !e->forget && take_back(plan, e) < 0)
			*ret_stays = e->path;
	}
}

static int cannot_write(struct runtime_plan *plan, const struct plan_edit *e, int err,
			struct diag *diag)
{
	_cleanup_free_ char *why = NULL;
	const char *stays;

	take_back_all(plan, e, &stays);
	if (asprintf(
		    &why, "%s: cannot write: %s%s%s%s", e->path,
		    err == -ENOENT
			    ? "its directory is a symbolic link to what is not there below the root"
			    : strerror(-err),
		    stays ? "; " : "", stays ? stays : "",
		    stays ? " was written before and could not be taken back" : "") < 0 ||
	    plan_fail(plan, e->report, why) < 0)
		return out_of_memory(diag);
	return 0;
}

/* SAVED_DIR itself, and what is above it, are directories that larder makes like others. */
static int begin(int root)
{
	_cleanup_strv_ char **missing = NULL;
	int r = rootfs_missing(root, SAVED_DIR "/directories", &missing);

	return r == 0 && missing ? saved_set_directories(root, missing) : r;
}

/*
 * Once nothing is remembered of any file, the other directories that larder made are the user's: something of theirs is in them.
 */
static int end(int root)
{
	_cleanup_strv_ char **files = NULL, **made = NULL;
	int r = saved_list(root, &files);

	if (r < 0 || files)
		return r;
	r = saved_directories(root, &made);
	if (r == 0 && made)
		r = saved_set_directories(root, NULL);
	for (size_t i = strv_length(made); r == 0 && i-- > 0;)
		(void)rootfs_remove_directory(root, made[i]);
	return r;
}

static bool is_due(const struct runtime_plan *plan, const struct plan_edit *e, bool removals)
{
	return e->change && !e->done && removals == !e->after.text &&
	       plan->result.reports[e->report].state != RUNTIME_FAILED;
}

/* What is removed first makes room for the rest. */
static int apply_all(struct runtime_plan *plan, bool removals, struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_edits; i++) {
		struct plan_edit *e = &plan->edits[i];
		if (!is_due(plan, e, removals))
			continue;
		int failed = apply_edit(plan, e);
		e->done = failed == 0;
		if (e->done)
			continue;
		abandon_edit(plan, e);
		r = cannot_write(plan, e, failed, diag);
	}
	return r;
}

int plan_apply(struct runtime_plan *plan, struct diag *diag)
{
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < plan->n_edits; i++)
		any = any || plan->edits[i].change;
	/* Where not even this can be written, each file says so. */
	if (any && begin(plan->root) == -ENOMEM)
		return out_of_memory(diag);
	r = apply_all(plan, true, diag);
	if (r == 0)
		r = apply_all(plan, false, diag);
	if (r < 0)
		return r;
	r = end(plan->root);
	return r < 0 ? diag_set_at(diag, r, SAVED_DIR, 0, 0, "cannot write: %s", strerror(-r)) : 0;
}
