/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_SYS_PARTITIONS_H
#define LARDER_BLOCK_SYS_PARTITIONS_H
/*
 * Inside of block/probe.h: the partitions of a disk that the kernel knows, as /sys shows them.
 */
#include <stdbool.h>

#include "block/disk.h"

/* A partition as the kernel knows it. */
struct sys_partition {
	char *name;	/* "sda1" */
	char *dev_path; /* "/dev/sda1" */
	char *label;	/* PARTNAME of its uevent; may be NULL */
	char *uuid;	/* PARTUUID, from Linux 6.10; may be NULL */
	uint64_t offset, size, number;
	bool listed;
};

struct sys_partitions {
	struct sys_partition *items;
	size_t n_items;
};

/* By offset. 0 or -ENOMEM; whatever it returns, sys_partitions_done() frees. root as a descriptor. */
int sys_partitions_read(int root, const struct disk *disk, struct sys_partitions *k);
void sys_partitions_done(struct sys_partitions *k);

#endif
