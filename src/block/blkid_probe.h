/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_BLKID_PROBE_H
#define LARDER_BLOCK_BLKID_PROBE_H
/*
 * Inside of block/probe.h: one look at one range of bytes with libblkid.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define PROBED_PARTITIONS_MAX 1024

struct probed_partition {
	uint64_t offset, size;	   /* bytes, from the start of the disk */
	uint64_t number;	   /* from 1 */
	char *uuid, *type, *label; /* NULL: none */
};

struct probed {
	char *name; /* filesystem, else table; NULL: nothing that libblkid knows */
	char *uuid; /* of what name says */
	char *label;
	uint64_t block_size, filesystem_block_size, filesystem_size; /* 0: not known */
	struct probed_partition *partitions;			     /* by offset */
	size_t n_partitions;
};

/*
 * Looks at size bytes of fd from offset on; size 0 is all of it. With partitions set, the table is read as well. Finding
 * nothing is success. -EBADMSG: signatures that contradict each other.
 */
int blkid_look(int fd, uint64_t offset, uint64_t size, int partitions, struct probed *ret);
void probed_done(struct probed *p);
#define _cleanup_probed_ _cleanup_(probed_done)

#endif
