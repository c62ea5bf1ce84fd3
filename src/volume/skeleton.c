/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/skeleton.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "volume/mount.h"

struct skeleton {
	char *path;
};

void skeleton_done(struct skeleton *s)
{
	(void)remove_tree_at(AT_FDCWD, s->path);
	free(s->path);
	free(s);
}

const char *skeleton_path(const struct skeleton *s)
{
	return s->path;
}

/* The same time stamps on everything, so that the same seed gives the same image. That of the last change is left to format_ext4(). */
static int stamp(int dir, time_t when)
{
	const struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };
	_cleanup_closedir_ DIR *d = opendir_at(dir, ".", 0);

	if (!d)
		return -errno;
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		if (strcmp(e->d_name, "..") != 0 && strcmp(e->d_name, ".") != 0 &&
		    utimensat(dir, e->d_name, times, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	return futimens(dir, times) < 0 ? -errno : 0;
}

static int fill(const struct skeleton *s, const char *epoch, struct diag *diag)
{
	_cleanup_close_ int dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return -errno;
	if (fchmod(dir, 0755) < 0)
		return -errno;
	/* Who owns it is settled on the machine that mounts it, where the user larder is known. */
	int r = volume_prepare(dir, (struct store_owner){ geteuid(), getegid() }, diag);
	return r < 0 || !epoch ? r : stamp(dir, (time_t)strtoll(epoch, NULL, 10));
}

int skeleton_make(const char *epoch, struct skeleton **ret, struct diag *diag)
{
	const char *base = getenv("TMPDIR");
	_cleanup_free_ char *path =
		path_join(base && *base ? base : "/tmp", "larder-volume.XXXXXX");
	struct skeleton *s = calloc(1, sizeof(*s));

	if (!path || !s) {
		free(s);
		return -ENOMEM;
	}
	if (!mkdtemp(path)) {
		free(s);
		return diag_set(diag, -errno, "cannot make a temporary directory %s: %s", path,
				strerror(errno));
	}
	s->path = TAKE_PTR(path);
	int r = fill(s, epoch, diag);
	if (r < 0) {
		skeleton_done(s);
		return r;
	}
	*ret = s;
	return 0;
}
