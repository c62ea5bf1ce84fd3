/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_IMAGE_GROW_H
#define LARDER_VOLUME_IMAGE_GROW_H
/*
 * Growing a filesystem inside an image file. resize2fs knows an offset, but cuts the file to the size of the filesystem, and
 * what it does is not safe against a power cut. So the partition is copied out and grown beside the image; then a copy
 * of the image with the grown partition takes the image's name. Copies are sparse, or shared where the filesystem can do that.
 */
#include "block/format.h"

/* The image has a new inode afterwards; owner and mode stay. Needs room beside it for two copies of what is not zero. */
int image_grow_ext4(const struct format_target *target, struct diag *diag);

#endif
