/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_MOUNTS_H
#define LARDER_BLOCK_MOUNTS_H
/*
 * The mounts of this process as /proc/self/mountinfo lists them (proc_pid_mountinfo(5)). Parsing is apart from reading.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

#define MOUNTS_MAX	 65536
#define MOUNTS_BYTES_MAX (16 * 1024 * 1024)

struct mount_entry {
	unsigned major, minor; /* major 0: no block device, see source and options */
	char *point;
	char *fstype;
	char *source;
	char *options; /* of the filesystem; commas and colons inside of names are still escaped */
};

struct mounts {
	struct mount_entry *entries; /* oldest first: the last one at a point covers the others */
	size_t n_entries;
};

/* Lines that are no mounts are left out. 0 or -ENOMEM. */
int mounts_parse(const char *text, struct mounts *ret);

/* What root/proc/self/mountinfo says; nothing readable is an empty list. root as a descriptor. */
int mounts_read(int root, struct mounts *ret);
void mounts_done(struct mounts *mounts);
#define _cleanup_mounts_ _cleanup_(mounts_done)

/* The block device that is mounted: by number, or by source where the filesystem hides it (btrfs); 0: none. */
dev_t mount_device(const struct mount_entry *mount);

/* The mount at exactly this point, or the one that this absolute path lies on. NULL: none. */
const struct mount_entry *mounts_at(const struct mounts *mounts, const char *point);
const struct mount_entry *mounts_holding(const struct mounts *mounts, const char *path);

/*
 * The directories of an overlay: every lowerdir, datadir and upperdir of its options, as a list (strv) owned by the caller.
 * 0 or -ENOMEM.
 */
int mount_overlay_dirs(const struct mount_entry *overlay, char ***ret);

#endif
