/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/plan.h"

#include <stdarg.h>
#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "runtime/known.h"
#include "runtime/runtimes.h"
#include "runtime/saved.h"
#include "runtime/strays.h"

#define RESTORE_REPORT "restore"

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

int plan_read_noted(struct runtime_plan *plan, struct diag *diag)
{
	int r = noted_read(plan->root, &plan->noted);

	return r < 0 ? diag_set_at(diag, r, SAVED_DIR NOTED_NAME, 0, 0, "cannot read: %s",
				   rootfs_why(r))
		     : 0;
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
	noted_done(&plan->noted);
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

int plan_restore_report(struct runtime_plan *plan, size_t *ret)
{
	for (size_t i = 0; i < plan->result.n_reports; i++)
		if (strcmp(plan->result.reports[i].name, RESTORE_REPORT) == 0) {
			*ret = i;
			return 0;
		}
	return plan_add_report(plan, RESTORE_REPORT, RUNTIME_UNCHANGED, ret);
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

/* For who wants larder's settings there. */
static int cannot_plan(int err, const char *path, struct diag *diag)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;

	if (err != -ELOOP && err != -EISDIR)
		return cannot_take(err, path, diag);
	(void)cannot_take(err, path, &why);
	return diag_set(diag, err,
			"%s: put a %sfile in its place, then run \"larder runtime configure\"",
			diag_text(&why), err == -ELOOP ? "copy of what it leads to as a " : "");
}

static bool is_ours(enum saved_state state)
{
	return state == SAVED_OURS || state == SAVED_INTERRUPTED;
}

static bool holds_nul(const struct rootfs_file *file)
{
	return file->text && strlen(file->text) != file->size;
}

#define HOLDS_NUL "the file holds a NUL character"

/* A file that says nothing. */
static const char *nothing_in(const char *path)
{
	return text_ends_with(path, ".json") ? "{}\n" : "";
}

int plan_user_text(struct runtime_plan *plan, const char *path, plan_strip strip, char **ret,
		   struct diag *diag)
{
	_cleanup_rootfs_file_ struct rootfs_file current = { 0 };
	_cleanup_known_ struct known k = { 0 };
	int r = rootfs_read(plan->root, path, &current);

	if (r < 0)
		return cannot_plan(r, path, diag);
	r = known_look_up(plan, path, strip, &current, &k, diag);
	if (r < 0)
		return r;
	const struct rootfs_file *own = is_ours(k.state) && !k.lost ? &k.original : &current;
	if (holds_nul(own))
		return diag_set_at(diag, -EINVAL, path, 0, 0, HOLDS_NUL);
	if (own->text && !k.lost && k.state == SAVED_EDITED) {
		r = known_take_out(plan, path, strip, own->text, k.original.text, ret, diag);
		return r < 0 ? diag_prefix(diag, r, "%s", path) : 0;
	}
	char *rest = NULL;
	bool stray = k.lost || known_is_stray(&k, path, own->text);
	if (own->text && stray)
		r = strip(own->text, NULL, &rest, diag);
	if (r < 0)
		return diag_prefix(diag, r, "%s", path);
	if (own->text && !rest && (!stray || known_was_there(&k))) {
		rest = strdup(stray ? nothing_in(path) : own->text);
		if (!rest)
			return out_of_memory(diag);
	}
	*ret = rest;
	return 0;
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

static bool says_nothing(const struct rootfs_file *file)
{
	return file->text && file->text[strspn(file->text, " \t\r\n")] == '\0';
}

/*
 * What restore will bring back: the saved original as long as it is the user's text, else that text. A file that larder has no part
 * in comes back though it says nothing, for which a planner may take it for none; so does one that said nothing before.
 */
static int choose_original(struct plan_edit *e, enum saved_state state, struct rootfs_file *saved,
			   const char *user)
{
	if (!user && state == SAVED_NONE && e->before.text &&
	    !strays_holds(e->path, e->before.text))
		user = e->before.text;
	bool still = !user && state == SAVED_EDITED && says_nothing(saved);
	if (is_ours(state) || state == SAVED_BEFORE || still) {
		e->original = *saved;
		*saved = (struct rootfs_file){ 0 };
		return 0;
	}
	if (!user)
		return 0;
	e->original = e->before;
	return set_text(&e->original, user);
}

/* Where larder had to guess, a person should look. */
static int hint_at_guess(struct runtime_plan *plan, size_t report, const char *path,
			 const struct known *k, const char *text)
{
	const char *taken =
		text_ends_with(path, ".json")
			? "all of it but the cache's address now counts as yours, also what "
			  "larder wrote there of the machine config"
			: "what is outside of larder's marks now counts as yours";

	if (known_is_stray(k, path, text))
		return plan_hint(
			plan, report,
			"%s holds what larder writes, and nothing is noted of it below " SAVED_DIR
			": it is below " KEPT_DIR " now, and %s",
			path, taken);
	if (!k->lost || !text)
		return 0;
	if (k->copy == SAVED_COPY_CHANGED)
		return plan_hint(
			plan, report,
			"the copy of what %s was before larder was changed by somebody; it is "
			"below " KEPT_DIR " now, and %s",
			path, taken);
	return plan_hint(plan, report,
			 "the copy of what %s was before larder is gone from " SAVED_DIR
			 "/original: %s",
			 path, taken);
}

int plan_put(struct runtime_plan *plan, size_t report, const char *path, const char *user,
	     const char *text, mode_t mode, struct diag *diag)
{
	_cleanup_known_ struct known k = { 0 };
	struct plan_edit *e = new_edit(plan, report, path, diag);

	if (!e)
		return -ENOMEM;
	int r = rootfs_read(plan->root, path, &e->before);
	if (r < 0)
		return cannot_plan(r, path, diag);
	r = known_look_up(plan, path, runtime_strip(path), &e->before, &k, diag);
	if (r == 0 && hint_at_guess(plan, report, path, &k, e->before.text) < 0)
		return out_of_memory(diag);
	if (r < 0)
		return r;
	/* The copy is made anew, of what is left of it. */
	enum saved_state state = k.lost ? SAVED_EDITED : k.state;
	r = choose_original(e, state, &k.original, user);
	/* Also where all that the user had there is gone: it may have been a mistake. */
	e->keep_copy =
		k.copy == SAVED_COPY_CHANGED ||
		(k.original.text && !e->original.text && state == SAVED_EDITED) ||
		(state == SAVED_NONE && k.original.text && !rootfs_same(&k.original, &e->original));
	e->keep_before = known_is_stray(&k, path, e->before.text);
	e->note = is_ours(state) && !noted_any(&plan->noted, path);
	e->after = (struct rootfs_file){ .mode = mode };
	if (e->original.text) {
		e->after.mode = e->original.mode;
		e->after.uid = e->original.uid;
		e->after.gid = e->original.gid;
	}
	if (r == 0)
		r = set_text(&e->after, text);
	if (r < 0)
		return out_of_memory(diag);
	r = is_ours(state) ? known_follow_user(plan, path, &e->before, &e->original, diag) : 0;
	if (r == 0 && is_ours(state))
		r = known_follow_user(plan, path, &e->before, &e->after, diag);
	if (r < 0)
		return r;
	/* A secret that comes into a file closes it to others. */
	e->secret = (mode & 0077) == 0;
	if (e->secret)
		e->after.mode &= ~(mode_t)0077;
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

bool plan_has(const struct runtime_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->n_edits; i++)
		if (strcmp(plan->edits[i].path, path) == 0)
			return true;
	return false;
}

static const char *what_happened(const struct known *k, const struct plan_edit *e)
{
	if (!e->before.text)
		return " was removed after larder wrote it";
	if (!k->lost)
		return " was changed after larder wrote it";
	return k->copy == SAVED_COPY_CHANGED
		       ? ": the copy of what it was before, below " SAVED_DIR
			 "/original, was changed by somebody"
		       : ": the copy of what it was before is gone from " SAVED_DIR "/original";
}

/* Of what was lost, more than larder's part may be left. */
static const char *what_to_do(const struct known *k, const struct plan_edit *e)
{
	if (!k->lost || !e->before.text)
		return "";
	if (k->copy == SAVED_COPY_CHANGED)
		return "; compare the two, and copy it over the file if it is what you want";
	return text_ends_with(e->path, ".json")
		       ? "; what larder wrote there of the machine config may still be in it: take that "
			 "out, or bring the file back from a backup"
		       : "; see whether it says what you want";
}

/*
 * Larder wrote this file and somebody changed it since, or its original is lost: what is not larder's stays, and no file goes that
 * was there before.
 */
static int plan_edited(struct runtime_plan *plan, size_t report, struct plan_edit *e,
		       struct known *k, struct diag *diag)
{
	plan_strip strip = runtime_strip(e->path);
	_cleanup_diag_ struct diag why = DIAG_INIT;
	_cleanup_free_ char *rest = NULL;
	const char *did = e->before.text ? "it is left as it is" : "it is not brought back";
	bool kept = k->original.text;
	int r = 0;

	if (e->before.text)
		r = k->lost ? strip(e->before.text, NULL, &rest, &why)
			    : known_take_out(plan, e->path, strip, e->before.text, k->original.text,
					     &rest, &why);
	if (r == 0 && e->before.text && !rest && known_was_there(k)) {
		rest = strdup(nothing_in(e->path));
		r = rest ? 0 : -ENOMEM;
	}
	if (r == -ENOMEM)
		return out_of_memory(diag);
	e->change = e->forget = r == 0;
	e->secret = e->before.text && (e->before.mode & 0077) == 0;
	if (r == 0 && e->before.text && !rest) {
		/* nothing but larder's part: the original comes back */
		e->after = k->original;
		k->original = (struct rootfs_file){ 0 };
		return 0;
	}
	bool names_cache = rest && strstr(rest, REGISTRY_ADDRESS) &&
			   !(k->original.text && strstr(k->original.text, REGISTRY_ADDRESS));
	e->keep_original = true;
	if (rest && strcmp(rest, e->before.text) != 0)
		did = "only larder's part was taken out";
	if (rest) {
		e->after = e->before;
		e->after.text = NULL;
		if (set_text(&e->after, rest) < 0)
			return out_of_memory(diag);
	}
	return plan_hint(plan, report, "%s%s, so %s%s%s%s%s%s%s", e->path, what_happened(k, e), did,
			 r < 0 ? " (" : "", r < 0 ? diag_text(&why) : "", r < 0 ? ")" : "",
			 names_cache ? "; it still names the cache, in what was changed" : "",
			 kept ? "; what it was before is in " SAVED_DIR "/original" : "",
			 what_to_do(k, e)) < 0
		       ? out_of_memory(diag)
		       : 0;
}

/* In the place of a file that larder wrote is something that larder would not touch: it stays, and the rest goes on. */
static int plan_replaced(struct runtime_plan *plan, size_t report, struct plan_edit *e,
			 struct diag *why, struct diag *diag)
{
	e->leave = true;
	e->change = e->forget = e->keep_original = true;
	return plan_hint(
		       plan, report,
		       "%s; it is left as it is, and what was there before larder is below " SAVED_DIR
		       "/original",
		       diag_text(why)) < 0
		       ? out_of_memory(diag)
		       : 0;
}

/* Larder wrote this file, and no runtime asked for it now. */
static int plan_restore_file(struct runtime_plan *plan, size_t report, const char *path,
			     struct diag *diag)
{
	struct plan_edit *e = new_edit(plan, report, path, diag);
	_cleanup_known_ struct known k = { 0 };

	if (!e)
		return -ENOMEM;
	_cleanup_diag_ struct diag why = DIAG_INIT;
	int r = rootfs_read(plan->root, path, &e->before);
	if (r == -ENOMEM)
		return out_of_memory(diag);
	if (r < 0) {
		(void)cannot_take(r, path, &why);
		return plan_replaced(plan, report, e, &why, diag);
	}
	r = known_look_up(plan, path, runtime_strip(path), &e->before, &k, diag);
	if (r < 0)
		return r;
	bool edited = k.state == SAVED_EDITED || k.lost;
	if (edited && holds_nul(&e->before)) {
		(void)diag_set_at(&why, -EINVAL, path, 0, 0, HOLDS_NUL);
		return plan_replaced(plan, report, e, &why, diag);
	}
	if (edited)
		return plan_edited(plan, report, e, &k, diag);
	r = known_follow_user(plan, path, &e->before, &k.original, diag);
	if (r < 0)
		return r;
	e->after = k.original;
	k.original = (struct rootfs_file){ 0 };
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

/* The file itself stays as it is. */
static bool only_forgets(const struct plan_edit *e)
{
	return e->forget && (e->leave || (rootfs_same(&e->before, &e->after) &&
					  (!e->before.text || e->before.mode == e->after.mode)));
}

int plan_finish(struct runtime_plan *plan, struct diag *diag)
{
	_cleanup_strv_ char **written = NULL;
	int r = has_failed(plan) ? 0 : saved_list(plan->root, &written);
	size_t report;

	if (r < 0)
		return diag_set_at(diag, r, SAVED_DIR, 0, 0, "cannot read: %s", strerror(-r));
	STRV_FOREACH (path, written) {
		if (plan_has(plan, *path))
			continue;
		if (plan_restore_report(plan, &report) < 0)
			return out_of_memory(diag);
		r = plan_restore_file(plan, report, *path, diag);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < plan->n_edits; i++) {
		struct plan_edit *e = &plan->edits[i];
		struct runtime_report *rep = &plan->result.reports[e->report];
		if (!e->change || rep->state == RUNTIME_FAILED || only_forgets(e))
			continue;
		rep->state = RUNTIME_CHANGED;
		if (strv_add(&rep->files, e->path) < 0)
			return out_of_memory(diag);
	}
	return 0;
}
