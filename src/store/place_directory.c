/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A place that is a directory. */
#include "store/place_kind.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"

#define LIST_BYTES (16 * 1024) /* of names that are read at once */

struct directory {
	struct place place;
	int fd;
};

static int directory_fd(struct place *place)
{
	return ((struct directory *)place)->fd;
}

/* What a file name cannot lead to is not there. */
static int not_there(int err)
{
	return err == -ELOOP || err == -EXDEV || err == -ENOTDIR || err == -ENAMETOOLONG ? -ENOENT
											 : err;
}

/*
 * Only asks which bytes would be found: fstatat follows symlinks of directories on the way. Nobody is served by its answer: it
 * is compared with the identity of what was opened by directory_open(), which follows none.
 */
static int directory_stat(struct place *place, const char *path, struct content_id *ret)
{
	struct stat st;

	if (fstatat(directory_fd(place), path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return not_there(-errno);
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	content_id_set(ret, &st);
	place_identify(place, ret);
	return 0;
}

static int directory_open(struct place *place, const char *path, struct content *ret)
{
	struct stat st;
	_cleanup_close_ int fd = open_beneath(directory_fd(place), path, O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return not_there(fd);
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	*ret = CONTENT_INIT;
	content_id_set(&ret->id, &st);
	place_identify(place, &ret->id);
	ret->fd = TAKE_FD(fd);
	return 0;
}

static bool directory_has_directory(struct place *place, const char *path)
{
	struct stat st;

	return fstatat(directory_fd(place), path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

static uint64_t directory_stamp(struct place *place, const char *path)
{
	struct content_id id;
	struct stat st;

	if (fstatat(directory_fd(place), path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	content_id_set(&id, &st);
	return (uint64_t)id.change ^ id.inode ^ id.device << 32;
}

static mode_t entry_type(int dir, const struct dirent64 *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return DTTOIF(entry->d_type);
	return fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode & S_IFMT : 0;
}

struct entries {
	int fd;
	unsigned n, dots; /* seen so far */
	place_visit_any_fn visit;
	void *user;
};

static int visit_entry(struct entries *e, const struct dirent64 *entry)
{
	if (name_is_dots(entry->d_name))
		return ++e->dots > 2 ? -ENOTUNIQ : 0;
	if (++e->n > PLACE_ENTRIES_MAX)
		return -E2BIG;
	return e->visit(entry->d_name, entry_type(e->fd, entry), e->user);
}

/* Without opendir(), which asks the kernel five times more and takes 32 KiB from the heap: checking a layer lists many small directories. */
static int directory_list(struct place *place, const char *path, place_visit_any_fn visit,
			  void *user)
{
	_Alignas(struct dirent64) char buffer[LIST_BYTES];
	_cleanup_close_ int fd =
		open_beneath(directory_fd(place), *path ? path : ".", O_RDONLY | O_DIRECTORY);
	struct entries e = { .fd = fd, .visit = visit, .user = user };
	ssize_t n;

	if (fd < 0)
		return not_there(fd);
	while ((n = getdents64(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(buffer + at);
			int r = visit_entry(&e, entry);
			if (r != 0)
				return r;
			at += entry->d_reclen;
		}
	/* A damaged directory, which is not to be taken for a short one. */
	return n < 0 ? -errno : 0;
}

static void directory_free(struct place *place)
{
	struct directory *d = (struct directory *)place;

	close_fd(d->fd);
	free(d);
}

static const struct place_kind directory_kind = {
	.stat = directory_stat,
	.open = directory_open,
	.has_directory = directory_has_directory,
	.stamp = directory_stamp,
	.list = directory_list,
	.free = directory_free,
};

int place_new_directory(int fd, struct place **ret)
{
	struct directory *d = calloc(1, sizeof(*d));

	if (!d) {
		close_fd(fd);
		return -ENOMEM;
	}
	d->place = (struct place){ &directory_kind, 1 };
	d->fd = fd;
	*ret = &d->place;
	return 0;
}
