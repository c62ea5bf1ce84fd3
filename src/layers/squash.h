/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_SQUASH_H
#define LARDER_LAYERS_SQUASH_H
/*
 * Lays out a squashfs 4.0 image of files whose sizes are known, before a byte of them is read: what lies in front of their data, and
 * what lies behind. So an image can be written from front to back, and its sum be made on the way; a program that packs what it is
 * given writes the front last.
 *
 *	_cleanup_(squash_freep) struct squash *s = NULL;
 *	r = squash_new(block_size, time, &s);
 *	r = squash_add_file(s, "blob/sha256-…", size);      in the order of their data
 *	r = squash_add_link(s, "reference/…", "digest/…");
 *	r = squash_lay_out(s, &parts);
 *	write(head), the data of each file, nothing between them, write(tail)
 *
 * Data is stored as it is, each file in one piece, nothing left out for holes or duplicates; the tables are compressed as gzip does, which
 * every kernel that has squashfs can read, and which needs 44 KiB for each mount and processor (zstd: 1.5 MiB). Files have mode 0444,
 * directories 0755, all are root's. The same input gives the same bytes.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct squash;

struct squash_parts {
	void *head, *tail;
	size_t head_size, tail_size;
	uint64_t data_size; /* bytes between them */
};
void squash_parts_done(struct squash_parts *p);

/* block_size: bytes, a power of 2 from 4 KiB to 1 MiB. time: seconds since 1970, of every file; the format has 32 bits without a sign: -ERANGE. */
int squash_new(uint32_t block_size, int64_t time, struct squash **ret);
void squash_free(struct squash *s);
DEFINE_CLEANUP(struct squash *, squash_free);

/* Paths are relative, without "." or ".."; directories come by themselves. Both copy their strings. */
int squash_add_file(struct squash *s, const char *path, uint64_t size);
/* One more name of a file that is added, sooner or later. */
int squash_add_link(struct squash *s, const char *path, const char *file);

/* Once. -EEXIST: a name is there twice, or is a file's and a directory's; -ENOENT: a link leads to no file; -EOVERFLOW: more than the format holds. */
int squash_lay_out(struct squash *s, struct squash_parts *ret);

#endif
