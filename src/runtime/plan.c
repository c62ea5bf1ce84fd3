/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/plan.h"

#include <stdarg.h>
#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "runtime/marked.h"
#include "runtime/runtimes.h"
#include "runtime/saved.h"

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

int plan_open(const struct machine_config *config, const char *root, struct runtime_plan *ret,
	      struct diag *diag)
{
	int fd = rootfs_open(root);

	if (fd < 0)
		return diag_set(diag, fd, "cannot open the root directory %s: %s",
				root ? root : "/", strerror(-fd));
	*ret = (struct runtime_plan){ .root = fd, .lock = -1, .config = config };
	return 0;
}

static void edit_done(struct plan_edit *e)
{
	free(e->path);
	rootfs_file_done(&e->before);
	rootfs_file_done(&e->after);
	rootfs_file_done(&e->original);
}

void plan_done(struct runtime_plan *plan)
{
	for (size_t i = 0; i < plan->n_edits; i++)
		edit_done(&plan->edits[i]);
	free(plan->edits);
	runtime_result_done(&plan->result);
	plan->root = close_fd(plan->root);
	plan->lock = close_fd(plan->lock);
	plan->edits = NULL;
	plan->n_edits = 0;
}

int plan_add_report(struct runtime_plan *plan, const char *name, enum runtime_state state,
		    size_t *ret)
{
	struct runtime_result *result = &plan->result;
	struct runtime_report *larger =
		reallocarray(result->reports, result->n_reports + 1, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	result->reports = larger;
	*ret = result->n_reports++;
	larger[*ret] = (struct runtime_report){ .name = name, .state = state };
	return 0;
}

int plan_hint(struct runtime_plan *plan, size_t report, const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = text_vformat(format, ap);
	va_end(ap);
	return strv_take(&plan->result.reports[report].hints, text);
}

int plan_fail(struct runtime_plan *plan, size_t report, const char *why)
{
	struct runtime_report *r = &plan->result.reports[report];

	for (size_t i = 0; i < plan->n_edits; i++)
		if (plan->edits[i].report == report)
			plan->edits[i].change = false;
	strv_free(r->files);
	r->files = NULL;
	/* What to do after a change is no advice where there is none. */
	strv_free(r->hints);
	r->hints = NULL;
	r->state = RUNTIME_FAILED;
	free(r->message);
	r->message = strdup(why);
	return r->message ? 0 : -ENOMEM;
}

static int cannot_take(int err, const char *path, struct diag *diag)
{
	if (err == -ELOOP)
		return diag_set_at(diag, err, path, 0, 0,
				   "this is a symbolic link; larder replaces only files");
	if (err == -EISDIR)
		return diag_set_at(diag, err, path, 0, 0, "this is no regular file");
	if (err == -EFBIG)
		return diag_set_at(diag, err, path, 0, 0, "the file is larger than %d MiB",
				   ROOTFS_FILE_MAX >> 20);
	return diag_set_at(diag, err, path, 0, 0, "cannot read the file: %s", strerror(-err));
}

/* The same of what larder noted of the file. */
static int cannot_compare(int err, const char *path, struct diag *diag)
{
	return diag_set_at(diag, err, SAVED_DIR, 0, 0,
			   "cannot read what larder noted there of %s: %s", path, rootfs_why(err));
}

static bool is_ours(enum saved_state state)
{
	return state == SAVED_OURS || state == SAVED_INTERRUPTED;
}

/*
 * There is no copy of what was there before, though larder wrote more than its own marked lines: there was something, and the copy is
 * gone. Files without marks do not tell.
 */
static int find_lost(struct runtime_plan *plan, const char *path, plan_strip strip,
		     const struct rootfs_file *original, bool *ret, struct diag *diag)
{
	_cleanup_rootfs_file_ struct rootfs_file written = { 0 }, next = { 0 };
	_cleanup_free_ char *rest = NULL;

	*ret = false;
	if (original->text)
		return 0;
	int r = saved_texts(plan->root, path, &written, &next);
	if (r < 0)
		return cannot_compare(r, path, diag);
	const char *text = written.text ? written.text : next.text;
	if (!text || !strstr(text, MARK))
		return 0;
	r = strip(text, NULL, &rest, NULL);
	*ret = rest != NULL;
	return r == -ENOMEM ? out_of_memory(diag) : 0;
}

/* The user's part of a text that was edited after larder wrote it. */
static int take_out(struct runtime_plan *plan, const char *path, plan_strip strip, const char *text,
		    const char *original, char **ret, struct diag *diag)
{
	_cleanup_rootfs_file_ struct rootfs_file written = { 0 }, next = { 0 };
	_cleanup_free_ char *rest = NULL;
	int r = saved_texts(plan->root, path, &written, &next);

	if (r < 0)
		return cannot_compare(r, path, diag);
	/* After a power cut nobody knows which of the two was edited; what is not there is not taken out. */
	if (next.text) {
		struct plan_base base = { original, next.text };
		r = strip(text, &base, &rest, diag);
		if (r < 0 || !rest || !written.text) {
			*ret = TAKE_PTR(rest);
			return r;
		}
		text = rest;
	}
	struct plan_base base = { original, written.text };
	return strip(text, &base, ret, diag);
}

int plan_user_text(struct runtime_plan *plan, const char *path, plan_strip strip, char **ret,
		   struct diag *diag)
{
	_cleanup_rootfs_file_ struct rootfs_file current = { 0 }, original = { 0 };
	enum saved_state state;
	int r = rootfs_read(plan->root, path, &current);

	if (r < 0)
		return cannot_take(r, path, diag);
	r = saved_compare(plan->root, path, &current, &state, &original);
	if (r < 0)
		return cannot_compare(r, path, diag);
	bool lost;
	r = find_lost(plan, path, strip, &original, &lost, diag);
	if (r < 0)
		return r;
	const struct rootfs_file *own = is_ours(state) && !lost ? &original : &current;
	if (own->text && strlen(own->text) != own->size)
		return diag_set_at(diag, -EINVAL, path, 0, 0, "the file holds a NUL character");
	/* Lines of ours that nothing remembers: a copied system, or a lost SAVED_DIR. */
	bool stray = state == SAVED_NONE && own->text && strstr(own->text, MARK);
	stray = stray || (lost && own->text);
	if (state == SAVED_EDITED && own->text && !lost)
		return take_out(plan, path, strip, own->text, original.text, ret, diag);
	if (stray)
		return strip(own->text, NULL, ret, diag);
	*ret = own->text ? strdup(own->text) : NULL;
	return own->text && !*ret ? out_of_memory(diag) : 0;
}

static struct plan_edit *new_edit(struct runtime_plan *plan, size_t report, const char *path,
				  struct diag *diag)
{
	if (plan->n_edits == PLAN_EDITS_MAX) {
		diag_set(diag, -E2BIG, "more than %d files would be changed", PLAN_EDITS_MAX);
		return NULL;
	}
	struct plan_edit *larger = reallocarray(plan->edits, plan->n_edits + 1, sizeof(*larger));
	if (!larger) {
		out_of_memory(diag);
		return NULL;
	}
	plan->edits = larger;
	struct plan_edit *e = &larger[plan->n_edits];
	*e = (struct plan_edit){ .report = report, .path = strdup(path) };
	if (!e->path) {
		out_of_memory(diag);
		return NULL;
	}
	plan->n_edits++;
	return e;
}

static int set_text(struct rootfs_file *file, const char *text)
{
	file->text = strdup(text);
	file->size = strlen(text);
	return file->text ? 0 : -ENOMEM;
}

/* What restore will bring back: the saved original as long as it is the user's text, else that text. */
static int choose_original(struct plan_edit *e, enum saved_state state, struct rootfs_file *saved,
			   const char *user)
{
	if (is_ours(state) || state == SAVED_BEFORE) {
		e->original = *saved;
		*saved = (struct rootfs_file){ 0 };
		return 0;
	}
	if (!user)
		return 0;
	e->original = e->before;
	return set_text(&e->original, user);
}

int plan_put(struct runtime_plan *plan, size_t report, const char *path, const char *user,
	     const char *text, mode_t mode, struct diag *diag)
{
	_cleanup_rootfs_file_ struct rootfs_file saved = { 0 };
	struct plan_edit *e = new_edit(plan, report, path, diag);
	enum saved_state state;

	if (!e)
		return -ENOMEM;
	int r = rootfs_read(plan->root, path, &e->before);
	if (r < 0)
		return cannot_take(r, path, diag);
	r = saved_compare(plan->root, path, &e->before, &state, &saved);
	if (r < 0)
		return cannot_compare(r, path, diag);
	bool lost;
	r = find_lost(plan, path, runtime_strip(path), &saved, &lost, diag);
	if (r < 0)
		return r;
	/* The copy is made anew, of what is left of it. */
	if (lost)
		state = SAVED_EDITED;
	r = choose_original(e, state, &saved, user);
	e->after = (struct rootfs_file){ .mode = mode };
	if (e->original.text) {
		e->after.mode = e->original.mode;
		e->after.uid = e->original.uid;
		e->after.gid = e->original.gid;
	}
	/* A secret that comes into a file closes it to others. */
	e->secret = (mode & 0077) == 0;
	if (e->secret)
		e->after.mode &= ~(mode_t)0077;
	if (r == 0)
		r = set_text(&e->after, text);
	if (r < 0)
		return out_of_memory(diag);
	e->interrupted = state == SAVED_INTERRUPTED;
	/* A file may say what it should while SAVED_DIR does not know it, or knows an older one. */
	e->change = e->interrupted ||
		    (state != SAVED_OURS && !rootfs_same(&e->original, &e->after)) ||
		    !rootfs_same(&e->before, &e->after) || e->before.mode != e->after.mode;
	return 0;
}

bool plan_changes(const struct runtime_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->n_edits; i++)
		if (plan->edits[i].change && strcmp(plan->edits[i].path, path) == 0)
			return true;
	return false;
}

static bool is_planned(const struct runtime_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->n_edits; i++)
		if (strcmp(plan->edits[i].path, path) == 0)
			return true;
	return false;
}

/*
 * Larder wrote this file and somebody changed it since, or the copy of the original is lost: what is not larder's stays. e->after is
 * the saved original.
 */
static int plan_edited(struct runtime_plan *plan, size_t report, struct plan_edit *e, bool lost,
		       struct diag *diag)
{
	plan_strip strip = runtime_strip(e->path);
	_cleanup_diag_ struct diag why = DIAG_INIT;
	_cleanup_free_ char *rest = NULL;
	const char *did = "it is left as it is";
	bool kept = e->after.text != NULL;
	int r = 0;

	if (e->before.text)
		r = lost ? strip(e->before.text, NULL, &rest, &why)
			 : take_out(plan, e->path, strip, e->before.text, e->after.text, &rest,
				    &why);
	if (r == -ENOMEM)
		return out_of_memory(diag);
	e->change = e->forget = r == 0;
	e->secret = e->before.text && (e->before.mode & 0077) == 0;
	if (r == 0 && e->before.text && !rest)
		return 0; /* nothing but larder's part: the original comes back */
	bool names_cache = rest && strstr(rest, REGISTRY_ADDRESS) &&
			   !(e->after.text && strstr(e->after.text, REGISTRY_ADDRESS));
	rootfs_file_done(&e->after);
	e->keep_original = true;
	if (rest && strcmp(rest, e->before.text) != 0)
		did = "only larder's part was taken out";
	if (rest) {
		e->after = e->before;
		e->after.text = NULL;
		if (set_text(&e->after, rest) < 0)
			return out_of_memory(diag);
	}
	return plan_hint(plan, report, "%s%s, so %s%s%s%s%s%s", e->path,
			 lost ? ": the copy of what it was before is gone from " SAVED_DIR
				"/original"
			      : " was changed after larder wrote it",
			 did, r < 0 ? " (" : "", r < 0 ? diag_text(&why) : "", r < 0 ? ")" : "",
			 names_cache ? "; it still names the cache, in what was changed" : "",
			 kept ? "; what it was before is in " SAVED_DIR "/original" : "") < 0
		       ? out_of_memory(diag)
		       : 0;
}

/* In the place of a file that larder wrote is something that larder would not touch: it stays, and the rest goes on. */
static int plan_replaced(struct runtime_plan *plan, size_t report, struct plan_edit *e, int err,
			 struct diag *diag)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;

	(void)cannot_take(err, e->path, &why);
	e->leave = true;
	e->change = e->forget = e->keep_original = true;
	return plan_hint(
		       plan, report,
		       "%s; it is left as it is, and what was there before larder is below " SAVED_DIR
		       "/original",
		       diag_text(&why)) < 0
		       ? out_of_memory(diag)
		       : 0;
}

/* Larder wrote this file, and no runtime asked for it now. */
static int plan_restore_file(struct runtime_plan *plan, size_t report, const char *path,
			     struct diag *diag)
{
	struct plan_edit *e = new_edit(plan, report, path, diag);
	enum saved_state state;

	if (!e)
		return -ENOMEM;
	int r = rootfs_read(plan->root, path, &e->before);
	if (r < 0 && r != -ENOMEM)
		return plan_replaced(plan, report, e, r, diag);
	if (r == 0)
		r = saved_compare(plan->root, path, &e->before, &state, &e->after);
	if (r < 0)
		return cannot_compare(r, path, diag);
	bool lost;
	r = find_lost(plan, path, runtime_strip(path), &e->after, &lost, diag);
	if (r < 0)
		return r;
	if (state == SAVED_EDITED || lost)
		return plan_edited(plan, report, e, lost, diag);
	e->change = true;
	e->forget = true;
	e->secret = e->before.text && (e->before.mode & 0077) == 0;
	return 0;
}

/* What a runtime that failed would have asked for is not known, so nothing is taken away meanwhile. */
static bool has_failed(const struct runtime_plan *plan)
{
	for (size_t i = 0; i < plan->result.n_reports; i++)
		if (plan->result.reports[i].state == RUNTIME_FAILED)
			return true;
	return false;
}

int plan_finish(struct runtime_plan *plan, struct diag *diag)
{
	_cleanup_strv_ char **written = NULL;
	int r = has_failed(plan) ? 0 : saved_list(plan->root, &written);
	size_t report = SIZE_MAX;

	if (r < 0)
		return diag_set_at(diag, r, SAVED_DIR, 0, 0, "cannot read: %s", strerror(-r));
	STRV_FOREACH (path, written) {
		if (is_planned(plan, *path))
			continue;
		if (report == SIZE_MAX &&
		    plan_add_report(plan, "restore", RUNTIME_UNCHANGED, &report) < 0)
			return out_of_memory(diag);
		r = plan_restore_file(plan, report, *path, diag);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < plan->n_edits; i++) {
		struct plan_edit *e = &plan->edits[i];
		struct runtime_report *rep = &plan->result.reports[e->report];
		if (!e->change || rep->state == RUNTIME_FAILED)
			continue;
		rep->state = RUNTIME_CHANGED;
		if (strv_add(&rep->files, e->path) < 0)
			return out_of_memory(diag);
	}
	return 0;
}
