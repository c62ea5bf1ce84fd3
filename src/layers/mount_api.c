/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/mount_api.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_MESSAGE_MAX 512

/* glibc before 2.36 has no wrappers, and musl none. */
static int sys_fsopen(const char *fstype)
{
	long fd = syscall(SYS_fsopen, fstype, FSOPEN_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static int sys_fsconfig(int fs, unsigned command, const char *key, const char *value)
{
	return syscall(SYS_fsconfig, fs, command, key, value, 0) < 0 ? -errno : 0;
}

static int sys_fsmount(int fs)
{
	unsigned attributes =
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	long fd = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);

	return fd < 0 ? -errno : (int)fd;
}

/* The context's own words ("e squashfs: …"), which say more than errno. */
static int explain(int fs, int err, const char *what, struct diag *diag)
{
	char text[KERNEL_MESSAGE_MAX];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	if (n <= 2)
		return diag_set(diag, err, "%s: %s", what, strerror(-err));
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return diag_set(diag, err, "%s: %s (%s)", what, strerror(-err), text + 2);
}

int mount_detached(const char *fstype, const char *device, int *ret, struct diag *diag)
{
	_cleanup_close_ int fs = sys_fsopen(fstype);

	if (fs == -ENODEV)
		return diag_set(diag, fs, "this kernel cannot mount %s", fstype);
	if (fs < 0)
		return fs == -EPERM ? diag_set(diag, fs, "mounting is not allowed") : fs;
	int r = sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", device);
	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL);
	if (r == 0)
		r = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (r < 0)
		return explain(fs, r == -ENOSYS ? -EIO : r, "the kernel does not mount it", diag);
	int mount = sys_fsmount(fs);
	if (mount < 0)
		return mount;
	*ret = mount;
	return 0;
}

int mount_attach(int mount, const char *target, struct diag *diag)
{
	if (syscall(SYS_move_mount, mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return diag_set(diag, -errno, "%s: cannot mount there: %s", target,
				strerror(errno));
	return 0;
}

int mount_classic(const char *fstype, const char *device, const char *target, const char *options,
		  struct diag *diag)
{
	if (mount(device, target, fstype, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, options) <
	    0)
		return diag_set(diag, -errno, "the kernel does not mount it: %s", strerror(errno));
	return 0;
}

int unmount(const char *target)
{
	int r = 0;

	if (umount2(target, UMOUNT_NOFOLLOW) < 0) {
		if (errno == EINVAL || errno == ENOENT) /* not mounted */
			r = 0;
		else if (errno != EBUSY)
			return -errno;
		else
			r = umount2(target, UMOUNT_NOFOLLOW | MNT_DETACH) < 0 ? -errno : -EBUSY;
	}
	(void)rmdir(target);
	return r;
}

/* Who opens a loop device or asks for a filesystem waits for its module. */
static void *load_modules(void *unused)
{
	static const char *const filesystems[] = { "ext4", "squashfs", "overlay" };

	close_fd(open("/dev/loop-control", O_RDONLY | O_CLOEXEC));
	for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++)
		close_fd(sys_fsopen(filesystems[i]));
	return unused;
}

void mount_load_ahead(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;

	if (pthread_attr_init(&attributes) != 0)
		return;
	sigfillset(&all);
	/* Signals are for the caller. The thread is never waited for: it ends with the process at the latest. */
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	(void)!pthread_create(&thread, &attributes, load_modules, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
}

int mounts_now(struct mounts *ret)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -errno : mounts_read(root, ret);
}
