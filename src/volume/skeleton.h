/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_SKELETON_H
#define LARDER_VOLUME_SKELETON_H
/*
 * An empty store in a temporary directory, for mkfs to copy into an image that cannot be mounted without root.
 */
#include "base/diag.h"

struct skeleton;

/* epoch: time stamp of everything in it (seconds); NULL: now. */
int skeleton_make(const char *epoch, struct skeleton **ret, struct diag *diag);
const char *skeleton_path(const struct skeleton *s);

/* Removes the directory, too. */
void skeleton_done(struct skeleton *s);
DEFINE_CLEANUP(struct skeleton *, skeleton_done);

#endif
