/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_BEHIND_H
#define LARDER_BLOCK_BEHIND_H
/*
 * Inside of block/system_disk.h: from a device, a path or a mount down to the disks that hold it.
 *
 *	overlay → the mounts of its layers      btrfs → each of its devices        loop → the mount of its file
 *	partition → its disk                    dm, md, bcache → each of slaves/
 *
 * Every disk of the list on the way is marked, and so is each device in between whose disks count. A leaf counts
 * unless it is a CD, is read-only, or carries a medium's filesystem (iso9660, udf).
 */
#include "block/disk.h"
#include "block/mounts.h"

#define BEHIND_DEPTH_MAX 16    /* levels of devices and mounts */
#define BEHIND_STEPS_MAX 10000 /* devices looked at for one question */

struct behind {
	const char *prefix; /* root as in disk_list_read() */
	int root;
	bool real; /* no prefix: devices may be looked at */
	struct disk_list *list;
	const struct mounts *mounts;
	const char *way[BEHIND_DEPTH_MAX]; /* where we are: paths of devices, points of mounts */
	unsigned depth, steps;
};

/* Each marks disks of b->list (system_disk) and returns whether any counted. */
bool behind_device_number(struct behind *b, unsigned major, unsigned minor);
bool behind_device_path(struct behind *b, const char *dev_path);
bool behind_mount(struct behind *b, const struct mount_entry *mount);

#endif
