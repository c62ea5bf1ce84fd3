/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_LAYER_MAP_H
#define LARDER_LAYERS_LAYER_MAP_H
/*
 * The dm-verity device of a layer that is being opened: over its loop device and a second one of its hash tree, both of which it holds
 * from then on. layers/layer_verity.h says when.
 */
#include "layers/layer_open.h"

/* The name of the device, which stands for the file and its root hash. */
void layer_map_name(const struct layer_handle *h, char ret[static VERITY_NAME_MAX]);

/* Puts the device in the place of the handle's loop device. Errors as of verity_open(). */
int layer_map(const struct layer *layer, const char *root_hash, struct diag *diag);

/*
 * Whatever happened to a layer that dm-verity guards: if a block did not fit, that is why, and -EINVAL with diag; else err. What was
 * once found stays so until the file is another or the machine boots: RUN/layers/.corrupt-<id> is its mark.
 */
int layer_map_explain(const struct layer_handle *h, const char *run_dir, const char *root_hash,
		      int err, struct diag *diag);

#endif
