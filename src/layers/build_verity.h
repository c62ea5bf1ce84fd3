/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_BUILD_VERITY_H
#define LARDER_LAYERS_BUILD_VERITY_H
/*
 * OUTPUT.verity and OUTPUT.roothash of a new layer. Salt and UUID of the tree are made from the image's own digest, so that the same
 * image has the same root hash wherever it is built, and different ones have trees that share nothing.
 */
#include "block/verity.h"
#include "store/digest.h"

struct tree_build {
	const char *image; /* in the work directory; the tree is made beside it */
	const char *output;
	bool wanted;
	char root_hash[VERITY_ROOT_TEXT_MAX]; /* "": not wanted */
};

/* Before the image gets its name: makes the tree and gives it its name; what an earlier build left is removed. */
int tree_build_prepare(struct tree_build *t, const struct digest *digest, struct diag *diag);

/* After that: the root hash, which is the first that says that the tree counts. */
int tree_build_finish(const struct tree_build *t, struct diag *diag);

#endif
