/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/known.h"

#include <string.h>

#include "runtime/runtimes.h"
#include "runtime/strays.h"

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

static int cannot_compare(int err, const char *path, struct diag *diag)
{
	return diag_set_at(diag, err, SAVED_DIR, 0, 0,
			   "cannot read what larder noted there of %s: %s", path, rootfs_why(err));
}

void known_done(struct known *k)
{
	rootfs_file_done(&k->original);
}

/*
 * There is no copy and no note of one, though larder wrote more than its own part: there was something, and the copy is gone.
 */
static int wrote_more(struct runtime_plan *plan, const char *path, plan_strip strip, bool *ret,
		      struct diag *diag)
{
	_cleanup_rootfs_file_ struct rootfs_file written = { 0 }, next = { 0 };
	_cleanup_free_ char *rest = NULL;

	*ret = false;
	if (runtime_owns(path))
		return 0;
	int r = saved_texts(plan->root, path, &written, &next);
	if (r < 0)
		return cannot_compare(r, path, diag);
	const char *text = written.text ? written.text : next.text;
	if (!text)
		return 0;
	r = strip(text, NULL, &rest, NULL);
	*ret = rest != NULL;
	return r == -ENOMEM ? out_of_memory(diag) : 0;
}

int known_look_up(struct runtime_plan *plan, const char *path, plan_strip strip,
		  const struct rootfs_file *current, struct known *ret, struct diag *diag)
{
	_cleanup_known_ struct known k = { 0 };
	int r = saved_compare(plan->root, &plan->noted, path, current, &k.state, &k.copy,
			      &k.original);

	if (r < 0)
		return cannot_compare(r, path, diag);
	if (k.state != SAVED_NONE && k.state != SAVED_BEFORE)
		k.lost = k.copy == SAVED_COPY_GONE || k.copy == SAVED_COPY_CHANGED;
	if (k.state != SAVED_NONE && k.copy == SAVED_COPY_UNKNOWN && current->text)
		r = wrote_more(plan, path, strip, &k.lost, diag);
	if (r < 0)
		return r;
	if (k.lost)
		rootfs_file_done(&k.original);
	*ret = k;
	k = (struct known){ 0 };
	return 0;
}

bool known_was_there(const struct known *k)
{
	return k->lost && k->copy != SAVED_COPY_UNKNOWN;
}

bool known_is_stray(const struct known *k, const char *path, const char *text)
{
	return k->state == SAVED_NONE && text && strays_holds(path, text);
}

int known_follow_user(struct runtime_plan *plan, const char *path,
		      const struct rootfs_file *current, struct rootfs_file *file,
		      struct diag *diag)
{
	_cleanup_rootfs_file_ struct rootfs_file written = { 0 }, next = { 0 };
	int r = saved_texts(plan->root, path, &written, &next);

	if (r < 0)
		return cannot_compare(r, path, diag);
	if (!file->text || !written.text || !rootfs_same(&written, current) ||
	    (written.mode == current->mode && written.uid == current->uid &&
	     written.gid == current->gid))
		return 0;
	file->mode = current->mode;
	file->uid = current->uid;
	file->gid = current->gid;
	return 0;
}

int known_take_out(struct runtime_plan *plan, const char *path, plan_strip strip, const char *text,
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
