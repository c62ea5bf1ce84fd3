/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/replace.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "layers/beside.h"
#include "layers/copy.h"

#define SET_SUFFIX ".set"

static char *set_path(const struct replacement *r, const char *suffix)
{
	return text_format("%s/%s%s", r->incoming, r->name, suffix);
}

int replace_begin(const struct replacement *r, char **ret_dir)
{
	_cleanup_free_ char *dir = set_path(r, SET_SUFFIX PART_SUFFIX);

	if (!dir)
		return -ENOMEM;
	(void)remove_tree_at(AT_FDCWD, dir);
	if (mkdir(dir, 0755) < 0)
		return -errno;
	*ret_dir = TAKE_PTR(dir);
	return 0;
}

void replace_abandon(const struct replacement *r)
{
	_cleanup_free_ char *dir = set_path(r, SET_SUFFIX PART_SUFFIX);

	if (dir)
		(void)remove_tree_at(AT_FDCWD, dir);
}

static int rename_durably(const char *from, const char *to)
{
	return rename(from, to) < 0 ? -errno : fsync_parent_at(AT_FDCWD, to);
}

/*
 * May be done again from any point of it. The image comes first: it alone is moved, so where it is not in the set, it has its name. What
 * lies beside it stays in the set until all is in place, since what the set lacks is removed.
 */
static int put_into_place(const struct replacement *r, const char *set, bool *ret_begun)
{
	_cleanup_free_ char *image = path_join(set, r->name), *target = path_join(r->to, r->name);

	if (!image || !target)
		return -ENOMEM;
	if (rename(image, target) < 0 && errno != ENOENT)
		return -errno;
	*ret_begun = true;
	int e = beside_replace(image, target);
	return e < 0 ? e : fsync_parent_at(AT_FDCWD, target);
}

static int finish(const struct replacement *r)
{
	_cleanup_free_ char *set = set_path(r, SET_SUFFIX);
	_cleanup_free_ char *part = set_path(r, SET_SUFFIX PART_SUFFIX);
	bool begun = false;

	if (!set || !part)
		return -ENOMEM;
	int e = put_into_place(r, set, &begun);
	if (e < 0 && begun)
		return e;
	/* Done, or not begun: either way it is not decided any more, and only then may its files go one by one. */
	int undo = rename_durably(set, part);
	if (undo == 0)
		replace_abandon(r);
	return e < 0 ? e : undo;
}

int replace_commit(const struct replacement *r)
{
	_cleanup_free_ char *part = set_path(r, SET_SUFFIX PART_SUFFIX);
	_cleanup_free_ char *set = set_path(r, SET_SUFFIX);
	_cleanup_close_ int dir = -1;

	if (!part || !set)
		return -ENOMEM;
	dir = open(part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fsync(dir) < 0)
		return -errno;
	int e = rename_durably(part, set);
	return e < 0 ? e : finish(r);
}

static int finish_one(const char *incoming, const char *to, const char *file, struct diag *diag)
{
	_cleanup_free_ char *name = strndup(file, strlen(file) - strlen(SET_SUFFIX));
	const struct replacement r = { .incoming = incoming, .to = to, .name = name };
	int e = name ? finish(&r) : -ENOMEM;

	return e < 0 ? diag_set(diag, e,
				"%s/%s: the layer that is to replace it cannot be put into place: "
				"%s",
				to, name ? name : file, strerror(-e))
		     : 0;
}

int replace_finish_all(const char *incoming, const char *to, struct diag *diag)
{
	_cleanup_closedir_ DIR *d = opendir(incoming);
	int result = 0;

	for (struct dirent *e = d ? next_entry(d) : NULL; e; e = next_entry(d)) {
		int r = 0;
		if (text_ends_with(e->d_name, SET_SUFFIX))
			r = finish_one(incoming, to, e->d_name, diag);
		else if (text_ends_with(e->d_name, SET_SUFFIX PART_SUFFIX))
			(void)remove_tree_at(dirfd(d), e->d_name);
		if (r < 0)
			result = r;
	}
	if (result == 0 && errno && errno != ENOENT)
		return diag_set(diag, -errno, "%s: what was interrupted there is not known: %s",
				incoming, strerror(errno));
	return result;
}
