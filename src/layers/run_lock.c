/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/run_lock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/io.h"

static int not_allowed(const char *path, int err, struct diag *diag)
{
	bool other_user = (err == -EACCES || err == -EPERM) && geteuid() != 0;

	return diag_set(diag, err, "%s: %s%s", path, strerror(-err),
			other_user ? "; layers and images are for root to look at: run this as root"
				   : "");
}

/* The request with its run directory as /proc/self/mountinfo would write it; made if it is not there. */
static int settle_run_dir(const struct layers_request *request, struct layers_request *ret,
			  char **ret_run_dir, struct diag *diag)
{
	int r = mkdir_all_at(AT_FDCWD, request->run_dir, 0755);
	char *real = r == 0 ? realpath(request->run_dir, NULL) : NULL;

	if (!real)
		return not_allowed(request->run_dir, r < 0 ? r : -errno, diag);
	*ret = *request;
	ret->run_dir = real;
	*ret_run_dir = real;
	return 0;
}

static int wait_for_lock(int fd)
{
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int wait_for_lock_within(int fd, const char *path, unsigned ms, struct diag *diag)
{
	int r = lock_within(fd, ms);

	return r == -ETIMEDOUT ? diag_set(diag, r,
					  "another larder command mounts or copies since at least "
					  "%u s and holds %s; end it (fuser -v names it), then try "
					  "again",
					  ms / 1000, path)
			       : r;
}

int run_lock_within(const struct layers_request *request, unsigned ms, struct layers_request *ret,
		    char **ret_run_dir, int *ret_lock, struct diag *diag)
{
	int r = settle_run_dir(request, ret, ret_run_dir, diag);
	_cleanup_free_ char *path = r < 0 ? NULL : path_join(*ret_run_dir, "lock");

	if (r < 0)
		return r;
	if (!path)
		return -ENOMEM;
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return not_allowed(path, -errno, diag);
	r = ms ? wait_for_lock_within(fd, path, ms, diag) : wait_for_lock(fd);
	if (r < 0)
		return r;
	*ret_lock = TAKE_FD(fd);
	return 0;
}

int run_lock(const struct layers_request *request, struct layers_request *ret, char **ret_run_dir,
	     int *ret_lock, struct diag *diag)
{
	return run_lock_within(request, 0, ret, ret_run_dir, ret_lock, diag);
}
