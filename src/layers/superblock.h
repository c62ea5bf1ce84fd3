/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_SUPERBLOCK_H
#define LARDER_LAYERS_SUPERBLOCK_H
/*
 * The first 96 bytes of a squashfs 4.0 image (Documentation/filesystems/squashfs.rst of the kernel), read before the kernel gets
 * the image: a truncated file gets a clear message, and what no cache layer needs is refused.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

#define SQUASHFS_SUPERBLOCK_SIZE 96

/*
 * -EINVAL with diag: no squashfs 4.0, or its fields contradict each other, or it is longer than file_size (truncated), or it
 * holds extended attributes, which overlay would obey.
 */
int superblock_check(const uint8_t bytes[static SQUASHFS_SUPERBLOCK_SIZE], uint64_t file_size,
		     struct diag *diag);

/* The same of the file that is open as fd. Others with diag: it cannot be read. */
int superblock_read(int fd, uint64_t file_size, struct diag *diag);

#endif
