/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_OPEN_ALL_H
#define LARDER_LAYERS_OPEN_ALL_H
/*
 * Opens every candidate (layer_open.h), in several threads where there are many: each layer waits for its disk and for the kernel's
 * mount, and none needs another. What is found does not depend on their order.
 */
#include "layers/layer_open.h"

/* A layer that cannot be opened is LAYER_BROKEN with its reason. -ENOMEM. */
int layers_open_all(const struct layers_request *request, struct layers_result *result,
		    const struct mounted_layers *mounted);

/* LAYER_BROKEN, for the reason in why, else for err. -ENOMEM. */
int layer_mark_broken(struct layer *layer, int err, struct diag *why);

#endif
