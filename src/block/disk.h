/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_DISK_H
#define LARDER_BLOCK_DISK_H
/*
 * Disks as they are: whole block devices found in /sys, with every field that a selector sees. All reading goes through a root, so
 * that captured /sys and /dev trees are test data. Nothing is written.
 */
#include "base/diag.h"
#include "cel/selector.h"

#define DISKS_MAX	   16384 /* more is -E2BIG: multipath multiplies */
#define DISK_ATTRIBUTE_MAX 4096	 /* bytes read of one sysfs attribute */

struct disk {
	struct disk_fields fields; /* point into this disk */
	char *name;		   /* kernel name: "nvme0n1" */
	unsigned major, minor;
	char *error;	  /* why it cannot be used (cannot be opened); NULL: it can */
	bool system_disk; /* see block/system_disk.h */
	void *private_;
};

struct disk_list {
	struct disk *disks; /* natural order of the name */
	size_t n_disks;
};

/*
 * root: prefix of /sys, /dev, /proc and /run/udev; NULL is /. With a root no device is opened. A disk that cannot be read is a row
 * with error set, not a failure.
 */
int disk_list_read(const char *root, struct disk_list *ret, struct diag *diag);
void disk_list_done(struct disk_list *list);
#define _cleanup_disk_list_ _cleanup_(disk_list_done)

/* Where the disk is in /sys: "/sys/devices/…/block/sda". Belongs to the disk. */
const char *disk_sys_path(const struct disk *disk);

/* The disk of that kernel name, device path, or one of its names in /dev/disk; NULL: none. */
const struct disk *disk_list_find(const struct disk_list *list, const char *name);

#endif
