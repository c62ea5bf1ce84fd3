/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/noted.h"

#include <string.h>

#include "base/text.h"
#include "runtime/saved.h"
#include "store/digest.h"

#define NOTED_FILE SAVED_DIR NOTED_NAME
#define NONE	   "none"

void noted_done(struct noted *n)
{
	strv_free(n->lines);
	*n = (struct noted){ 0 };
}

int noted_read(int root, struct noted *ret)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_strv_ char **lines = NULL;
	int r = rootfs_read(root, NOTED_FILE, &file);

	for (char *line = file.text, *end; r == 0 && line && (end = strchr(line, '\n'));
	     line = end + 1) {
		*end = '\0';
		r = strv_add(&lines, line);
	}
	if (r == 0)
		*ret = (struct noted){ .lines = TAKE_PTR(lines) };
	return r;
}

int noted_write(int root, struct noted *n)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { .mode = 0644 };
	FILE *f = n->changed ? open_memstream(&file.text, &file.size) : NULL;

	if (!n->changed)
		return 0;
	if (!f)
		return -ENOMEM;
	STRV_FOREACH (line, n->lines)
		fprintf(f, "%s\n", *line);
	if (fclose(f) != 0)
		return -ENOMEM;
	int r = file.size > 0 ? rootfs_write(root, NOTED_FILE, &file)
			      : rootfs_remove(root, NOTED_FILE, SAVED_DIR);
	if (r == 0)
		n->changed = false;
	return r;
}

static bool is_of(const char *line, const char *path)
{
	const char *blank = strchr(line, ' ');

	return blank && strcmp(blank + 1, path) == 0;
}

bool noted_any(const struct noted *n, const char *path)
{
	STRV_FOREACH (line, n->lines)
		if (is_of(*line, path))
			return true;
	return false;
}

static int make_line(const char *path, const struct rootfs_file *file, char **ret)
{
	char text[DIGEST_STRING_MAX];
	struct digest digest;

	if (file->text) {
		int r = digest_of(DIGEST_SHA256, file->text, file->size, &digest);
		if (r < 0)
			return r;
	}
	return asprintf(ret, "%s %s", file->text ? digest_format(&digest, text) : NONE, path) < 0
		       ? -ENOMEM
		       : 0;
}

bool noted_has(const struct noted *n, const char *path, const struct rootfs_file *file)
{
	_cleanup_free_ char *line = NULL;

	return noted_any(n, path) && make_line(path, file, &line) == 0 &&
	       strv_contains(n->lines, line);
}

int noted_add(struct noted *n, const char *path, const struct rootfs_file *file)
{
	char *line = NULL;

	if (strchr(path, '\n') || noted_has(n, path, file))
		return 0;
	int r = make_line(path, file, &line);
	if (r == 0)
		r = strv_take(&n->lines, line);
	if (r == 0)
		n->changed = true;
	return r;
}

typedef bool (*keeps)(const char *line, const void *data);

static void filter(struct noted *n, keeps keep, const void *data)
{
	size_t kept = 0;

	for (size_t i = 0; n->lines && n->lines[i]; i++) {
		if (keep(n->lines[i], data)) {
			n->lines[kept++] = n->lines[i];
			continue;
		}
		free(n->lines[i]);
		n->changed = true;
	}
	if (n->lines)
		n->lines[kept] = NULL;
}

struct one {
	const char *path, *line;
};

static bool is_other(const char *line, const void *data)
{
	const struct one *one = data;

	return !is_of(line, one->path) || strcmp(line, one->line) == 0;
}

int noted_set(struct noted *n, const char *path, const struct rootfs_file *file)
{
	_cleanup_free_ char *line = NULL;
	int r = noted_add(n, path, file);

	if (r == 0)
		r = make_line(path, file, &line);
	if (r == 0)
		filter(n, is_other, &(struct one){ path, line });
	return r;
}

static bool is_listed(const char *line, const void *data)
{
	char *const *paths = data;

	for (; paths && *paths; paths++)
		if (is_of(line, *paths))
			return true;
	return false;
}

void noted_keep(struct noted *n, char **paths)
{
	filter(n, is_listed, paths);
}
