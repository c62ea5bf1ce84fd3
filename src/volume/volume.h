/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_VOLUME_H
#define LARDER_VOLUME_VOLUME_H
/*
 * The volume: locate → plan → apply → format → grow → mount → prepare, each step resumable from what is on the disk.
 *
 *	struct volume_request request = { .config = &config->volume, .disks = &disks, .run_dir = "/run/larder" };
 *	struct volume_result result;
 *
 *	r = volume_ensure(&request, &result, &diag);
 *	if (r < 0)
 *		log_error("%s", diag_text(&diag));	// result.phase: missing or failed; result.plan says why per disk
 *	…
 *	volume_result_done(&result);
 *
 * Invariants: only a partition named IMAGECACHE.new is ever formatted; nothing is written to a disk that the selector does not
 * match, or that is neither blank nor has a sound GPT with a free range; the disk is locked (flock) from plan to mount.
 */
#include "block/disk.h"
#include "volume/plan.h"

#define VOLUME_LOCK_TIMEOUT_MS (60 * 1000) /* how long another provisioner may take */
#define VOLUME_FORMAT	       1	   /* number in the file "format" */

/* Talos's phases of a volume. */
enum volume_phase {
	VOLUME_WAITING,	    /* not tried yet */
	VOLUME_MISSING,	    /* no disk has it or has room for it */
	VOLUME_LOCATED,	    /* the partition is there */
	VOLUME_PROVISIONED, /* it was made */
	VOLUME_PREPARED,    /* it has a sound filesystem of the right size */
	VOLUME_READY,	    /* mounted, with its directories (in an image: made) */
	VOLUME_FAILED,
};

const char *volume_phase_name(enum volume_phase phase);

struct volume_request {
	const struct volume_config *config;
	/* Read with the fields that the selector mentions, system_disk settled; those that match are completed. Unused with image. */
	struct disk_list *disks;
	bool foreign;	     /* the disks are of another root: none is opened */
	const char *run_dir; /* the volume is mounted at run_dir/volume */
	const char *image;   /* work on this file instead of disks, without mounting; NULL: disks */
	unsigned image_sector_size; /* bytes; 0: 512 */
	uint64_t image_grain;	    /* alignment, bytes, a power of two; 0: 1 MiB */
	const char *seed;	    /* identifiers are derived from it; NULL: random */
	const char *epoch;	    /* time stamps in a new filesystem, seconds; NULL: now */
	void (*say)(void *userdata, const char *line); /* each step as it begins; may be NULL */
	void *userdata;
};

struct volume_result {
	enum volume_phase phase;
	char *error;	   /* why it is missing or failed; NULL */
	char *warning;	   /* what went wrong and leaves it usable; NULL */
	char *disk;	   /* "/dev/sda", or the image; NULL while missing */
	char *device;	   /* "/dev/sda3"; NULL in an image */
	char *mount_point; /* NULL if it is not mounted */
	bool table_written, formatted, grown;
	bool adopted;	/* it was mounted already */
	bool read_only; /* its disk is: nothing is added to it */
	struct volume_plan plan;
};

/* Only plans; reads, writes nothing. ret is to be released with volume_plan_done(). */
int volume_plan(const struct volume_request *request, struct volume_plan *ret, struct diag *diag);

/*
 * Does everything. *ret is filled in any case, also on failure, and is to be released with volume_result_done().
 * -ENOENT: no disk has it or has room for it (phase missing). -EINVAL: the config asks for what cannot be. Others: the
 * step that failed, the device, and the program's or the kernel's words are in diag and in ret->error.
 */
int volume_ensure(const struct volume_request *request, struct volume_result *ret,
		  struct diag *diag);

/*
 * What is there now: phase missing, located, or ready if it is mounted at run_dir/volume; failed where volume_ensure() would fail before it
 * writes. *ret is filled in any case, as by volume_ensure(). Writes nothing.
 */
int volume_status(const struct volume_request *request, struct volume_result *ret,
		  struct diag *diag);

void volume_result_done(struct volume_result *result);
#define _cleanup_volume_result_ _cleanup_(volume_result_done)

/* Unmounts run_dir/volume; 0 if nothing is mounted there; -EBUSY: a program still uses it. */
int volume_stop(const char *run_dir, struct diag *diag);

#endif
