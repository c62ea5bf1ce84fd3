/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_WIPE_H
#define LARDER_VOLUME_WIPE_H
/*
 * Making the volume disappear. Two steps, so that a person can be asked in between: prepare finds what would be
 * lost, apply does it to exactly that. Only a partition named IMAGECACHE or IMAGECACHE.new, on a disk that the selector matches, is
 * ever touched: its first and last MiB are zeroed, then its entry is deleted, so that at any moment what is left is
 * recognised.
 */
#include "volume/volume.h"

struct volume_wipe;

/* -ENOENT: there is none. -EINVAL: there are two. request must outlive *ret. */
int volume_wipe_prepare(const struct volume_request *request, struct volume_wipe **ret,
			struct diag *diag);

/* What would be lost: which partition of which disk, its size, and the filesystem in it. */
const char *volume_wipe_words(const struct volume_wipe *w);

/* The same for programs; everything in it belongs to the wipe. */
struct volume_wipe_target {
	const char *disk;
	unsigned number;
	const char *name;
	uint64_t start, size; /* bytes */
	const char *found;    /* what is in it; NULL: nothing that is known */
};
struct volume_wipe_target volume_wipe_target(const struct volume_wipe *w);

/* -EBUSY: it is mounted or held. -ESTALE: the table has changed since. */
int volume_wipe_apply(const struct volume_wipe *w, struct diag *diag);

void volume_wipe_done(struct volume_wipe *w);
DEFINE_CLEANUP(struct volume_wipe *, volume_wipe_done);

#endif
