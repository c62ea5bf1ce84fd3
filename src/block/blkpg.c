/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/blkpg.h"

#include <fcntl.h>
#include <linux/blkpg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/text.h"

#define SYSFS_NUMBER_MAX 4096 /* what sysfs says every attribute has */
#define SYSFS_SECTOR	 512ULL

static int open_sysfs(const char *root, unsigned major, unsigned minor, const char *below)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u%s", major, minor, below);
	_cleanup_free_ char *joined = path_join(root, path);
	if (!joined)
		return -ENOMEM;
	int fd = open(joined, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_number(int dir, const char *name, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	char *end;
	int r = read_file_at(dir, name, SYSFS_NUMBER_MAX, &text, NULL);

	if (r < 0)
		return r;
	errno = 0;
	uint64_t value = strtoull(text, &end, 10);
	if (errno || end == text || (*end && *end != '\n'))
		return -EBADMSG;
	*ret = value;
	return 0;
}

static int read_device_number(int dir, struct kernel_partition *p)
{
	_cleanup_free_ char *text = NULL;
	int r = read_file_at(dir, "dev", SYSFS_NUMBER_MAX, &text, NULL);

	if (r < 0)
		return r;
	return sscanf(text, "%u:%u", &p->major, &p->minor) == 2 ? 0 : -EBADMSG;
}

/* 1: name below disk is a partition and *ret is filled; 0: it is something else, or is gone again. */
static int read_partition(int disk, const char *name, struct kernel_partition *ret)
{
	_cleanup_close_ int dir = openat(disk, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t number, start, size;

	if (dir < 0 || read_number(dir, "partition", &number) < 0 ||
	    strlen(name) >= sizeof(ret->name))
		return 0;
	int r = read_number(dir, "start", &start);
	if (r == 0)
		r = read_number(dir, "size", &size);
	if (r == 0)
		r = read_device_number(dir, ret);
	if (r < 0)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	ret->number = (unsigned)number;
	ret->start = start * SYSFS_SECTOR;
	ret->size = size * SYSFS_SECTOR;
	strcpy(ret->name, name);
	return 1;
}

static int collect(int disk, struct kernel_partition **ret, size_t *ret_n)
{
	_cleanup_free_ struct kernel_partition *list = NULL;
	_cleanup_closedir_ DIR *d = opendir_at(disk, ".", 0);
	size_t n = 0;

	if (!d)
		return -errno;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		struct kernel_partition p;
		int r = *e->d_name == '.' ? 0 : read_partition(disk, e->d_name, &p);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		if (n == KERNEL_PARTITIONS_MAX)
			return -E2BIG;
		struct kernel_partition *larger = realloc(list, (n + 1) * sizeof(*list));
		if (!larger)
			return -ENOMEM;
		list = larger;
		list[n++] = p;
	}
	*ret = TAKE_PTR(list);
	*ret_n = n;
	return 0;
}

int kernel_partitions_read(const char *root, unsigned major, unsigned minor,
			   struct kernel_partition **ret, size_t *ret_n, struct diag *diag)
{
	_cleanup_close_ int disk = open_sysfs(root, major, minor, "");
	int r = disk < 0 ? disk : collect(disk, ret, ret_n);

	if (r < 0)
		return diag_set(diag, r, "cannot read the kernel's partitions of %u:%u: %s", major,
				minor, strerror(-r));
	return 0;
}

int holders_read(const char *root, unsigned major, unsigned minor, char **ret)
{
	_cleanup_close_ int dir = open_sysfs(root, major, minor, "/holders");
	_cleanup_free_ char *joined = NULL;

	if (dir < 0 && dir != -ENOENT)
		return dir;
	_cleanup_closedir_ DIR *d = dir < 0 ? NULL : opendir_at(dir, ".", 0);
	if (dir >= 0 && !d)
		return -errno;
	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		char *more = NULL;
		if (*e->d_name == '.')
			continue;
		more = text_format("%s%s%s", joined ? joined : "", joined ? ", " : "", e->d_name);
		if (!more)
			return -ENOMEM;
		free(joined);
		joined = more;
	}
	*ret = TAKE_PTR(joined);
	return 0;
}

bool partition_carries(const struct kernel_partition *p, dev_t device)
{
	char slave[64 + sizeof(p->name)];

	if (device == makedev(p->major, p->minor))
		return true;
	snprintf(slave, sizeof(slave), "/sys/dev/block/%u:%u/slaves/%s", major(device),
		 minor(device), p->name);
	return access(slave, F_OK) == 0;
}

static int blkpg(int fd, int op, unsigned number, uint64_t start, uint64_t size)
{
	struct blkpg_partition p = {
		.start = (long long)start,
		.length = (long long)size,
		.pno = (int)number,
	};
	struct blkpg_ioctl_arg arg = { .op = op, .datalen = sizeof(p), .data = &p };

	return ioctl(fd, BLKPG, &arg) < 0 ? -errno : 0;
}

/* 1: there, as *ret; 0: not there. */
static int find_number(unsigned major, unsigned minor, unsigned number,
		       struct kernel_partition *ret, struct diag *diag)
{
	_cleanup_free_ struct kernel_partition *list = NULL;
	size_t n = 0;
	int r = kernel_partitions_read(NULL, major, minor, &list, &n, diag);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (list[i].number == number) {
			*ret = list[i];
			return 1;
		}
	}
	return 0;
}

/* There with that place; what differs is said. */
static int expect(unsigned major, unsigned minor, unsigned number, uint64_t start, uint64_t size,
		  struct kernel_partition *ret, struct diag *diag)
{
	struct kernel_partition p;
	int r = find_number(major, minor, number, &p, diag);

	if (r < 0)
		return r;
	if (r == 0)
		return diag_set(diag, -ENODEV,
				"the kernel shows no partition %u; restart the machine", number);
	if (p.start != start || p.size != size)
		return diag_set(
			diag, -EBUSY,
			"the kernel has a partition %u of %llu bytes at byte %llu where the table says %llu bytes at byte %llu; take it away with delpart(8), or restart the machine",
			number, (unsigned long long)p.size, (unsigned long long)p.start,
			(unsigned long long)size, (unsigned long long)start);
	*ret = p;
	return 0;
}

int partition_announce(int fd, unsigned major, unsigned minor, unsigned number, uint64_t start,
		       uint64_t size, struct kernel_partition *ret, struct diag *diag)
{
	struct kernel_partition p;
	int op = BLKPG_ADD_PARTITION;
	int r = find_number(major, minor, number, &p, diag);

	if (r < 0)
		return r;
	if (r > 0) {
		if (p.start != start || p.size >= size)
			return expect(major, minor, number, start, size, ret, diag);
		op = BLKPG_RESIZE_PARTITION;
	}
	r = blkpg(fd, op, number, start, size);
	/* Busy: it may be there already, since udevd was faster. */
	int there = r == -EBUSY ? find_number(major, minor, number, &p, diag) : 0;
	if (there < 0)
		return there;
	if (r < 0 && there == 0)
		return diag_set(diag, r, "the kernel does not take partition %u (BLKPG): %s%s",
				number, strerror(-r),
				r == -EBUSY ? "; what uses its place, lsblk(8) may show; else "
					      "restart the machine"
					    : "");
	return expect(major, minor, number, start, size, ret, diag);
}

int partition_forget(int fd, unsigned number, struct diag *diag)
{
	int r = blkpg(fd, BLKPG_DEL_PARTITION, number, 0, 0);

	if (r < 0 && r != -ENXIO)
		return diag_set(
			diag, r,
			"the kernel does not let go of partition %u: %s; end what uses it, which lsblk(8) may show",
			number, strerror(-r));
	return 0;
}

int partition_open(const struct kernel_partition *p, int flags, char **ret_path, struct diag *diag)
{
	_cleanup_free_ char *path = path_join("/dev", p->name);
	struct stat st;

	if (!path)
		return -ENOMEM;
	for (char *c = path; *c; c++)
		if (*c == '!') /* how sysfs writes a slash */
			*c = '/';
	_cleanup_close_ int fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return diag_set(diag, -errno, "cannot open %s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode) || st.st_rdev != makedev(p->major, p->minor))
		return diag_set(diag, -ENODEV,
				"%s is not the partition %u:%u; let udev settle, and try again",
				path, p->major, p->minor);
	if (ret_path)
		*ret_path = TAKE_PTR(path);
	return TAKE_FD(fd);
}
