/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_BLKPG_H
#define LARDER_BLOCK_BLKPG_H
/*
 * The kernel's view of a disk's partitions, told one partition at a time (BLKPG), never by re-reading the whole table:
 * that would fail on a disk in use, and some kernels have no partition parser at all. What was told is then looked up in
 * /sys: the ioctl's answer alone is not believed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/diag.h"

struct kernel_partition {
	unsigned number;      /* from 1 */
	uint64_t start, size; /* bytes */
	unsigned major, minor;
	char name[32]; /* "loop0p1" */
};

#define KERNEL_PARTITIONS_MAX 1024

/* Partitions of the disk major:minor, in no order; *ret is owned by the caller. root: prefix of /sys; NULL: none. */
int kernel_partitions_read(const char *root, unsigned major, unsigned minor,
			   struct kernel_partition **ret, size_t *ret_n, struct diag *diag);

/* Names in the holders/ directory of a disk ("dm-0"), joined by commas; *ret is NULL if there are none. */
int holders_read(const char *root, unsigned major, unsigned minor, char **ret);

/* Is p that device, or what a mapped device is made of? */
bool partition_carries(const struct kernel_partition *p, dev_t device);

/*
 * Makes the kernel have that partition of the disk open as fd (major:minor): it is there with the same start and size, or is
 * added, or grown. -EBUSY: another partition of that number or place is there.
 */
int partition_announce(int fd, unsigned major, unsigned minor, unsigned number, uint64_t start,
		       uint64_t size, struct kernel_partition *ret, struct diag *diag);

/* Makes the kernel forget it; 0 if it does not know it. */
int partition_forget(int fd, unsigned number, struct diag *diag);

/* Opens the partition's node in /dev; -ENODEV if what is there is another device. ret_path (owned by the caller) may be NULL. */
int partition_open(const struct kernel_partition *p, int flags, char **ret_path, struct diag *diag);

#endif
