/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_DISK_H
#define LARDER_BLOCK_DISK_H
/*
 * Disks as they are: whole block devices found in /sys, with the fields that a selector sees. All reading goes through a root, so
 * that captured /sys and /dev trees are test data. Nothing is written.
 *
 * Each field is a file of /sys or more, and for some the kernel asks the disk. Who only wants to know which disk a selector matches reads
 * what it mentions, and then the rest of the disks that count:
 *
 *	disk_list_read(NULL, selector_disk_fields(selector), &disks, &diag);
 *	match_disks(selector, &disks, &matches);
 *	disk_complete(NULL, &disks.disks[i]);	// and match_disk() once more: that name may be another disk's by now
 */
#include "base/diag.h"
#include "cel/selector.h"

#define DISKS_MAX	   16384 /* more is -E2BIG: multipath multiplies */
#define DISK_ATTRIBUTE_MAX 4096	 /* bytes read of one sysfs attribute */

struct disk {
	struct disk_fields fields; /* point into this disk; what was not read is 0, "" or no list */
	uint64_t read;		   /* the set of fields that were; dev_path is never "" */
	char *name;		   /* kernel name: "nvme0n1" */
	unsigned major, minor;	   /* read with dev_path; else 0:0 */
	char *error; /* why it cannot be used (cannot be opened); NULL: it can, or it was not read whole */
	uint64_t sequence; /* base/disk_sequence.h; 0: not known, or it was not read whole */
	bool system_disk;  /* see block/system_disk.h */
	void *private_;
};

struct disk_list {
	struct disk *disks; /* natural order of the name */
	size_t n_disks;
};

/*
 * root: prefix of /sys, /dev, /proc and /run/udev; NULL is /. With a root no device is opened. fields: the set that is wanted of every
 * disk; size is always read. A disk that cannot be read is a row with error set, not a failure.
 */
int disk_list_read(const char *root, uint64_t fields, struct disk_list *ret, struct diag *diag);
void disk_list_done(struct disk_list *list);
#define _cleanup_disk_list_ _cleanup_(disk_list_done)

/* Was every field read, but perhaps for symlinks? */
static inline bool disk_is_whole(const struct disk *disk)
{
	return (disk->read | DISK_FIELDS(DISK_FIELD_SYMLINKS)) == DISK_FIELDS_ALL;
}

/*
 * Reads a disk of a list whole, unless it was; symlinks only if they were read before. All of it is read anew, since two halves may be of
 * two disks; one that is gone gets an error. system_disk stays. 0 or a negative errno.
 */
int disk_complete(const char *root, struct disk *disk);

/* Where the disk is in /sys: "/sys/devices/…/block/sda", of a disk that was read whole. Belongs to the disk. */
const char *disk_sys_path(const struct disk *disk);

/* The disk of that kernel name, device path, or one of its names in /dev/disk; NULL: none. */
const struct disk *disk_list_find(const struct disk_list *list, const char *name);

#endif
