/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/saved.h"

#include <string.h>

#include "base/text.h"

#define ORIGINAL_DIR	SAVED_DIR "/original"
#define WRITTEN_DIR	SAVED_DIR "/written"
#define NEXT_DIR	SAVED_DIR "/next"
#define DIRECTORIES	SAVED_DIR "/directories"
#define SAVED_DEPTH_MAX 16
#define KEPT_MAX	1000 /* copies of one file below KEPT_DIR */

static char *saved_path(const char *directory, const char *path)
{
	char *joined = NULL;

	return asprintf(&joined, "%s%s", directory, path) < 0 ? NULL : joined;
}

static int read_saved(int root, const char *directory, const char *path, struct rootfs_file *ret)
{
	_cleanup_free_ char *full = saved_path(directory, path);

	return full ? rootfs_read(root, full, ret) : -ENOMEM;
}

static enum saved_copy compare_copy(const struct noted *noted, const char *path,
				    const struct rootfs_file *copy)
{
	if (!noted_any(noted, path))
		return copy->text ? SAVED_COPY_WHOLE : SAVED_COPY_UNKNOWN;
	if (noted_has(noted, path, copy))
		return SAVED_COPY_WHOLE;
	return copy->text ? SAVED_COPY_CHANGED : SAVED_COPY_GONE;
}

static int duplicate(const struct rootfs_file *file, struct rootfs_file *ret)
{
	char *text = malloc(file->size + 1);

	if (!text)
		return -ENOMEM;
	memcpy(text, file->text, file->size + 1);
	*ret = *file;
	ret->text = text;
	return 0;
}

int saved_compare(int root, const struct noted *noted, const char *path,
		  const struct rootfs_file *current, enum saved_state *ret_state,
		  enum saved_copy *ret_copy, struct rootfs_file *ret_original)
{
	_cleanup_rootfs_file_ struct rootfs_file written = { 0 }, next = { 0 }, original = { 0 };
	int r = read_saved(root, WRITTEN_DIR, path, &written);

	if (r == 0)
		r = read_saved(root, NEXT_DIR, path, &next);
	if (r == 0)
		r = read_saved(root, ORIGINAL_DIR, path, &original);
	if (r < 0)
		return r;
	enum saved_copy copy = compare_copy(noted, path, &original);
	enum saved_state state = SAVED_EDITED;
	if (!written.text && !next.text)
		state = SAVED_NONE;
	else if (next.text && rootfs_same(&next, current))
		state = SAVED_INTERRUPTED;
	else if (written.text && rootfs_same(&written, current))
		state = SAVED_OURS;
	else if (copy != SAVED_COPY_GONE && rootfs_same(&original, current))
		state = SAVED_BEFORE;
	else if (current->text && noted_has(noted, path, current)) {
		/* The copy is not needed to know the original. */
		rootfs_file_done(&original);
		r = duplicate(current, &original);
		if (r < 0)
			return r;
		state = SAVED_BEFORE;
		copy = SAVED_COPY_WHOLE;
	}
	*ret_state = state;
	*ret_copy = copy;
	*ret_original = original;
	original = (struct rootfs_file){ 0 };
	return 0;
}

int saved_original(int root, const char *path, struct rootfs_file *ret)
{
	return read_saved(root, ORIGINAL_DIR, path, ret);
}

int saved_texts(int root, const char *path, struct rootfs_file *ret_written,
		struct rootfs_file *ret_next)
{
	int r = read_saved(root, WRITTEN_DIR, path, ret_written);

	return r < 0 ? r : read_saved(root, NEXT_DIR, path, ret_next);
}

static int write_saved(int root, const char *directory, const char *path,
		       const struct rootfs_file *file)
{
	_cleanup_rootfs_file_ struct rootfs_file before = { 0 };
	_cleanup_free_ char *full = saved_path(directory, path);

	if (!full)
		return -ENOMEM;
	if (!file->text)
		return rootfs_remove(root, full, SAVED_DIR);
	int r = rootfs_read(root, full, &before);
	if (r == 0 && rootfs_same(&before, file) && before.mode == file->mode)
		return 0;
	return r < 0 ? r : rootfs_write(root, full, file);
}

int saved_set_original(int root, const char *path, const struct rootfs_file *original)
{
	return write_saved(root, ORIGINAL_DIR, path, original);
}

int saved_keep(int root, const char *path)
{
	_cleanup_free_ char *from = saved_path(ORIGINAL_DIR, path);

	for (unsigned i = 0; from && i < KEPT_MAX; i++) {
		_cleanup_free_ char *to = NULL;
		if ((i == 0 ? asprintf(&to, KEPT_DIR "%s", path)
			    : asprintf(&to, KEPT_DIR "%s.%u", path, i)) < 0)
			return -ENOMEM;
		if (!rootfs_exists(root, to))
			return rootfs_move(root, from, to, SAVED_DIR);
	}
	return from ? -EEXIST : -ENOMEM;
}

int saved_set_next(int root, const char *path, const struct rootfs_file *next)
{
	return write_saved(root, NEXT_DIR, path, next);
}

/* What was about to be written is what was written, as a rule. */
int saved_written(int root, const char *path, const struct rootfs_file *written)
{
	_cleanup_free_ char *from = saved_path(NEXT_DIR, path), *to = saved_path(WRITTEN_DIR, path);
	_cleanup_rootfs_file_ struct rootfs_file next = { 0 };
	static const struct rootfs_file nothing;

	if (!from || !to)
		return -ENOMEM;
	int r = rootfs_read(root, from, &next);
	if (r < 0)
		return r;
	if (next.text && rootfs_same(&next, written) && next.mode == written->mode)
		return rootfs_move(root, from, to, SAVED_DIR);
	r = write_saved(root, WRITTEN_DIR, path, written);
	return r < 0 ? r : write_saved(root, NEXT_DIR, path, &nothing);
}

/* The copy of the user's file goes if nothing was ever written in its place, and it is there as it was. */
static int drop_original(int root, const char *path, const struct rootfs_file *current)
{
	_cleanup_rootfs_file_ struct rootfs_file written = { 0 }, original = { 0 };
	static const struct rootfs_file nothing;
	int r = read_saved(root, WRITTEN_DIR, path, &written);

	if (r == 0)
		r = read_saved(root, ORIGINAL_DIR, path, &original);
	return r < 0 || written.text || !rootfs_same(&original, current)
		       ? r
		       : write_saved(root, ORIGINAL_DIR, path, &nothing);
}

int saved_abandon(int root, const char *path, const struct rootfs_file *current)
{
	static const struct rootfs_file nothing;
	int r = write_saved(root, NEXT_DIR, path, &nothing);

	return r < 0 ? r : drop_original(root, path, current);
}

int saved_forget(int root, const char *path, bool keep_original)
{
	static const struct rootfs_file nothing;
	int r = write_saved(root, NEXT_DIR, path, &nothing);

	if (r == 0)
		r = write_saved(root, WRITTEN_DIR, path, &nothing);
	return r < 0 || keep_original ? r : write_saved(root, ORIGINAL_DIR, path, &nothing);
}

static int list_below(int root, const char *of, const char *path, unsigned depth, char ***list)
{
	_cleanup_free_ char *directory = saved_path(of, path);
	_cleanup_strv_ char **names = NULL;
	int r = directory ? rootfs_list(root, directory, &names) : -ENOMEM;

	/* A file in the place of the directory itself is of no path. */
	if (r == -ENOTDIR)
		return depth == 0 || strv_contains(*list, path) ? 0 : strv_add(list, path);
	if (depth == SAVED_DEPTH_MAX)
		return r;
	STRV_FOREACH (name, names) {
		_cleanup_free_ char *below = NULL;
		if (r == 0 && asprintf(&below, "%s/%s", path, *name) < 0)
			r = -ENOMEM;
		if (r == 0)
			r = list_below(root, of, below, depth + 1, list);
	}
	return r;
}

int saved_list(int root, char ***ret)
{
	_cleanup_strv_ char **list = NULL;
	int r = list_below(root, WRITTEN_DIR, "", 0, &list);

	if (r == 0)
		r = list_below(root, NEXT_DIR, "", 0, &list);
	if (r == 0)
		*ret = TAKE_PTR(list);
	return r;
}

/* One file below ORIGINAL_DIR. */
static int tidy_original(int root, const char *path)
{
	_cleanup_free_ char *full = saved_path(ORIGINAL_DIR, path);
	_cleanup_rootfs_file_ struct rootfs_file current = { 0 }, next = { 0 };

	if (!full)
		return -ENOMEM;
	if (rootfs_is_leftover(full))
		return rootfs_remove(root, full, SAVED_DIR);
	int r = read_saved(root, NEXT_DIR, path, &next);
	if (r < 0 || next.text || rootfs_read(root, path, &current) < 0 || !current.text)
		return r;
	return drop_original(root, path, &current);
}

int saved_tidy(int root)
{
	static const char *const directories[] = { ORIGINAL_DIR, WRITTEN_DIR, NEXT_DIR, KEPT_DIR };
	_cleanup_strv_ char **originals = NULL, **names = NULL;
	int r = list_below(root, ORIGINAL_DIR, "", 0, &originals);

	STRV_FOREACH (path, originals)
		if (r == 0)
			r = tidy_original(root, *path);
	if (r == 0)
		r = rootfs_list(root, SAVED_DIR, &names);
	STRV_FOREACH (name, names) {
		_cleanup_free_ char *full = NULL;
		if (r == 0 && asprintf(&full, SAVED_DIR "/%s", *name) < 0)
			r = -ENOMEM;
		if (r == 0 && rootfs_is_leftover(full))
			r = rootfs_remove(root, full, NULL);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(directories); i++)
		rootfs_prune(root, directories[i], SAVED_DEPTH_MAX);
	return r;
}

int saved_directories(int root, char ***ret)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_strv_ char **list = NULL;
	int r = rootfs_read(root, DIRECTORIES, &file);

	for (char *line = file.text, *end; r == 0 && line && (end = strchr(line, '\n'));
	     line = end + 1) {
		*end = '\0';
		if (*line == '/')
			r = strv_add(&list, line);
	}
	if (r == 0)
		*ret = TAKE_PTR(list);
	return r;
}

int saved_set_directories(int root, char **list)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { .mode = 0644 };
	FILE *f = open_memstream(&file.text, &file.size);

	if (!f)
		return -ENOMEM;
	STRV_FOREACH (path, list)
		if (!strchr(*path, '\n'))
			fprintf(f, "%s\n", *path);
	if (fclose(f) != 0)
		return -ENOMEM;
	return file.size > 0 ? rootfs_write(root, DIRECTORIES, &file)
			     : rootfs_remove(root, DIRECTORIES, SAVED_DIR);
}
