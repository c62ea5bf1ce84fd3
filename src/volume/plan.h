/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_PLAN_H
#define LARDER_VOLUME_PLAN_H
/*
 * What will be done about the volume: decided from inspections alone, so that the same disks always give the same plan,
 * and that it can be printed before anything is written.
 *
 *	disks (natural order) → is IMAGECACHE there? → is IMAGECACHE.new there? → the first disk with room
 *
 * Only disks that the selector matches count. Every disk gets a verdict: taken, or the reason why not.
 */
#include "config/machine_config.h"
#include "volume/inspect.h"

struct volume_candidate {
	const char *path; /* "/dev/sda", or the image file */
	bool matched;
	const char *no_match; /* why it is not matched or cannot be used; NULL if matched */
	bool read_only;	      /* nothing can be written to it: a finished volume on it is used */
	struct inspection inspection; /* only if matched */
};

enum volume_action {
	VOLUME_NONE,   /* no disk will do */
	VOLUME_USE,    /* IMAGECACHE is there */
	VOLUME_FINISH, /* IMAGECACHE.new is there: format it and give it its name */
	VOLUME_ADD,    /* one more partition in a table */
	VOLUME_CREATE, /* a new table */
};

struct volume_verdict {
	char *disk;
	bool matched;
	bool taken;
	char *reason; /* also for the one that is taken */
};

struct volume_plan {
	enum volume_action action;
	size_t disk;	      /* index of the candidate; only if action is not VOLUME_NONE */
	unsigned number;      /* of the partition, from 1 */
	uint64_t start, size; /* bytes; as it is, or as it will be made */
	uint64_t grow_to;     /* bytes; 0: it stays as it is */
	bool repair;	      /* the primary GPT is mended first */
	bool check;	      /* the filesystem is repaired before it is mounted */
	bool grow_filesystem; /* to the partition's size */
	bool read_only;	      /* the volume is used without writing anything */
	struct volume_verdict *verdicts;
	size_t n_verdicts;
	char **steps; /* what would be done, in words */
};

/*
 * -EINVAL: impossible sizes, or two IMAGECACHE partitions; diag names both. VOLUME_NONE is success: the verdicts say why.
 * mount_at: the directory where it will be mounted; NULL: it will not, as in an image, or is already.
 * ret_plan is to be released with volume_plan_done().
 */
int volume_plan_make(const struct volume_config *config, const struct volume_candidate *candidates,
		     size_t n, const char *mount_at, struct volume_plan *ret, struct diag *diag);
void volume_plan_done(struct volume_plan *plan);
#define _cleanup_plan_ _cleanup_(volume_plan_done)

/* Bytes of the partition when all is done. */
uint64_t volume_plan_size(const struct volume_plan *plan);

/* Is a filesystem to grow that lies in room bytes? Not for less than it is worth. */
bool volume_should_grow(const struct volume_config *config, const struct ext4_state *state,
			uint64_t room);

/* Does it write to the disk itself, that is, to its partition table? */
bool volume_plan_writes(const struct volume_plan *plan);

/* "use", "finish", … for JSON. */
const char *volume_action_name(enum volume_action action);

#endif
