/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_BLANK_H
#define LARDER_BLOCK_BLANK_H
/*
 * Proof that nobody's data would be overwritten: what libblkid recognises in a range, and whether the ends of a disk are zero.
 * Reading only. Works on block devices and on image files.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

#define BLANK_END_BYTES (1024 * 1024) /* this much at either end must be zero */
#define SIGNATURES_MAX	16	      /* named in one message */

enum signature_chains {
	SIGNATURE_CONTENT = 1, /* filesystems, RAID members, LVM, LUKS, swap … */
	SIGNATURE_TABLES = 2,  /* partition tables */
	SIGNATURE_ALL = 3,
};

/*
 * Everything libblkid recognises (also with bad checksums) in size bytes from offset, as if the range were a device of its
 * own. ret_found (owned by the caller): "ext4 filesystem \"root\", dos partition table"; NULL: nothing.
 */
int signature_find(int fd, uint64_t offset, uint64_t size, unsigned sector_size,
		   enum signature_chains chains, char **ret_found, struct diag *diag);

enum blankness {
	BLANK_ZERO, /* no signature; first and last MiB are zero */
	BLANK_UNFINISHED, /* as above, but for parts of a new table with the sole partition IMAGECACHE.new */
	BLANK_NOT,
};

/*
 * ret_found (owned by the caller, set for BLANK_NOT): what is there. BLANK_UNFINISHED is what a power cut leaves while
 * a new table is written, in libfdisk's order: the backup's entries, its header, the primary's entries, its header; the protective
 * MBR comes last and makes it a normal table.
 */
int blank_prove(int fd, unsigned sector_size, uint64_t size, enum blankness *ret, char **ret_found,
		struct diag *diag);

#endif
