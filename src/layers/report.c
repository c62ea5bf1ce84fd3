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
	return json_pack("{s:s, s:s, s:s?, s:I, s:s, s:o, s:I}", "file", file, "name", m->name,
			 "version", m->version, "size", (json_int_t)result->size, "digest",
			 digest_format(&result->digest, digest), "images", images, "blobs",
			 (json_int_t)m->n_blobs);
}
