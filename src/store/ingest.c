/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/ingest.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"

#define COPY_CHUNK (256 * 1024)
#define PREFIX	   "ingest-"
#define TRIES_MAX  16

struct ingest {
	int tree; /* borrowed */
	int fd;
	struct hasher *hasher;
	char name[sizeof(NAME_INCOMING_DIR) + 40]; /* "" once it has its own */
};

void ingest_free(struct ingest *i)
{
	if (*i->name)
		(void)unlinkat(i->tree, i->name, 0);
	close_fd(i->fd);
	hasher_freep(&i->hasher);
	free(i);
}

/*
 * A file that is being written is locked (flock(2)) by who writes it; one that nobody holds was left by a crash. -EAGAIN: somebody
 * took it for one of these before it was locked.
 */
static int create_locked(struct ingest *i)
{
	uint64_t random;
	struct stat st;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(i->name, sizeof(i->name), NAME_INCOMING_DIR "/" PREFIX "%016llx",
		 (unsigned long long)random);
	i->fd = openat(i->tree, i->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (i->fd < 0) {
		int r = -errno;
		i->name[0] = '\0';
		return r;
	}
	if (flock(i->fd, LOCK_EX) < 0 || fstat(i->fd, &st) < 0)
		return -errno;
	return st.st_nlink == 0 ? -EAGAIN : 0;
}

static int create_temporary(struct ingest *i)
{
	int r = -EAGAIN;

	if (mkdirat(i->tree, NAME_INCOMING_DIR, 0700) < 0 && errno != EEXIST)
		return -errno;
	for (int n = 0; r == -EAGAIN && n < TRIES_MAX; n++) {
		i->fd = close_fd(i->fd);
		r = create_locked(i);
	}
	return r;
}

int ingest_new(int tree, enum digest_algorithm algorithm, struct ingest **ret)
{
	_cleanup_(ingest_freep) struct ingest *i = calloc(1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	i->tree = tree;
	i->fd = -1;
	int r = hasher_new(algorithm, &i->hasher);
	if (r == 0)
		r = create_temporary(i);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(i);
	return 0;
}

int ingest_write(struct ingest *i, const void *data, size_t size)
{
	int r = hasher_update(i->hasher, data, size);

	return r < 0 ? r : write_exact(i->fd, data, size);
}

int ingest_copy(struct ingest *i, int fd, uint64_t offset, uint64_t size)
{
	_cleanup_free_ char *chunk = malloc(COPY_CHUNK);
	int r = chunk ? 0 : -ENOMEM;

	while (r == 0 && size > 0) {
		size_t part = size < COPY_CHUNK ? (size_t)size : COPY_CHUNK;
		r = pread_exact(fd, chunk, part, offset);
		if (r == 0)
			r = ingest_write(i, chunk, part);
		offset += part;
		size -= part;
	}
	return r;
}

/* Each directory that the path needs, and the entry of each new one made durable in its parent. */
static int make_parents(int tree, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(tree, copy, 0755) == 0) {
			int r = fsync_parent_at(tree, copy);
			if (r < 0)
				return r;
		} else if (errno != EEXIST) {
			return -errno;
		}
		*slash = '/';
	}
	return 0;
}

static int check_digest(struct ingest *i, const struct digest *expected, const char *path,
			struct diag *diag)
{
	char got[DIGEST_STRING_MAX], wanted[DIGEST_STRING_MAX];
	struct digest digest;
	int r = hasher_finish(i->hasher, &digest);

	if (r < 0 || !expected || digest_equal(expected, &digest))
		return r;
	return diag_set(diag, -EBADMSG, "%s: the content's digest is %s, not %s", path,
			digest_format(&digest, got), digest_format(expected, wanted));
}

int ingest_commit(struct ingest *i, const struct digest *expected, const char *path,
		  struct diag *diag)
{
	int r = check_digest(i, expected, path, diag);

	if (r < 0)
		return r;
	if (fsync(i->fd) < 0)
		return diag_set(diag, -errno, "%s: cannot make it durable: %s", path,
				strerror(errno));
	r = make_parents(i->tree, path);
	if (r == 0 && renameat(i->tree, i->name, i->tree, path) < 0)
		r = -errno;
	if (r < 0)
		return diag_set(diag, r, "%s: cannot give it its name: %s", path, strerror(-r));
	i->name[0] = '\0';
	return fsync_parent_at(i->tree, path);
}

int ingest_clean(int tree)
{
	_cleanup_closedir_ DIR *d = opendir_at(tree, NAME_INCOMING_DIR, O_NOFOLLOW);
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		_cleanup_close_ int fd =
			openat(dirfd(d), e->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		    unlinkat(dirfd(d), e->d_name, 0) < 0)
			r = -errno;
	}
	return r;
}
