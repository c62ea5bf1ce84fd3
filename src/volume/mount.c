/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/mount.h"

#include <libmount/libmount.h>
#include <string.h>
#include <sys/mount.h>

#include "base/io.h"

typedef struct libmnt_context *context;
typedef struct libmnt_table *table;
DEFINE_CLEANUP(context, mnt_free_context);
DEFINE_CLEANUP(table, mnt_unref_table);

static int find(const char *path, bool *ret_mounted, dev_t *ret_device, char **ret_source)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	_cleanup_(mnt_unref_tablep) table mounts = mnt_new_table();

	*ret_mounted = false;
	if (!real)
		return errno == ENOENT ? 0 : -errno;
	if (!mounts)
		return -ENOMEM;
	int r = mnt_table_parse_mtab(mounts, "/proc/self/mountinfo");
	if (r < 0)
		return r;
	/* Backwards: the topmost of several. */
	struct libmnt_fs *fs = mnt_table_find_target(mounts, real, MNT_ITER_BACKWARD);
	if (!fs)
		return 0;
	*ret_mounted = true;
	*ret_device = mnt_fs_get_devno(fs);
	if (ret_source && mnt_fs_get_source(fs)) {
		*ret_source = strdup(mnt_fs_get_source(fs));
		return *ret_source ? 0 : -ENOMEM;
	}
	return 0;
}

int mount_find(const char *path, bool *ret_mounted, dev_t *ret_device, char **ret_source,
	       struct diag *diag)
{
	int r = find(path, ret_mounted, ret_device, ret_source);

	if (r < 0)
		return diag_set(diag, r, "cannot look for a mount at %s: %s", path, strerror(-r));
	return 0;
}

int mount_volume(const char *source, const char *path, enum mount_how how, struct diag *diag)
{
	static const char *const options[] = {
		[MOUNT_WRITABLE] = "nosuid,nodev,noexec",
		[MOUNT_READ_ONLY] = "nosuid,nodev,noexec,ro",
		[MOUNT_UNRECOVERED] = "nosuid,nodev,noexec,ro,noload",
	};
	_cleanup_(mnt_free_contextp) context cxt = mnt_new_context();
	char words[BUFSIZ];

	if (!cxt)
		return -ENOMEM;
	if (mnt_context_set_source(cxt, source) < 0 || mnt_context_set_target(cxt, path) < 0 ||
	    mnt_context_set_fstype(cxt, "ext4") < 0 ||
	    mnt_context_set_options(cxt, options[how]) < 0)
		return -ENOMEM;
	int r = mnt_context_mount(cxt);
	if (mnt_context_get_excode(cxt, r, words, sizeof(words)) == 0)
		return 0;
	r = mnt_context_syscall_called(cxt) ? -mnt_context_get_syscall_errno(cxt)
	    : r < 0			    ? r
					    : -EIO;
	if (r >= 0)
		r = -EIO;
	else if (r == -EINVAL) /* of what is on the disk, not of the config */
		r = -EUCLEAN;
	return diag_set(diag, r, "cannot mount %s at %s: %s", source, path, words);
}

int unmount_volume(const char *path, struct diag *diag)
{
	bool mounted;
	dev_t device;
	int r = mount_find(path, &mounted, &device, NULL, diag);

	if (r < 0 || !mounted)
		return r;
	_cleanup_free_ char *real = realpath(path, NULL);
	if (real && umount2(real, UMOUNT_NOFOLLOW) == 0)
		return 0;
	return diag_set(diag, -errno, "cannot unmount %s: %s%s", path, strerror(errno),
			errno == EBUSY ? "; end what uses it, which fuser(1) -m shows" : "");
}
