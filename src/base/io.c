/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/io.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/text.h"

#define LOCK_POLL_MS	   20
#define WRITE_BEHIND_BYTES (16U * 1024 * 1024)

int read_fd(int fd, size_t max, char **ret, size_t *ret_size)
{
	size_t size = 0, capacity = 4096;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		if ((uint64_t)st.st_size > max)
			return -EFBIG;
		capacity = (size_t)st.st_size + 1;
	}
	_cleanup_free_ char *buffer = malloc(capacity + 1);
	if (!buffer)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, buffer + size, capacity - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > max)
			return -EFBIG;
		if (size == capacity) {
			char *larger = realloc(buffer, capacity * 2 + 1);
			if (!larger)
				return -ENOMEM;
			buffer = larger;
			capacity *= 2;
		}
	}
	buffer[size] = '\0';
	*ret = TAKE_PTR(buffer);
	if (ret_size)
		*ret_size = size;
	return 0;
}

int read_file_at(int dir, const char *path, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return read_fd(fd, max, ret, ret_size);
}

int read_regular_at(int dir, const char *path, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? read_fd(fd, max, ret, ret_size) : -EISDIR;
}

int pread_exact(int fd, void *buffer, size_t size, uint64_t offset)
{
	char *at = buffer;

	while (size > 0) {
		ssize_t n = pread(fd, at, size, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		at += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int write_exact(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = write(fd, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int pwrite_exact(int fd, const void *data, size_t size, uint64_t offset)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = pwrite(fd, at, size, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

static bool is_aligned(uint64_t n)
{
	return n % LONG_WRITE_ALIGNMENT == 0;
}

static bool set_direct(int fd, bool direct)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

void long_write_begin(struct long_write *w, int fd, uint64_t at)
{
	*w = (struct long_write){ .fd = fd, .at = at, .handed = at };
	w->direct = is_aligned(at) && set_direct(fd, true);
}

/* Dirty pages go to the disk while more is written. */
static void hand_over(struct long_write *w)
{
	if (w->direct || w->at < w->handed + WRITE_BEHIND_BYTES)
		return;
	(void)sync_file_range(w->fd, (off_t)w->handed, (off_t)(w->at - w->handed),
			      SYNC_FILE_RANGE_WRITE);
	w->handed = w->at;
}

int long_write_end(struct long_write *w)
{
	const struct aiocb *const pieces[] = { &w->piece };
	const char *data = (const char *)w->piece.aio_buf;
	size_t size = w->piece.aio_nbytes;

	if (!w->pending)
		return 0;
	while (aio_error(&w->piece) == EINPROGRESS)
		(void)aio_suspend(pieces, 1, NULL);
	w->pending = false;
	int r = -aio_error(&w->piece);
	ssize_t n = aio_return(&w->piece);
	/* A filesystem may refuse only what it is given, or ask for more than we know. */
	if (r == -EINVAL && w->direct) {
		w->direct = !set_direct(w->fd, false);
		r = 0;
	}
	size_t written = n < 0 ? 0 : (size_t)n;
	if (r == 0)
		r = pwrite_exact(w->fd, data + written, size - written, w->at + written);
	if (r < 0)
		return r;
	w->at += size;
	hand_over(w);
	return 0;
}

int long_write(struct long_write *w, const void *data, size_t size)
{
	int r = long_write_end(w);

	if (r < 0)
		return r;
	if (w->direct && !(is_aligned(size) && is_aligned((uintptr_t)data)))
		w->direct = !set_direct(w->fd, false);
	w->piece = (struct aiocb){
		.aio_fildes = w->fd,
		.aio_offset = (off_t)w->at,
		.aio_buf = (void *)(uintptr_t)data, /* which is only read */
		.aio_nbytes = size,
		.aio_sigevent.sigev_notify = SIGEV_NONE,
	};
	if (aio_write(&w->piece) < 0)
		return -errno;
	w->pending = true;
	return 0;
}

#define TEMPORARY_SUFFIX ".tmp"

static int temporary_name(const char *path, char **ret)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint64_t)getpid();
	const char *slash = strrchr(path, '/');
	int directory = slash ? (int)(slash - path + 1) : 0;
	*ret = text_format("%.*s.%s.%016llx" TEMPORARY_SUFFIX, directory, path, path + directory,
			   (unsigned long long)random);
	return *ret ? 0 : -ENOMEM;
}

/* What is on the disk when a write returns. */
enum durable { NOTHING, CONTENT, ALL };

static int fill_new_file(int dir, const char *path, const void *data, size_t size, mode_t mode,
			 enum durable durable)
{
	_cleanup_close_ int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0)
		return -errno;
	int r = write_exact(fd, data, size);
	if (r < 0)
		return r;
	if (durable >= CONTENT && fsync(fd) < 0)
		return -errno;
	return 0;
}

static int replace_file(int dir, const char *path, const void *data, size_t size, mode_t mode,
			enum durable durable)
{
	_cleanup_free_ char *temporary = NULL;
	int r = temporary_name(path, &temporary);

	if (r < 0)
		return r;
	r = fill_new_file(dir, temporary, data, size, mode, durable);
	if (r == 0 && renameat(dir, temporary, dir, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir, temporary, 0);
		return r;
	}
	return durable == ALL ? fsync_parent_at(dir, path) : 0;
}

int write_file_durable_at(int dir, const char *path, const void *data, size_t size, mode_t mode)
{
	return replace_file(dir, path, data, size, mode, ALL);
}

int write_file_synced_at(int dir, const char *path, const void *data, size_t size, mode_t mode)
{
	return replace_file(dir, path, data, size, mode, CONTENT);
}

int write_file_atomic_at(int dir, const char *path, const void *data, size_t size, mode_t mode)
{
	return replace_file(dir, path, data, size, mode, NOTHING);
}

int symlink_atomic_at(const char *target, int dir, const char *path)
{
	_cleanup_free_ char *temporary = NULL;

	/* Where there is nothing to replace, creating it is one step. */
	if (symlinkat(target, dir, path) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	int r = temporary_name(path, &temporary);
	if (r < 0)
		return r;
	if (symlinkat(target, dir, temporary) < 0)
		return -errno;
	if (renameat(dir, temporary, dir, path) < 0) {
		r = -errno;
		(void)unlinkat(dir, temporary, 0);
		return r;
	}
	return 0;
}

struct dirent *next_entry(DIR *d)
{
	errno = 0;
	return readdir(d);
}

void remove_temporaries_at(int dir, const char *path, const char *name)
{
	_cleanup_closedir_ DIR *d = opendir_at(dir, path, 0);
	size_t n = strlen(name), end = strlen(TEMPORARY_SUFFIX);

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		size_t length = strlen(e->d_name);
		if (e->d_name[0] == '.' && length > 1 + n + end &&
		    strncmp(e->d_name + 1, name, n) == 0 && (n == 0 || e->d_name[1 + n] == '.') &&
		    strcmp(e->d_name + length - end, TEMPORARY_SUFFIX) == 0)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
}

static int make_one_directory(int dir, const char *path, mode_t mode)
{
	struct stat st;

	if (mkdirat(dir, path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (fstatat(dir, path, &st, 0) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int mkdir_parents_at(int dir, const char *path, mode_t mode)
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return 0;
	_cleanup_free_ char *parent = strndup(path, (size_t)(slash - path));
	return parent ? mkdir_all_at(dir, parent, mode) : -ENOMEM;
}

/* Most often it is there, or its parent is: so that is tried first. */
int mkdir_all_at(int dir, const char *path, mode_t mode)
{
	int r = make_one_directory(dir, path, mode);

	if (r == -ENOENT)
		r = mkdir_parents_at(dir, path, mode);
	else
		return r;
	return r < 0 ? r : make_one_directory(dir, path, mode);
}

int fsync_parent_at(int dir, const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = NULL;

	if (slash == path)
		parent = strdup("/");
	else if (slash)
		parent = strndup(path, (size_t)(slash - path));
	else
		parent = strdup(".");
	if (!parent)
		return -ENOMEM;
	_cleanup_close_ int fd = openat(dir, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

static int open_resolved(int dir, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY)),
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};

	for (;;) {
		long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

int open_beneath(int dir, const char *path, int flags)
{
	return open_resolved(dir, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int open_in_root(int dir, const char *path, int flags)
{
	return open_resolved(dir, path, flags, RESOLVE_IN_ROOT);
}

DIR *opendir_at(int dir, const char *path, int flags)
{
	int fd = openat(dir, path, flags | O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		close_fd(fd);
	return d;
}

static bool is_rooted(const char *root)
{
	return root && *root && strcmp(root, "/") != 0;
}

int open_rooted(const char *root, const char *path, int flags)
{
	if (!is_rooted(root)) {
		int fd = open(path, flags | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	_cleanup_close_ int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -errno : open_in_root(dir, path, flags);
}

static int remove_entries(int dir, dev_t device);

static int remove_one(int dir, const char *name, dev_t device)
{
	struct stat st;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || (device && st.st_dev != device)) {
		close_fd(fd);
		return -EXDEV;
	}
	int r = remove_entries(fd, st.st_dev); /* takes fd */
	if (r < 0)
		return r;
	return unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_entries(int dir, dev_t device)
{
	_cleanup_closedir_ DIR *d = fdopendir(dir);

	if (!d) {
		int saved = errno;
		close_fd(dir);
		return -saved;
	}
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		int r = remove_one(dirfd(d), e->d_name, device);
		if (r < 0)
			return r;
	}
	return 0;
}

int remove_tree_at(int dir, const char *path)
{
	return remove_one(dir, path, 0);
}

char *path_join(const char *root, const char *path)
{
	if (!is_rooted(root))
		return strdup(path);
	size_t length = strlen(root);
	while (length > 0 && root[length - 1] == '/')
		length--;
	while (*path == '/')
		path++;
	return text_format("%.*s/%s", (int)length, root, path);
}

int lock_within(int fd, unsigned ms)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };

	for (unsigned waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += LOCK_POLL_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (waited >= ms)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return 0;
}
