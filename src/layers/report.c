/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/report.h"

#include "base/text.h"

static json_t *list(char *const *texts)
{
	json_t *array = json_array();

	for (; array && texts && *texts; texts++)
		json_array_append_new(array, json_string(*texts));
	return array;
}

json_t *report_image(const struct layer_image *image)
{
	char digest[DIGEST_STRING_MAX];

	return json_pack("{s:s, s:s, s:I, s:o, s:o}", "reference", image->reference, "digest",
			 digest_format(&image->digest, digest), "size", (json_int_t)image->size,
			 "platforms", list(image->platforms), "omitted", list(image->omitted));
}

json_t *report_build(const char *file, const struct build_result *result)
{
	const struct layer_manifest *m = &result->manifest;
	char digest[DIGEST_STRING_MAX];
	json_t *images = json_array();

	for (size_t i = 0; images && i < m->n_images; i++)
		json_array_append_new(images, report_image(&m->images[i]));
	return json_pack("{s:s, s:s, s:s?, s:I, s:s, s:s?, s:o, s:I}", "file", file, "name",
			 m->name, "version", m->version, "size", (json_int_t)result->size, "digest",
			 digest_format(&result->digest, digest), "verity",
			 *result->root_hash ? result->root_hash : NULL, "images", images, "blobs",
			 (json_int_t)m->n_blobs);
}

static json_t *report_layer(const struct layer *layer)
{
	const struct layer_manifest *m = &layer->manifest;
	char id[DIGEST_STRING_MAX];
	json_t *images = json_array();

	for (size_t i = 0; images && i < m->n_images; i++)
		json_array_append_new(images, report_image(&m->images[i]));
	return json_pack(
		"{s:s, s:s?, s:s, s:s?, s:s?, s:s?, s:I, s:b, s:s?, s:b, s:s?, s:s, s:I, s:o}",
		"name", m->name ? m->name : "", "version", m->version, "state",
		layer_state_name(layer->state), "reason", layer->reason, "origin",
		layer->path ? layer_origin_name(layer->origin) : NULL, "path", layer->path, "size",
		(json_int_t)layer->size, "signed", (int)layer->is_signed, "mounted", layer->mount,
		"in_place", (int)layer->in_place, "verity", layer->root_hash, "id",
		digest_format(&layer->id, id), "n_images", (json_int_t)m->n_images, "images",
		images);
}

json_t *report_layers(const struct layers_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < result->n_layers; i++)
		if (json_array_append_new(array, report_layer(&result->layers[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *report_media(const struct layers_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < result->n_media; i++) {
		const struct medium *m = &result->media[i];
		json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:b, s:s?, s:s?}", "device",
						       m->device, "label", m->label, "filesystem",
						       m->fstype, "trusted", (int)m->trusted,
						       "mounted", m->mount, "reason", m->reason));
	}
	return array;
}

json_t *report_result(const struct layers_result *result)
{
	return json_pack("{s:I, s:b, s:I, s:I, s:o, s:o, s:o, s:o}", "generation",
			 (json_int_t)result->generation, "changed", (int)result->changed, "copied",
			 (json_int_t)result->copied, "copied_images",
			 (json_int_t)result->copied_images, "layers", report_layers(result),
			 "media", report_media(result), "conflicts", list(result->conflicts),
			 "notes", list(result->notes));
}
