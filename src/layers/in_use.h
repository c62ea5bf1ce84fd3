/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_IN_USE_H
#define LARDER_LAYERS_IN_USE_H
/* What was found now, against what the generation that is served was made of. */
#include "layers/layers.h"

/*
 * Sets result->generation, says of each active layer that is not served as it is now why, and adds a row (LAYER_GONE) for each layer of
 * the generation that no file stands for any more. The layers are open. -ENOMEM.
 */
int layers_describe_use(const struct layers_request *request, struct layers_result *result);

#endif
