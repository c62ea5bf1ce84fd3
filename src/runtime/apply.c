/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the plan to the files. */
#include <string.h>

#include "base/text.h"
#include "runtime/plan.h"
#include "runtime/saved.h"

/* Of SAVED_DIR, see plan_edit.place. */
#define PLACE_DIRECTORIES "/directories"
#define PLACE_ORIGINAL	  "/original"
#define PLACE_NEXT	  "/next"
#define PLACE_WRITTEN	  "/written"

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

/* Returns r; if that is an error, it is known where. */
static int at_place(struct plan_edit *e, const char *place, int r)
{
	if (r < 0)
		e->place = place;
	return r;
}

/* What was done so far to this file, and to what is remembered of it, is on the disk. */
static int sync_one(int root, const char *path)
{
	struct rootfs_synced known = { 0 };
	int r = rootfs_sync(root, SAVED_DIR PLACE_DIRECTORIES, &known);

	return r < 0 ? r : rootfs_sync(root, path, &known);
}

/* The directories above path that are not there, added to those that larder made. */
static int add_missing(int root, const char *path, char ***made)
{
	_cleanup_strv_ char **missing = NULL;
	int r = rootfs_missing(root, path, &missing);

	STRV_FOREACH (directory, missing)
		if (r == 0 && !strv_contains(*made, *directory))
			r = strv_add(made, *directory);
	return r;
}

/*
 * Directories that this makes are remembered before they are there. ret_place: as plan_edit.place, and NULL if it is the file itself
 * that fails.
 */
static int write_file(int root, const char *path, const struct rootfs_file *file,
		      const char **ret_place)
{
	_cleanup_strv_ char **made = NULL;
	int r = saved_directories(root, &made);
	size_t before = strv_length(made);

	if (r == 0)
		r = add_missing(root, path, &made);
	if (r == 0 && strv_length(made) > before)
		r = saved_set_directories(root, made);
	if (r == 0 && strv_length(made) > before)
		r = sync_one(root, path);
	*ret_place = r < 0 ? PLACE_DIRECTORIES : NULL;
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

static int put_file(int root, const char *path, const struct rootfs_file *file,
		    const char **ret_place)
{
	*ret_place = NULL;
	return file->text ? write_file(root, path, file, ret_place) : remove_file(root, path);
}

/* The file comes back or goes, and then what is remembered of it. */
static int restore_file(struct runtime_plan *plan, struct plan_edit *e)
{
	int r = e->leave ? 0 : put_file(plan->root, e->path, &e->after, &e->place);

	if (r == 0 && !e->leave)
		r = sync_one(plan->root, e->path);
	if (r < 0)
		return r;
	r = saved_forget(plan->root, e->path, e->keep_original);
	return at_place(e, PLACE_WRITTEN, r);
}

/* After a failure: if the file is what it was, nothing of the attempt is left. */
static void abandon_edit(struct runtime_plan *plan, const struct plan_edit *e)
{
	_cleanup_rootfs_file_ struct rootfs_file now = { 0 };

	if (!e->remembered || rootfs_read(plan->root, e->path, &now) < 0 ||
	    !rootfs_same(&now, &e->before))
		return;
	(void)saved_abandon(plan->root, e->path, &now);
	if (!now.text)
		(void)remove_file(plan->root, e->path); /* directories that were made for it */
}

/* The file becomes what it was: the user's own, of which nothing is remembered then, or what larder had written. */
static int take_back(struct runtime_plan *plan, struct plan_edit *e)
{
	bool users = rootfs_same(&e->before, &e->original);
	const char *place;
	/* First it is noted what is there now, so that it is larder's own at any moment. */
	int r = users ? 0 : saved_written(plan->root, e->path, &e->after);

	if (r == 0 && !users)
		r = sync_one(plan->root, e->path);
	if (r == 0 && !users)
		r = saved_set_next(plan->root, e->path, &e->before);
	if (r == 0 && !users)
		r = sync_one(plan->root, e->path);
	if (r == 0)
		r = put_file(plan->root, e->path, &e->before, &place);
	if (r < 0)
		return r;
	e->done = false;
	r = sync_one(plan->root, e->path);
	if (r < 0)
		return r;
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
	bool saved = e->place, shared = saved && (strcmp(e->place, PLACE_DIRECTORIES) == 0 ||
						  strcmp(e->place, NOTED_NAME) == 0);
	const char *stays;

	take_back_all(plan, e, &stays);
	if (asprintf(
		    &why, "%s%s%s: cannot write: %s%s%s%s%s", saved ? SAVED_DIR : "",
		    saved ? e->place : "", shared ? "" : e->path,
		    err == -ENOENT
			    ? "its directory is a symbolic link to what is not there below the root"
			    : strerror(-err),
		    saved ? "; larder notes there what it changes" : "", stays ? "; " : "",
		    stays ? stays : "",
		    stays ? " was written before and could not be taken back" : "") < 0 ||
	    plan_fail(plan, e->report, why) < 0)
		return out_of_memory(diag);
	return 0;
}

/* Nothing is noted of files that nothing else is remembered of. What cannot be written does no harm: it is ignored. */
static void forget_noted(struct runtime_plan *plan, char **files)
{
	noted_keep(&plan->noted, files);
	(void)noted_write(plan->root, &plan->noted);
}

/*
 * Once nothing is remembered of any file, the other directories that larder made are the user's: something of theirs is in them.
 */
static int end(struct runtime_plan *plan)
{
	_cleanup_strv_ char **files = NULL, **made = NULL;
	int root = plan->root, r = saved_list(root, &files);

	if (r == 0)
		forget_noted(plan, files);
	if (r < 0 || files)
		return r;
	r = saved_directories(root, &made);
	if (r == 0 && made)
		r = saved_set_directories(root, NULL);
	/* Also if that failed: then, too, the list may be gone. */
	for (size_t i = strv_length(made); i-- > 0;)
		(void)rootfs_remove_directory(root, made[i]);
	/* It may be there without having been noted, where that failed. */
	(void)rootfs_remove_directory(root, SAVED_DIR);
	return r;
}

static bool is_due(const struct runtime_plan *plan, const struct plan_edit *e)
{
	return e->change && !e->done && plan->result.reports[e->report].state != RUNTIME_FAILED;
}

/* Nothing of what was remembered for a runtime that failed is left, unless its file could not be taken back. */
static int fail_edit(struct runtime_plan *plan, struct plan_edit *failed, int err,
		     struct diag *diag)
{
	int r = cannot_write(plan, failed, err, diag);

	for (size_t i = 0; i < plan->n_edits; i++)
		if (plan->edits[i].report == failed->report && !plan->edits[i].done)
			abandon_edit(plan, &plan->edits[i]);
	return r;
}

/* Files that larder has no business with any more. removals: those that go; they make room for the rest. */
static int restore_all(struct runtime_plan *plan, bool removals, struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_edits; i++) {
		struct plan_edit *e = &plan->edits[i];
		if (!e->forget || removals != !e->after.text || !is_due(plan, e))
			continue;
		int failed = restore_file(plan, e);
		e->done = failed == 0;
		if (failed < 0)
			r = fail_edit(plan, e, failed, diag);
	}
	return r;
}

static bool is_wanted(const struct runtime_plan *plan, const struct plan_edit *e)
{
	return !e->forget && is_due(plan, e);
}

/* Larder's own directory, and those that are made for its files. */
static int remember_directories(struct runtime_plan *plan)
{
	_cleanup_strv_ char **made = NULL;
	int r = saved_directories(plan->root, &made);
	size_t before = strv_length(made), n = 0;

	if (r == 0)
		r = add_missing(plan->root, SAVED_DIR PLACE_DIRECTORIES, &made);
	for (size_t i = 0; r == 0 && i < plan->n_edits; i++) {
		if (!is_wanted(plan, &plan->edits[i]))
			continue;
		r = add_missing(plan->root, plan->edits[i].path, &made);
		n++;
	}
	if (r < 0 || n == 0 || strv_length(made) == before)
		return r;
	return saved_set_directories(plan->root, made);
}

/* What is there and was not noted is larder's own: that must not be forgotten when something else is about to be written. */
static int remember_original(struct runtime_plan *plan, struct plan_edit *e)
{
	int r = e->interrupted ? saved_written(plan->root, e->path, &e->before) : 0;

	if (r < 0)
		return at_place(e, PLACE_WRITTEN, r);
	e->remembered = true;
	if (e->keep_copy)
		r = saved_keep(plan->root, e->path);
	if (r == 0 && e->keep_before)
		r = saved_set_original(plan->root, e->path, &e->before);
	if (r == 0 && e->keep_before)
		r = saved_keep(plan->root, e->path);
	if (r == 0)
		r = saved_set_original(plan->root, e->path, &e->original);
	return at_place(e, PLACE_ORIGINAL, r);
}

/* A copy of an earlier version of larder, which noted nothing. */
static int note_earlier(struct runtime_plan *plan, const struct plan_edit *e)
{
	_cleanup_rootfs_file_ struct rootfs_file copy = { 0 };

	if (noted_any(&plan->noted, e->path))
		return 0;
	int r = saved_original(plan->root, e->path, &copy);
	return r < 0 || !copy.text ? r : noted_add(&plan->noted, e->path, &copy);
}

/* Which files there are originals of: beside what was noted before, as long as the copies are not on the disk. */
static int note_originals(struct runtime_plan *plan)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_edits; i++) {
		const struct plan_edit *e = &plan->edits[i];
		if (is_wanted(plan, e))
			r = note_earlier(plan, e);
		if (r == 0 && (is_wanted(plan, e) || (e->note && !e->change)))
			r = noted_add(&plan->noted, e->path, &e->original);
	}
	return r < 0 ? r : noted_write(plan->root, &plan->noted);
}

/* They are on the disk: what was noted before counts no more. */
static int note_copies(struct runtime_plan *plan)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_edits; i++) {
		_cleanup_rootfs_file_ struct rootfs_file copy = { 0 };
		if (!plan->edits[i].remembered)
			continue;
		r = saved_original(plan->root, plan->edits[i].path, &copy);
		if (r == 0)
			r = noted_set(&plan->noted, plan->edits[i].path, &copy);
	}
	return r < 0 ? r : noted_write(plan->root, &plan->noted);
}

static int remember_originals(struct runtime_plan *plan, struct diag *diag)
{
	const char *place = PLACE_DIRECTORIES;
	int shared = remember_directories(plan), r = 0;

	if (shared == 0) {
		place = NOTED_NAME;
		shared = note_originals(plan);
	}

	for (size_t i = 0; r == 0 && i < plan->n_edits; i++) {
		struct plan_edit *e = &plan->edits[i];
		if (!is_wanted(plan, e))
			continue;
		int failed = shared < 0 ? at_place(e, place, shared) : remember_original(plan, e);
		if (failed < 0)
			r = fail_edit(plan, e, failed, diag);
	}
	return r;
}

static int remember_next(struct runtime_plan *plan, struct diag *diag)
{
	int r = 0, noted = note_copies(plan);

	for (size_t i = 0; r == 0 && i < plan->n_edits; i++) {
		struct plan_edit *e = &plan->edits[i];
		if (!is_wanted(plan, e))
			continue;
		int failed = noted < 0 ? at_place(e, NOTED_NAME, noted)
				       : at_place(e, PLACE_NEXT,
						  saved_set_next(plan->root, e->path, &e->after));
		if (failed < 0)
			r = fail_edit(plan, e, failed, diag);
	}
	return r;
}

static int write_all(struct runtime_plan *plan, struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_edits; i++) {
		struct plan_edit *e = &plan->edits[i];
		if (!is_wanted(plan, e))
			continue;
		int failed = rootfs_write(plan->root, e->path, &e->after);
		e->done = failed == 0;
		if (failed < 0)
			r = fail_edit(plan, e, failed, diag);
	}
	return r;
}

/* A file that this cannot be noted of is told from others by what was to come (SAVED_INTERRUPTED), and the next run notes it. */
static void note_all(struct runtime_plan *plan)
{
	for (size_t i = 0; i < plan->n_edits; i++) {
		struct plan_edit *e = &plan->edits[i];
		if (e->remembered && e->done)
			(void)saved_written(plan->root, e->path, &e->after);
	}
}

/* What was done so far is on the disk: to what is remembered, or to the files. A runtime whose disk says no fails. */
static int sync_all(struct runtime_plan *plan, bool files, struct diag *diag)
{
	struct rootfs_synced known = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_edits; i++) {
		struct plan_edit *e = &plan->edits[i];
		if (!e->remembered || e->done != files ||
		    plan->result.reports[e->report].state == RUNTIME_FAILED)
			continue;
		int failed = rootfs_sync(plan->root, files ? e->path : SAVED_DIR PLACE_DIRECTORIES,
					 &known);
		if (failed < 0)
			r = fail_edit(plan, e,
				      files ? failed : at_place(e, PLACE_DIRECTORIES, failed),
				      diag);
	}
	return r;
}

/* Each step is on the disk before the next begins (runtime/saved.h); one flush serves all files of a filesystem. */
static int write_wanted(struct runtime_plan *plan, struct diag *diag)
{
	int r = remember_originals(plan, diag);

	if (r == 0)
		r = sync_all(plan, false, diag);
	if (r == 0)
		r = remember_next(plan, diag);
	if (r == 0)
		r = sync_all(plan, false, diag);
	if (r == 0)
		r = write_all(plan, diag);
	if (r == 0)
		r = sync_all(plan, true, diag);
	if (r == 0)
		note_all(plan);
	return r;
}

int plan_apply(struct runtime_plan *plan, struct diag *diag)
{
	int r = restore_all(plan, true, diag);

	if (r == 0)
		r = restore_all(plan, false, diag);
	if (r == 0)
		r = write_wanted(plan, diag);
	if (r < 0)
		return r;
	/* What it cannot remove does no harm. */
	(void)saved_tidy(plan->root);
	r = end(plan);
	return r < 0 ? diag_set_at(diag, r, SAVED_DIR, 0, 0, "cannot write: %s", strerror(-r)) : 0;
}
