/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_FIND_H
#define LARDER_LAYERS_FIND_H
/* Where layers lie: the files, none of them opened yet. */
#include "layers/layers.h"

/*
 * Adds to result->layers every candidate of the volume, the built-in directories and the media that are mounted; sorted so that the
 * last is on top: media first, then natural order of the file name. Directories that are not there have none. -E2BIG: more
 * than LAYERS_MAX.
 */
int layers_find(const struct layers_request *request, struct layers_result *result,
		struct diag *diag);

/* One more row, zeroed. NULL: out of memory. */
struct layer *layers_add(struct layers_result *result);

/* The order of layers_find(). */
int layer_order(const void *a, const void *b);

/* The file name in layer->path. */
const char *layer_file_name(const struct layer *layer);

#endif
