/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BASE_DISK_SEQUENCE_H
#define LARDER_BASE_DISK_SEQUENCE_H
/*
 * Which disk it is, or which medium in a drive. One may be made to look like another in all that it says of itself (inodes, sizes, times,
 * UUIDs), and is given its device number once that is gone; but the kernel counts them (since 5.15, /sys/block/sdb/diskseq).
 */
#include <stdint.h>
#include <sys/types.h>

/* Of the disk that a block device, or a partition, is on. 0: it is none, or the kernel does not count. */
uint64_t disk_sequence(dev_t device);

#endif
