/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/report.h"

#include <string.h>

#include "base/text.h"

/* Each byte of what is no UTF-8 at all as \xNN where it is not ASCII. */
static json_t *escaped(const char *text)
{
	char *copy = NULL;
	size_t size;
	FILE *f = open_memstream(&copy, &size);

	if (!f)
		return NULL;
	for (; *text; text++)
		fprintf(f, (unsigned char)*text < 0x80 ? "%c" : "\\x%02x", (unsigned char)*text);
	json_t *value = fclose(f) == 0 ? json_string(copy) : NULL;
	free(copy);
	return value;
}

json_t *report_text(const char *text)
{
	if (!text)
		return json_null();
	return text_is_utf8(text, strlen(text)) ? json_string(text) : escaped(text);
}

json_t *report_texts(char *const *texts)
{
	json_t *array = json_array();

	for (; array && texts && *texts; texts++)
		json_array_append_new(array, report_text(*texts));
	return array;
}

json_t *report_image(const struct layer_image *image)
{
	char digest[DIGEST_STRING_MAX];

	return json_pack("{s:s, s:s, s:I, s:o, s:o}", "reference", image->reference, "digest",
			 digest_format(&image->digest, digest), "size", (json_int_t)image->size,
			 "platforms", report_texts(image->platforms), "omitted",
			 report_texts(image->omitted));
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
		"{s:o, s:o, s:s, s:o, s:s?, s:o, s:I, s:b, s:o, s:b, s:s?, s:s?, s:I, s:o}", "name",
		report_text(m->name ? m->name : ""), "version", report_text(m->version), "state",
		layer_state_name(layer->state), "reason", report_text(layer->reason), "origin",
		layer->path ? layer_origin_name(layer->origin) : NULL, "path",
		report_text(layer->path), "size", (json_int_t)layer->size, "signed",
		(int)layer->is_signed, "mounted", report_text(layer->mount), "in_place",
		(int)layer->in_place, "verity", layer->root_hash, "id",
		*digest_format(&layer->id, id) ? id : NULL, "n_images", (json_int_t)m->n_images,
		"images", images);
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

/* A row for a program that only asks what is wrong. */
static json_t *report_short(const struct layer *layer)
{
	return json_pack("{s:o, s:o, s:s, s:o, s:o}", "name",
			 report_text(layer->manifest.name ? layer->manifest.name : ""), "version",
			 report_text(layer->manifest.version), "state",
			 layer_state_name(layer->state), "path", report_text(layer->path), "reason",
			 report_text(layer->reason));
}

json_t *report_chosen(const struct layers_result *result, bool (*chosen)(const struct layer *layer))
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < result->n_layers; i++)
		if (chosen(&result->layers[i]))
			json_array_append_new(array, report_short(&result->layers[i]));
	return array;
}

json_t *report_media(const struct layers_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < result->n_media; i++) {
		const struct medium *m = &result->media[i];
		json_array_append_new(
			array, json_pack("{s:s, s:o, s:s, s:b, s:o, s:o}", "device", m->device,
					 "label", report_text(m->label), "filesystem", m->fstype,
					 "trusted", (int)m->trusted, "mounted",
					 report_text(m->mount), "reason", report_text(m->reason)));
	}
	return array;
}

json_t *report_result(const struct layers_result *result)
{
	return json_pack("{s:I, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "generation",
			 (json_int_t)result->generation, "changed", (int)result->changed, "copied",
			 (json_int_t)result->copied, "copied_images",
			 (json_int_t)result->copied_images, "layers", report_layers(result),
			 "media", report_media(result), "conflicts",
			 report_texts(result->conflicts), "deleted", report_texts(result->deleted),
			 "notes", report_texts(result->notes));
}
