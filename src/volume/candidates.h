/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_CANDIDATES_H
#define LARDER_VOLUME_CANDIDATES_H
/*
 * The disks of a request, each matched with the selector and, if it matches, inspected.
 */
#include "volume/volume.h"

struct candidates {
	struct volume_candidate *list;
	char **reasons; /* what list[].no_match points to, where it is not constant */
	size_t n;
};

int candidates_read(const struct volume_request *request, struct candidates *ret,
		    struct diag *diag);
void candidates_done(struct candidates *c);
#define _cleanup_candidates_ _cleanup_(candidates_done)

/* Opens the disk of a candidate; -ENODEV: another device has its name now. */
int candidate_open(const struct volume_request *request, const struct volume_candidate *c,
		   int flags, struct diag *diag);

/*
 * Opens it with O_RDONLY or O_RDWR, and locks it (flock); the lock goes with the descriptor, which child programs inherit. What is not
 * written to is not opened for it: when such a descriptor is closed, udev reads the disk and all its partitions anew. Of an image, it is
 * the file that has the name once the lock is there.
 * -EBUSY: another program did not let go of it within VOLUME_LOCK_TIMEOUT_MS.
 */
int candidate_lock(const struct volume_request *request, const struct volume_candidate *c, int mode,
		   struct diag *diag);

/*
 * Waits until nobody else has the lock of a disk that matches; for each at most VOLUME_LOCK_TIMEOUT_MS. false: there is none to wait for,
 * or none was let go of.
 */
bool candidates_wait(const struct volume_request *request, const struct candidates *all);

#endif
