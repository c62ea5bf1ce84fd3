/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_IMAGE_GROW_H
#define LARDER_VOLUME_IMAGE_GROW_H
/*
 * Growing a filesystem inside an image file. resize2fs knows an offset, but cuts the file to the size of the filesystem, so it
 * works on a sparse copy of the partition beside the image; what has changed is then written back, the superblock last.
 */
#include "block/format.h"

int image_grow_ext4(const struct format_target *target, struct diag *diag);

#endif
