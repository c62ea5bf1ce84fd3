/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_PROBE_H
#define LARDER_BLOCK_PROBE_H
/*
 * Volumes as they are found: each disk itself, and each of its partitions, with the filesystem or table that libblkid sees on it. The
 * partition table is read from the disk, so that partitions are found where the kernel parses no tables and no udev
 * runs; those that only the kernel knows are listed, too. Devices are opened for reading only.
 *
 *	volume_list_read(NULL, &disks, &volumes, &diag);
 *	for each: selector_match(media, &v->disk->fields, &v->fields, v->disk->system_disk, …)
 *
 * name is libblkid's TYPE ("ext4", "vfat", "crypto_LUKS"), else the table's ("gpt", "dos"), else "". probed_size and
 * filesystem_block_size are 0 where libblkid does not say (before 2.39 it never says probed_size).
 */
#include "block/disk.h"

#define VOLUMES_MAX 65536

struct volume {
	struct volume_fields fields; /* point into this volume and its disk */
	const struct disk *disk;     /* in the list that was probed */
	bool in_kernel; /* fields.dev_path is there; false: a partition that the kernel was not told of */
	char *error; /* why it could not be probed: no permission, or signatures that contradict each other */
	void *private_;
};

struct volume_list {
	struct volume *volumes; /* each disk, in their order, then its partitions by offset */
	size_t n_volumes;
};

/*
 * Disks with an error and drives without a medium are left out. With a root no device is opened: then what /sys says
 * (partitions, their numbers, names and sizes) is all. disks were read whole, but perhaps for symlinks, and must outlive the result. -E2BIG: more than VOLUMES_MAX.
 */
int volume_list_read(const char *root, const struct disk_list *disks, struct volume_list *ret,
		     struct diag *diag);
void volume_list_done(struct volume_list *list);
#define _cleanup_volume_list_ _cleanup_(volume_list_done)

#endif
