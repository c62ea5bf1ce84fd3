/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/loop.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define CONTROL_PATH "/dev/loop-control"
#define ATTEMPTS_MAX 64 /* other programs may take the device that we were told is free */

/* One try with the device that is free now. -EBUSY: somebody was faster. */
static int attach_free(int control, int file, int *ret_fd, char path[static LOOP_PATH_MAX])
{
	int number = ioctl(control, LOOP_CTL_GET_FREE);
	const struct loop_config config = {
		.fd = (uint32_t)file,
		.info = { .lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR },
	};

	if (number < 0)
		return -errno;
	snprintf(path, LOOP_PATH_MAX, "/dev/loop%d", number);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENXIO ? -EBUSY : -errno;
	if (ioctl(fd, LOOP_CONFIGURE, &config) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int loop_attach(int file, int *ret_fd, char ret_path[static LOOP_PATH_MAX])
{
	_cleanup_close_ int control = open(CONTROL_PATH, O_RDWR | O_CLOEXEC);
	int r = -EBUSY;

	if (control < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	(void)posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
	(void)posix_fadvise(file, 0, 0, POSIX_FADV_NOREUSE);
	for (int i = 0; i < ATTEMPTS_MAX && r == -EBUSY; i++)
		r = attach_free(control, file, ret_fd, ret_path);
	return r;
}

int loop_backing(dev_t device, dev_t *ret_dev, ino_t *ret_ino)
{
	char path[LOOP_PATH_MAX];
	struct loop_info64 info;

	snprintf(path, sizeof(path), "/dev/loop%u", minor(device));
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return -errno;
	*ret_dev = (dev_t)info.lo_device;
	*ret_ino = (ino_t)info.lo_inode;
	return 0;
}
