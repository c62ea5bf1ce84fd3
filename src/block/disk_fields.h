/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_DISK_FIELDS_H
#define LARDER_BLOCK_DISK_FIELDS_H
/*
 * Inside of block/disk.h: reading what one disk says of itself. Each attribute is read once, relative to the disk's directory.
 */
#include "block/disk.h"
#include "block/links.h"

/* What a disk owns. The fields point into it; "" is static. */
struct disk_private {
	char *sys_path;
	char **texts;
	char **symlinks;
	char **secondary_disks;
};

/* Those that are made of where the disk is in /sys. */
#define DISK_FIELDS_OF_PATH                                                                        \
	(DISK_FIELDS(DISK_FIELD_BUS_PATH) | DISK_FIELDS(DISK_FIELD_SUB_SYSTEM) |                   \
	 DISK_FIELDS(DISK_FIELD_TRANSPORT))

/* What reading the disks of one machine needs. */
struct disk_reader {
	int root;
	bool real;		/* no prefix: devices are opened */
	uint64_t fields;	/* the set that is wanted */
	struct dev_links links; /* if symlinks are */
};

/*
 * Fills disk (whatever it held) from its directory, path from the root ("" if none of DISK_FIELDS_OF_PATH is wanted). Returns 1; 0 if
 * this is no disk to list; or -ENOMEM. Whatever it returns, disk_done() frees what disk holds.
 */
int disk_read(const struct disk_reader *reader, const char *name, int dir, const char *path,
	      struct disk *disk);
void disk_done(struct disk *disk);

#endif
