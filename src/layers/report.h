/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_REPORT_H
#define LARDER_LAYERS_REPORT_H
/*
 * Layers and what was done with them, as JSON: for "--output json", the status file and tables. Keys are only ever added. NULL:
 * out of memory.
 */
#include <jansson.h>

#include "layers/build.h"
#include "layers/layers.h"

/* {"file", "name", "version", "size", "digest", "images": […], "blobs": N} */
json_t *report_build(const char *file, const struct build_result *result);

/* {"reference", "digest", "size", "platforms": […], "omitted": […]} */
json_t *report_image(const struct layer_image *image);

/*
 * Arrays of {"name", "version", "state", "reason", "origin", "path", "size", "signed", "mounted", "id", "n_images", "images"} and of
 * {"device", "label", "filesystem", "trusted", "mounted", "reason"}.
 */
json_t *report_layers(const struct layers_result *result);
json_t *report_media(const struct layers_result *result);

/* Everything: {"generation", "changed", "copied", "layers", "media", "conflicts", "notes"} */
json_t *report_result(const struct layers_result *result);

#endif
