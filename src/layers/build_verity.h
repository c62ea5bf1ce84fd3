/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_BUILD_VERITY_H
#define LARDER_LAYERS_BUILD_VERITY_H
/*
 * The .verity and .roothash of a new layer, made before it gets its name. Salt and UUID of the tree are made from the image's own digest, so that the same
 * image has the same root hash wherever it is built, and different ones have trees that share nothing.
 */
#include "block/verity.h"
#include "store/digest.h"

/* IMAGE.verity and IMAGE.roothash beside the image, durable; ret_root_hash: in hex. */
int tree_build(const char *image, const struct digest *digest,
	       char ret_root_hash[static VERITY_ROOT_TEXT_MAX], struct diag *diag);

#endif
