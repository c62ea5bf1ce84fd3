/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/beside.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/copy.h"

#define CHUNK (64 * 1024)

static const char *const suffixes[] = { NAME_LAYER_SUM_SUFFIX, NAME_LAYER_SIG_SUFFIX,
					NAME_LAYER_ROOT_SUFFIX, NAME_LAYER_TREE_SUFFIX };

int beside_open(const char *layer, const char *suffix, bool follow)
{
	_cleanup_free_ char *path = text_format("%s%s", layer, suffix);

	if (!path)
		return -ENOMEM;
	int fd = open(path,
		      O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW));
	return fd < 0 ? -errno : fd;
}

static int open_source(const struct beside *b, const char *suffix, uint64_t *ret_size,
		       struct diag *diag)
{
	_cleanup_close_ int fd = beside_open(b->from, suffix, false);
	struct stat st;

	if (fd == -ENOENT || fd == -ENOMEM)
		return fd;
	int r = fd < 0 ? fd : fstat(fd, &st) < 0 ? -errno : 0;
	if (r < 0)
		return diag_set(diag, r == -ELOOP ? -EINVAL : r, "%s%s: %s", b->from, suffix,
				r == -ELOOP ? "it is a symlink" : strerror(-r));
	if (!S_ISREG(st.st_mode))
		return diag_set(diag, -EINVAL, "%s%s: it is no regular file", b->from, suffix);
	*ret_size = (uint64_t)st.st_size;
	if (*ret_size > (strcmp(suffix, NAME_LAYER_TREE_SUFFIX) == 0 ? b->max : BESIDE_SMALL_MAX))
		return diag_set(diag, -EINVAL, "%s%s: %llu bytes are too many", b->from, suffix,
				(unsigned long long)*ret_size);
	return TAKE_FD(fd);
}

static int pump(int from, int to, uint64_t size)
{
	_cleanup_free_ char *chunk = malloc(CHUNK);
	int r = chunk ? 0 : -ENOMEM;

	for (uint64_t done = 0; r == 0 && done < size;) {
		size_t part = size - done < CHUNK ? (size_t)(size - done) : CHUNK;
		r = pread_exact(from, chunk, part, done);
		if (r == 0)
			r = write_exact(to, chunk, part);
		done += part;
	}
	return r == 0 && fsync(to) < 0 ? -errno : r;
}

static int fill(int from, uint64_t size, const char *part, const char *target)
{
	_cleanup_close_ int to =
		open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r = to < 0 ? -errno : pump(from, to, size);

	if (r == 0 && rename(part, target) < 0)
		r = -errno;
	if (r == 0)
		return fsync_parent_at(AT_FDCWD, target);
	(void)unlink(part);
	return r;
}

int beside_copy(const struct beside *b, const char *suffix, struct diag *diag)
{
	_cleanup_free_ char *target = text_format("%s/%s%s", b->to, b->name, suffix);
	_cleanup_free_ char *part =
		text_format("%s/%s%s" PART_SUFFIX, b->incoming, b->name, suffix);
	uint64_t size = 0;

	if (!target || !part)
		return -ENOMEM;
	_cleanup_close_ int from = open_source(b, suffix, &size, diag);
	if (from == -ENOENT)
		return unlink(target) < 0 && errno != ENOENT ? -errno : 0;
	if (from < 0)
		return from;
	int r = fill(from, size, part, target);
	return r < 0 ? diag_set(diag, r == -EDQUOT ? -ENOSPC : r, "%s: %s", target, strerror(-r))
		     : 0;
}

size_t beside_stem(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (text_ends_with(name, suffixes[i]))
			return strlen(name) - strlen(suffixes[i]);
	return 0;
}

/* 0 if there is none. */
static int beside_remove(const char *layer, const char *suffix)
{
	_cleanup_free_ char *path = text_format("%s%s", layer, suffix);

	if (!path)
		return -ENOMEM;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int beside_remove_sidecars(const char *layer)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(suffixes); i++)
		r = beside_remove(layer, suffixes[i]);
	return r < 0 ? r : fsync_parent_at(AT_FDCWD, layer);
}

int beside_move(const char *from, const char *to)
{
	/* The root hash says that the tree counts: so that comes first. */
	for (size_t i = ARRAY_SIZE(suffixes); i-- > 0;) {
		_cleanup_free_ char *old = text_format("%s%s", from, suffixes[i]);
		_cleanup_free_ char *new = text_format("%s%s", to, suffixes[i]);
		if (!old || !new)
			return -ENOMEM;
		if (rename(old, new) < 0 && errno != ENOENT)
			return -errno;
	}
	return fsync_parent_at(AT_FDCWD, to);
}

int beside_replace(const char *from, const char *to)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *old = text_format("%s%s", to, suffixes[i]);
		_cleanup_free_ char *new = text_format("%s%s", from, suffixes[i]);
		if (!old || !new)
			return -ENOMEM;
		if (unlink(old) < 0 && errno != ENOENT)
			return -errno;
		if (link(new, old) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

int beside_remove_all(const char *layer)
{
	int r = unlink(layer) < 0 && errno != ENOENT ? -errno : 0;

	return r < 0 ? r : beside_remove_sidecars(layer);
}
