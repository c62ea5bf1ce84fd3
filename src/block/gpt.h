/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_GPT_H
#define LARDER_BLOCK_GPT_H
/*
 * Writing a GPT, with libfdisk: backup entries, backup header, primary entries, primary header, protective MBR, with an
 * fsync after each, so that at every moment one copy is whole. Each function makes exactly one change; entries of others keep
 * number, place and every attribute. libfdisk moves a backup that is not at the end there, and mends a damaged copy from the
 * other one.
 *
 * fd: the whole disk or an image, open for reading and writing; not closed here. path: only for messages.
 * All return -EINVAL with libfdisk's words when it refuses; nothing has been written then. Another errno is that of a write or
 * flush that failed: the order above then leaves what a power cut leaves.
 */
#include <stdint.h>

#include "base/diag.h"

struct gpt_device {
	int fd;
	const char *path;
	unsigned sector_size; /* for images; a block device knows its own */
};

struct gpt_new_entry {
	unsigned number; /* from 1 */
	uint64_t first, n_sectors;
	const char *name;
	const char *uuid; /* text; never NULL */
};

/* A new table (disk_uuid: text) with this one partition. The caller has proved the disk blank. */
int gpt_create(const struct gpt_device *device, const char *disk_uuid,
	       const struct gpt_new_entry *entry, struct diag *diag);

/* One more partition in an existing table. */
int gpt_add(const struct gpt_device *device, const struct gpt_new_entry *entry, struct diag *diag);

int gpt_rename(const struct gpt_device *device, unsigned number, const char *name,
	       struct diag *diag);

/* Moves the end; the start stays. */
int gpt_resize(const struct gpt_device *device, unsigned number, uint64_t n_sectors,
	       struct diag *diag);

int gpt_delete(const struct gpt_device *device, unsigned number, struct diag *diag);

/* Writes what libfdisk reads, unchanged: mends the copy that is damaged. */
int gpt_repair(const struct gpt_device *device, struct diag *diag);

#endif
