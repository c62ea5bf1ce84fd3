/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_SYSTEM_DISK_H
#define LARDER_BLOCK_SYSTEM_DISK_H
/*
 * Which disk is the system disk. The first of these that answers:
 *
 *	1. install.disk, else install.diskSelector (the first disk that matches) of the machine config
 *	2. what "/" is on: through device-mapper, md, loop files, btrfs (every device) and overlay (every layer), down to the
 *	   disks, every member counted; unless that is a CD, a read-only disk or a live medium. In an
 *	   initramfs, where "/" is memory, what is mounted at /sysroot or /root
 *	3. root= of the kernel command line: /dev/…, UUID=, LABEL=, PARTUUID=, PARTLABEL=, MAJ:MIN
 *	4. the disk with a partition named META, as Talos makes it
 *
 * else there is none. Devices in between (dm-0 under "/") are marked as well: they are not free to be used either.
 */
#include "block/disk.h"
#include "config/machine_config.h"

/*
 * Sets system_disk in every disk of the list. ret_reason (may be NULL): in words, why ("/ is on it"); NULL if no disk is
 * the system disk; owned by the caller. root as in disk_list_read(). install may be NULL. The list has the fields of
 * system_disk_fields(); disks on the way are completed. 0 or -ENOMEM: not to know is not an error.
 */
int system_disk_find(const char *root, struct disk_list *list, const struct install_config *install,
		     char **ret_reason, struct diag *diag);

/* The fields of every disk that the answer needs: those of diskSelector, and symlinks for a name. install may be NULL. */
uint64_t system_disk_fields(const struct install_config *install);

#endif
