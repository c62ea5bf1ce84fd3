/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_INSPECT_H
#define LARDER_VOLUME_INSPECT_H
/*
 * What is on a disk, as far as it decides whether the volume is there or may be made there. Reads only; plans are made from
 * inspections (volume/plan.h), so that a plan can be made, printed and tested without a disk.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "block/blkpg.h"
#include "block/format.h"
#include "block/table.h"
#include "volume/layout.h"

#define DISK_SIZE_LEAST (4 * 1024 * 1024ULL) /* less cannot hold a GPT and an aligned partition */

enum disk_content {
	DISK_FOREIGN, /* in use, or not understood: nothing may be written */
	DISK_BLANK,   /* a new table may be written */
	DISK_GPT,     /* the volume may be here; whether a partition may be added says can_add */
};

struct free_range {
	struct range range;
	char *found; /* a signature at its ends; NULL: free to use */
};

/* What the volume's partition holds. */
struct volume_content {
	int error;	/* negative errno: it could not be read */
	bool encrypted; /* LUKS; what is in it is not known */
	struct ext4_state ext4;
};

struct inspection {
	enum disk_content content;
	char *words; /* what was found. DISK_FOREIGN: always; DISK_GPT: why nothing can be added, or what is odd */
	bool can_add; /* DISK_GPT: in a free range */
	bool repair;  /* the primary copy must be written anew (a power cut while larder wrote) */
	uint64_t size;
	unsigned sector_size;
	uint64_t grain; /* alignment of new partitions, bytes */
	struct gpt gpt;
	bool from_backup;		 /* the backup copy of gpt counts */
	struct kernel_partition *kernel; /* by number */
	size_t n_kernel;
	struct free_range *ranges; /* aligned to grain, lowest first */
	size_t n_ranges;
	struct volume_content
		volume; /* of the first partition IMAGECACHE; all zero: there is none */
};

struct inspection_target {
	int fd;		      /* open for reading */
	bool image;	      /* a regular file: no kernel to ask */
	unsigned sector_size; /* of an image; a device knows its own */
	uint64_t io_size;     /* optimal I/O size, a power of two; 0: unknown */
	bool grow; /* may a volume that is there grow? Else the free ranges beside it are of no use, and not looked at. */
};

/* -EIO and the like with diag when the disk cannot be read; everything that is odd about its content is in *ret. */
int inspect_disk(const struct inspection_target *target, struct inspection *ret, struct diag *diag);
void inspection_done(struct inspection *i);
#define _cleanup_inspection_ _cleanup_(inspection_done)

/* The copy of the table that counts; NULL: there is no usable table. */
const struct gpt_copy *inspection_table(const struct inspection *i);

/*
 * Names of the partitions that the kernel has and the table has not, or has elsewhere ("sda7, sda8"): it was changed, and not read
 * again. *ret is the caller's; NULL: none.
 */
int inspection_stale(const struct inspection *i, char **ret);

/* The lowest partition number that neither the table nor the kernel uses; 0: none is left. */
unsigned inspection_free_number(const struct inspection *i);

#endif
