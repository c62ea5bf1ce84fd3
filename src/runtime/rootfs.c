/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/rootfs.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"

#define LEFTOVER_DIGITS 16

void rootfs_file_done(struct rootfs_file *file)
{
	if (file->text)
		explicit_bzero(file->text, file->size);
	free(file->text);
	*file = (struct rootfs_file){ 0 };
}

bool rootfs_same(const struct rootfs_file *a, const struct rootfs_file *b)
{
	if (!a->text || !b->text)
		return a->text == b->text;
	return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

int rootfs_open(const char *root)
{
	int fd = open(root && *root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int rootfs_lock(int root, unsigned ms)
{
	_cleanup_close_ int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : lock_within(fd, ms);

	return r < 0 ? r : TAKE_FD(fd);
}

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static const char *name_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* The directory that holds path. */
static int open_parent(int root, const char *path)
{
	_cleanup_free_ char *parent = parent_of(path);

	return parent ? open_in_root(root, parent, O_RDONLY | O_DIRECTORY) : -ENOMEM;
}

static int make_directory(int root, const char *path, mode_t mode)
{
	_cleanup_close_ int parent = open_parent(root, path);

	if (parent == -ENOENT) {
		_cleanup_free_ char *above = parent_of(path);
		int r = above ? make_directory(root, above, mode) : -ENOMEM;
		if (r < 0)
			return r;
		parent = open_parent(root, path);
	}
	if (parent < 0)
		return parent;
	if (mkdirat(parent, name_of(path), mode) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/* Takes fd. */
static int read_opened(int opened, struct rootfs_file *ret)
{
	_cleanup_close_ int fd = opened;
	struct rootfs_file file = { 0 };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	int r = read_fd(fd, ROOTFS_FILE_MAX, &file.text, &file.size);
	if (r < 0)
		return r;
	file.mode = st.st_mode & 07777;
	file.uid = st.st_uid;
	file.gid = st.st_gid;
	*ret = file;
	return 0;
}

#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

int rootfs_read(int root, const char *path, struct rootfs_file *ret)
{
	_cleanup_close_ int parent = open_parent(root, path);

	if (parent == -ENOENT || parent == -ENOTDIR) {
		*ret = (struct rootfs_file){ 0 };
		return 0;
	}
	if (parent < 0)
		return parent;
	int fd = openat(parent, name_of(path), READ_FLAGS | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		*ret = (struct rootfs_file){ 0 };
		return 0;
	}
	return fd < 0 ? -errno : read_opened(fd, ret);
}

const char *rootfs_why(int err)
{
	switch (-err) {
	case EISDIR:
		return "it is no regular file";
	case ELOOP:
		return "it is a symbolic link";
	case EFBIG:
		return "it is too large";
	default:
		return strerror(-err);
	}
}

int rootfs_read_linked(int root, const char *path, struct rootfs_file *ret)
{
	int fd = open_in_root(root, path, READ_FLAGS);

	if (fd == -ENOENT || fd == -ENOTDIR) {
		*ret = (struct rootfs_file){ 0 };
		return 0;
	}
	return fd < 0 ? fd : read_opened(fd, ret);
}

/* ".NAME.0123456789abcdef.tmp": what write_file_synced_at() leaves beside a file when the power fails. */
static bool is_leftover(const char *entry, const char *name, size_t length)
{
	return entry[0] == '.' && strncmp(entry + 1, name, length) == 0 &&
	       entry[length + 1] == '.' &&
	       strspn(entry + length + 2, "0123456789abcdef") == LEFTOVER_DIGITS &&
	       strcmp(entry + length + 2 + LEFTOVER_DIGITS, ".tmp") == 0;
}

bool rootfs_is_leftover(const char *path)
{
	const char *entry = name_of(path);
	size_t length = strlen(entry), rest = 2 + LEFTOVER_DIGITS + strlen(".tmp");

	return length > rest && is_leftover(entry, entry + 1, length - rest);
}

static void remove_leftovers(int parent, const char *name)
{
	int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		close_fd(fd);
		return;
	}
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		if (is_leftover(e->d_name, name, strlen(name)))
			(void)unlinkat(parent, e->d_name, 0);
}

int rootfs_write(int root, const char *path, const struct rootfs_file *file)
{
	_cleanup_free_ char *directory = parent_of(path);
	int r = directory ? make_directory(root, directory, 0755) : -ENOMEM;

	if (r < 0)
		return r;
	_cleanup_close_ int parent = open_parent(root, path);
	if (parent < 0)
		return parent;
	remove_leftovers(parent, name_of(path));
	r = write_file_synced_at(parent, name_of(path), file->text, file->size, file->mode);
	if (r < 0)
		return r;
	/* Only where it differs: a file system may not know owners. */
	struct stat st;
	if (fstatat(parent, name_of(path), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if ((st.st_uid != file->uid || st.st_gid != file->gid) &&
	    (fchownat(parent, name_of(path), file->uid, file->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	     fchmodat(parent, name_of(path), file->mode, 0) < 0))
		return -errno;
	return 0;
}

/* Goes up from path while directories are empty and below "below". */
static void remove_empty_parents(int root, const char *path, const char *below)
{
	_cleanup_free_ char *directory = parent_of(path);

	while (directory && text_starts_with(directory, below) && directory[strlen(below)] == '/') {
		_cleanup_close_ int parent = open_parent(root, directory);
		if (parent < 0 || unlinkat(parent, name_of(directory), AT_REMOVEDIR) < 0)
			return;
		char *above = parent_of(directory);
		free(directory);
		directory = above;
	}
}

int rootfs_remove(int root, const char *path, const char *below)
{
	_cleanup_close_ int parent = open_parent(root, path);

	if (parent == -ENOENT)
		return 0;
	if (parent < 0)
		return parent;
	remove_leftovers(parent, name_of(path));
	if (unlinkat(parent, name_of(path), 0) < 0 && errno != ENOENT)
		return -errno;
	int r = fsync(parent) < 0 ? -errno : 0;
	if (r == 0 && below)
		remove_empty_parents(root, path, below);
	return r;
}

int rootfs_move(int root, const char *from, const char *to, const char *below)
{
	_cleanup_free_ char *directory = parent_of(to);
	int r = directory ? make_directory(root, directory, 0755) : -ENOMEM;

	if (r < 0)
		return r;
	_cleanup_close_ int source = open_parent(root, from), target = open_parent(root, to);
	if (source < 0 || target < 0)
		return source < 0 ? source : target;
	if (renameat(source, name_of(from), target, name_of(to)) < 0)
		return -errno;
	remove_empty_parents(root, from, below);
	return 0;
}

int rootfs_sync(int root, const char *path, struct rootfs_synced *known)
{
	_cleanup_close_ int directory = open_parent(root, path);
	struct stat st;

	if (directory < 0)
		return directory == -ENOENT ? 0 : directory;
	if (fstat(directory, &st) < 0)
		return -errno;
	for (size_t i = 0; known && i < known->n; i++)
		if (known->filesystems[i].device == st.st_dev)
			return known->filesystems[i].result;
	int r = syncfs(directory) < 0 ? -errno : 0;
	if (known && known->n < ROOTFS_SYNCED_MAX) {
		known->filesystems[known->n].device = st.st_dev;
		known->filesystems[known->n++].result = r;
	}
	return r;
}

int rootfs_remove_directory(int root, const char *path)
{
	_cleanup_close_ int parent = open_parent(root, path);

	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	return unlinkat(parent, name_of(path), AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static void prune_at(int parent, const char *name, unsigned depth)
{
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno != ENOTEMPTY || depth == 0)
		return;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		close_fd(fd);
		return;
	}
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			prune_at(fd, e->d_name, depth - 1);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

void rootfs_prune(int root, const char *path, unsigned depth)
{
	_cleanup_close_ int parent = open_parent(root, path);

	if (parent >= 0)
		prune_at(parent, name_of(path), depth);
}

int rootfs_missing(int root, const char *path, char ***ret)
{
	_cleanup_strv_ char **list = NULL;
	int r = 0;

	for (const char *slash = strchr(path + 1, '/'); slash && r == 0;
	     slash = strchr(slash + 1, '/')) {
		char *directory = strndup(path, (size_t)(slash - path));
		bool there = directory && rootfs_exists(root, directory);
		if (there)
			free(directory);
		else
			r = strv_take(&list, directory);
	}
	if (r == 0)
		*ret = TAKE_PTR(list);
	return r;
}

bool rootfs_exists(int root, const char *path)
{
	_cleanup_close_ int fd = open_in_root(root, path, O_PATH);

	return fd >= 0;
}

int rootfs_stat(int root, const char *path, struct stat *ret)
{
	_cleanup_close_ int fd = open_in_root(root, path, O_PATH);

	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

int rootfs_list(int root, const char *path, char ***ret)
{
	_cleanup_strv_ char **list = NULL;
	int fd = open_in_root(root, path, O_RDONLY | O_DIRECTORY);

	if (fd == -ENOENT) {
		*ret = NULL;
		return 0;
	}
	if (fd < 0)
		return fd;
	_cleanup_closedir_ DIR *d = fdopendir(fd);
	if (!d) {
		int r = -errno;
		close_fd(fd);
		return r;
	}
	for (struct dirent *e = next_entry(d); e; e = next_entry(d)) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		int r = strv_add(&list, e->d_name);
		if (r < 0)
			return r;
	}
	if (errno)
		return -errno;
	strv_sort_bytes(list);
	*ret = TAKE_PTR(list);
	return 0;
}
