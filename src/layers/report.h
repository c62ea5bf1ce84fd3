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

/* {"file", "name", "version", "size", "digest", "verity", "images": […], "blobs": N} */
json_t *report_build(const char *file, const struct build_result *result);

/* {"reference", "digest", "size", "platforms": […], "omitted": […]} */
json_t *report_image(const struct layer_image *image);

/*
 * Arrays of {"name", "version", "state", "reason", "origin", "path", "size", "signed", "mounted", "in_place", "verity", "id", "n_images", "images"} and of
 * {"device", "label", "filesystem", "trusted", "mounted", "reason"}.
 */
json_t *report_layers(const struct layers_result *result);
json_t *report_media(const struct layers_result *result);

/* Of some layers: {"name", "version", "state", "path", "reason"} each. */
json_t *report_chosen(const struct layers_result *result,
		      bool (*chosen)(const struct layer *layer));

/* A string, or null. Names and labels may hold anything: what is no UTF-8 is shown as \xNN. And an array of such. */
json_t *report_text(const char *text);
json_t *report_texts(char *const *texts);

/* Everything: {"generation", "changed", "copied", "copied_images", "layers", "media", "conflicts", "deleted", "notes"} */
json_t *report_result(const struct layers_result *result);

#endif
