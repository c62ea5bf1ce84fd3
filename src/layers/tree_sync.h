/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_TREE_SYNC_H
#define LARDER_LAYERS_TREE_SYNC_H
/*
 * A medium's cache tree (Talos's ISO) into the volume's loose tree: image by image, each blob and manifest hashed while it is copied, the
 * tag last. So a tag on the volume means that all of it is there, and what was interrupted goes on with the blob that was being copied.
 *
 * The loose tree is asked before layers are. A tag that it has, or that an active layer gives, is never copied: a medium may add, and
 * may not replace.
 */
#include "layers/layers.h"

struct tree_sync {
	unsigned copied; /* images */
	unsigned failed; /* images that are not there now, each with a note */
	bool full;	 /* some because there is no room */
};

/* Notes of what was not copied go to *notes. -ENOMEM and -EIO (the volume or the medium cannot be opened); the rest is in *ret. */
int tree_sync(const struct layers_request *request, const struct layers_result *result,
	      const struct layer *tree, struct tree_sync *ret, char ***notes);

/* Active trees that have nothing which the volume and the active layers lack become superseded. They must be open. */
int trees_settle(const char *run_dir, struct layers_result *result);

#endif
