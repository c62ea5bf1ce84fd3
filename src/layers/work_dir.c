/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/work_dir.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"

#define PREFIX	  ".larder-build."
#define TRIES_MAX 16

/* The directory that path lies in, with its slash; "" is the working directory. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strndup(path, slash ? (size_t)(slash - path + 1) : 0);
}

static void remove_if_dead(int dir, const char *name)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)remove_tree_at(dir, name);
}

static void clean_dead(const char *directory)
{
	_cleanup_closedir_ DIR *d = opendir(*directory ? directory : ".");

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		if (text_starts_with(e->d_name, PREFIX))
			remove_if_dead(dirfd(d), e->d_name);
}

/* -EAGAIN: another build took it for a dead one before it was locked. */
static int make_locked(char *path, int *ret_lock)
{
	struct stat st;

	if (!mkdtemp(path))
		return -errno;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return -EAGAIN;
	*ret_lock = TAKE_FD(fd);
	return 0;
}

int work_dir_make(const char *output, char **ret_path, int *ret_lock, struct diag *diag)
{
	_cleanup_free_ char *directory = directory_of(output);
	int r = directory ? mkdir_parents_at(AT_FDCWD, output, 0755) : -ENOMEM;

	if (r < 0)
		return diag_set(diag, r, "cannot make the directory of %s: %s", output,
				strerror(-r));
	clean_dead(directory);
	r = -EAGAIN;
	for (int i = 0; r == -EAGAIN && i < TRIES_MAX; i++) {
		_cleanup_free_ char *path = text_format("%s" PREFIX "XXXXXX", directory);
		if (!path)
			return -ENOMEM;
		r = make_locked(path, ret_lock);
		if (r == 0)
			*ret_path = TAKE_PTR(path);
	}
	return r < 0 ? diag_set(diag, r, "cannot write beside %s: %s", output, strerror(-r)) : 0;
}
