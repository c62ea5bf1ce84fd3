/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_FORMAT_H
#define LARDER_BLOCK_FORMAT_H
/*
 * The volume's filesystem, ext4, through e2fsprogs' programs. A filesystem lies on a partition's own device
 * (offset 0), or at an offset in an image file, so that neither loop devices nor root are needed for images.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

struct format_target {
	const char *path;
	uint64_t offset, size; /* bytes; offset 0: path is the partition itself */
};

struct format_options {
	const char *label;
	const char *uuid;      /* text */
	const char *directory; /* its tree is put into the new filesystem; NULL: none */
	/* Seconds since 1970 for all times in it, for equal images; NULL: now. A tree is then one of files and empty directories. */
	const char *epoch;
};

/* Makes an ext4 with a journal and no blocks reserved for root, and has it on the disk (fsync) when it returns. */
int format_ext4(const struct format_target *target, const struct format_options *options,
		struct diag *diag);

struct ext4_state {
	bool found;  /* is there an ext2/3/4 superblock? */
	bool errors; /* the kernel noted errors, or it was not unmounted and has no journal */
	bool needs_journal;			/* the journal must be replayed */
	uint64_t size;				/* bytes of the filesystem */
	uint32_t block_size;			/* bytes */
	uint32_t group_blocks, reserved_blocks; /* of a group; for its descriptors */
	uint64_t group_inodes;			/* bytes of a group's inodes */
	char label[17];
};

/* Reads the superblock at offset of fd. */
int ext4_read_state(int fd, uint64_t offset, struct ext4_state *ret, struct diag *diag);

/* Bytes that the filesystem would have when grown to room bytes; a last group that is too small for its own tables is left out. */
uint64_t ext4_size_in(const struct ext4_state *state, uint64_t room);

/*
 * e2fsck -p; "errors were fixed" is success. Not mounted. These two want a partition or a file of its own (offset 0): inside an
 * image e2fsck cannot replay a journal, and resize2fs cuts the file to the size of the filesystem.
 */
int ext4_check(const struct format_target *target, bool force, struct diag *diag);

/* Grows the filesystem to the size of its partition; also while it is mounted. */
int ext4_grow(const struct format_target *target, struct diag *diag);

#endif
