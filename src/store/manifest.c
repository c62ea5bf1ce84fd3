/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/manifest.h"

#include <jansson.h>
#include <string.h>

#include "base/text.h"

#define ANNOTATION_REF_NAME   "org.opencontainers.image.ref.name"
#define ANNOTATION_IMAGE_NAME "io.containerd.image.name"
#define TEXT_MAX	      4096 /* bytes of any one string that is kept */

static void descriptor_done(struct descriptor *d)
{
	free(d->media_type);
	free(d->reference_name);
	free(d->image_name);
	platform_done(&d->platform);
	*d = (struct descriptor){ 0 };
}

void manifest_done(struct manifest *m)
{
	free(m->media_type);
	free(m->artifact_type);
	descriptor_done(&m->config);
	descriptor_done(&m->subject);
	for (size_t i = 0; i < m->n_items; i++)
		descriptor_done(&m->items[i]);
	free(m->items);
	*m = (struct manifest){ 0 };
}

/* Brackets outside of strings: jansson recurses, so depth is bounded before it reads. */
static bool is_too_deep(const char *data, size_t size)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < size; i++) {
		if (in_string) {
			if (data[i] == '\\')
				i++;
			else if (data[i] == '"')
				in_string = false;
		} else if (data[i] == '"') {
			in_string = true;
		} else if (data[i] == '{' || data[i] == '[') {
			if (++depth > MANIFEST_DEPTH_MAX)
				return true;
		} else if ((data[i] == '}' || data[i] == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

/* object[key] as a copy, if it is there; anything but a string is an error. */
static int take_string(const json_t *object, const char *key, char **ret, struct diag *diag)
{
	const json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value) || json_string_length(value) > TEXT_MAX)
		return diag_set(diag, -EINVAL, "\"%s\" is no string of at most %d bytes", key,
				TEXT_MAX);
	if (json_string_length(value) == 0)
		return 0;
	*ret = strdup(json_string_value(value));
	return *ret ? 0 : -ENOMEM;
}

static int take_digest(const json_t *object, struct digest *ret, struct diag *diag)
{
	const json_t *value = json_object_get(object, "digest");
	const char *text = json_string_value(value);

	if (!text)
		return diag_set(diag, -EINVAL, "a descriptor has no \"digest\"");
	int r = digest_parse(text, ret);
	if (r == -EOPNOTSUPP)
		return diag_set(diag, -EINVAL, "digest \"%.100s\" is of an unknown algorithm",
				text);
	if (r < 0)
		return diag_set(diag, -EINVAL, "\"%.100s\" is no digest", text);
	return 0;
}

static int take_size(const json_t *object, uint64_t *ret, struct diag *diag)
{
	const json_t *value = json_object_get(object, "size");

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return diag_set(diag, -EINVAL,
				"a descriptor has no \"size\" in bytes (an integer, 0 or more)");
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int take_platform(const json_t *object, struct platform *ret, struct diag *diag)
{
	const json_t *value = json_object_get(object, "platform");

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_object(value))
		return diag_set(diag, -EINVAL, "\"platform\" is no object");
	int r = take_string(value, "os", &ret->os, diag);
	if (r == 0)
		r = take_string(value, "architecture", &ret->architecture, diag);
	if (r == 0)
		r = take_string(value, "variant", &ret->variant, diag);
	return r;
}

static int take_annotations(const json_t *object, struct descriptor *d, struct diag *diag)
{
	const json_t *value = json_object_get(object, "annotations");

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_object(value))
		return diag_set(diag, -EINVAL, "\"annotations\" is no object");
	int r = take_string(value, ANNOTATION_REF_NAME, &d->reference_name, diag);
	return r < 0 ? r : take_string(value, ANNOTATION_IMAGE_NAME, &d->image_name, diag);
}

static bool is_foreign(const char *media_type)
{
	return media_type &&
	       (strstr(media_type, ".nondistributable.") || strstr(media_type, ".foreign."));
}

static int parse_descriptor(const json_t *object, struct descriptor *d, struct diag *diag)
{
	if (!json_is_object(object))
		return diag_set(diag, -EINVAL, "a descriptor is no object");
	int r = take_digest(object, &d->digest, diag);
	if (r == 0)
		r = take_size(object, &d->size, diag);
	if (r == 0)
		r = take_string(object, "mediaType", &d->media_type, diag);
	if (r == 0)
		r = take_platform(object, &d->platform, diag);
	if (r == 0)
		r = take_annotations(object, d, diag);
	d->foreign = is_foreign(d->media_type);
	return r;
}

static int parse_items(const json_t *array, const char *key, struct manifest *m, struct diag *diag)
{
	size_t n = json_array_size(array);

	if (!json_is_array(array))
		return diag_set(diag, -EINVAL, "\"%s\" is no list", key);
	if (n > MANIFEST_DESCRIPTORS_MAX)
		return diag_set(diag, -EINVAL, "\"%s\" has %zu entries; at most %d are read", key,
				n, MANIFEST_DESCRIPTORS_MAX);
	m->items = calloc(n ? n : 1, sizeof(*m->items));
	if (!m->items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		m->n_items = i + 1;
		int r = parse_descriptor(json_array_get(array, i), &m->items[i], diag);
		if (r < 0)
			return diag_prefix(diag, r, "%s[%zu]", key, i);
	}
	return 0;
}

static bool is_image_type(const char *type)
{
	return strcmp(type, MANIFEST_TYPE_OCI_IMAGE) == 0 ||
	       strcmp(type, MANIFEST_TYPE_DOCKER_IMAGE) == 0;
}

static bool is_index_type(const char *type)
{
	return strcmp(type, MANIFEST_TYPE_OCI_INDEX) == 0 ||
	       strcmp(type, MANIFEST_TYPE_DOCKER_INDEX) == 0;
}

bool descriptor_is_index(const struct descriptor *d)
{
	return d->media_type && is_index_type(d->media_type);
}

static bool is_docker_config(const struct manifest *m)
{
	return m->config.media_type &&
	       text_starts_with(m->config.media_type, "application/vnd.docker.");
}

/*
 * Image or index? The document's shape decides, and a mediaType that says the other thing is refused: one that can be
 * read as both would mean different images to different readers (CVE-2021-41190).
 */
static int decide_kind(const json_t *root, struct manifest *m, struct diag *diag)
{
	bool index = json_object_get(root, "manifests") != NULL;
	bool image = json_object_get(root, "layers") || json_object_get(root, "config");
	const json_t *version = json_object_get(root, "schemaVersion");

	if (json_is_integer(version) && json_integer_value(version) == 1)
		return diag_set(
			diag, -EINVAL,
			"it is a manifest of Docker's old schema 1, which is not supported");
	if (!json_is_integer(version) || json_integer_value(version) != 2)
		return diag_set(diag, -EINVAL, "its \"schemaVersion\" is not 2");
	if (index == image)
		return diag_set(diag, -EINVAL,
				index ? "it has both \"manifests\" and \"config\" or \"layers\""
				      : "it is no manifest: neither \"manifests\" nor \"layers\"");
	if (m->media_type && is_index_type(m->media_type) != index &&
	    (is_index_type(m->media_type) || is_image_type(m->media_type)))
		return diag_set(diag, -EINVAL, "its mediaType is %s, but its content is %s",
				m->media_type, index ? "an index" : "an image manifest");
	m->kind = index ? MANIFEST_INDEX : MANIFEST_IMAGE;
	return 0;
}

static int parse_optional(const json_t *root, const char *key, struct descriptor *d,
			  struct diag *diag)
{
	const json_t *value = json_object_get(root, key);

	if (!value || json_is_null(value))
		return 0;
	int r = parse_descriptor(value, d, diag);
	return r < 0 ? diag_prefix(diag, r, "%s", key) : 0;
}

/* What media types the document leaves out follow from what it holds. */
static int settle_types(struct manifest *m)
{
	if (!m->media_type)
		m->media_type = strdup(m->kind == MANIFEST_INDEX ? MANIFEST_TYPE_OCI_INDEX
				       : is_docker_config(m)	 ? MANIFEST_TYPE_DOCKER_IMAGE
								 : MANIFEST_TYPE_OCI_IMAGE);
	if (!m->media_type)
		return -ENOMEM;
	if (!m->artifact_type && m->kind == MANIFEST_IMAGE && m->config.media_type) {
		m->artifact_type = strdup(m->config.media_type);
		return m->artifact_type ? 0 : -ENOMEM;
	}
	return 0;
}

static int parse_root(const json_t *root, struct manifest *m, struct diag *diag)
{
	if (!json_is_object(root))
		return diag_set(diag, -EINVAL, "it is no JSON object");
	int r = take_string(root, "mediaType", &m->media_type, diag);
	if (r == 0)
		r = decide_kind(root, m, diag);
	if (r == 0)
		r = take_string(root, "artifactType", &m->artifact_type, diag);
	if (r == 0 && m->kind == MANIFEST_INDEX)
		r = parse_items(json_object_get(root, "manifests"), "manifests", m, diag);
	if (r == 0 && m->kind == MANIFEST_IMAGE)
		r = parse_optional(root, "config", &m->config, diag);
	if (r == 0 && m->kind == MANIFEST_IMAGE && json_object_get(root, "layers"))
		r = parse_items(json_object_get(root, "layers"), "layers", m, diag);
	if (r == 0)
		r = parse_optional(root, "subject", &m->subject, diag);
	return r < 0 ? r : settle_types(m);
}

int manifest_parse(const void *data, size_t size, struct manifest *ret, struct diag *diag)
{
	_cleanup_manifest_ struct manifest m = { 0 };
	json_error_t error;

	if (size > MANIFEST_BYTES_MAX)
		return diag_set(diag, -EINVAL, "a manifest of %zu bytes; at most %d are read", size,
				MANIFEST_BYTES_MAX);
	if (is_too_deep(data, size))
		return diag_set(diag, -EINVAL, "JSON nested deeper than %d levels",
				MANIFEST_DEPTH_MAX);
	json_auto_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return diag_set(diag, -EINVAL, "not JSON: line %d, column %d: %s", error.line,
				error.column, error.text);
	int r = parse_root(root, &m, diag);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct manifest){ 0 };
	return 0;
}
