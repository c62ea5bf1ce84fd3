/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/layer_manifest.h"

#include <string.h>
#include <yaml.h>

#include "base/text.h"
#include "layers/version.h"
#include "store/reference.h"

static void image_done(struct layer_image *image)
{
	free(image->reference);
	strv_free(image->platforms);
	strv_free(image->omitted);
}

void layer_manifest_done(struct layer_manifest *m)
{
	free(m->name);
	free(m->version);
	free(m->author);
	free(m->description);
	for (size_t i = 0; i < m->n_images; i++)
		image_done(&m->images[i]);
	free(m->images);
	free(m->blobs);
	*m = (struct layer_manifest){ 0 };
}

int layer_image_compare(const void *a, const void *b)
{
	return strcmp(((const struct layer_image *)a)->reference,
		      ((const struct layer_image *)b)->reference);
}

bool layer_manifest_lists(const struct layer_manifest *m, const char *reference)
{
	const struct layer_image key = { .reference = (char *)reference };

	return m->n_images &&
	       bsearch(&key, m->images, m->n_images, sizeof(key), layer_image_compare);
}

/* A document that is being read. Nodes are looked up by number, so an alias costs nothing and cannot blow up. */
struct reader {
	yaml_document_t document;
	struct diag *diag;
};

static int bad(const struct reader *r, const yaml_node_t *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int bad(const struct reader *r, const yaml_node_t *node, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	return diag_set_at(r->diag, -EINVAL, NULL, (unsigned)node->start_mark.line + 1,
			   (unsigned)node->start_mark.column + 1, "%s",
			   message ? message : "out of memory");
}

static const yaml_node_t *node_at(struct reader *r, int index)
{
	return yaml_document_get_node(&r->document, index);
}

/* The text of a scalar without NUL bytes and control characters, at most max bytes. */
static int take_text(struct reader *r, const yaml_node_t *node, const char *key, size_t max,
		     char **ret)
{
	if (*ret)
		return bad(r, node, "\"%s\" is there twice", key);
	if (node->type != YAML_SCALAR_NODE)
		return bad(r, node, "\"%s\" is no text", key);
	const char *text = (const char *)node->data.scalar.value;
	size_t size = node->data.scalar.length;
	if (size > max)
		return bad(r, node, "\"%s\" is longer than %zu bytes", key, max);
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return bad(r, node, "\"%s\" holds a control character", key);
	*ret = strndup(text, size);
	return *ret ? 0 : -ENOMEM;
}

static int take_digest(struct reader *r, const yaml_node_t *node, struct digest *ret)
{
	if (node->type != YAML_SCALAR_NODE || digest_parse_n((const char *)node->data.scalar.value,
							     node->data.scalar.length, ret) < 0)
		return bad(r, node, "not a digest");
	return 0;
}

static int take_size(struct reader *r, const yaml_node_t *node, uint64_t *ret)
{
	char *end;

	if (node->type != YAML_SCALAR_NODE || node->data.scalar.value[0] < '0' ||
	    node->data.scalar.value[0] > '9')
		return bad(r, node, "\"size\" is no number");
	errno = 0;
	*ret = strtoull((const char *)node->data.scalar.value, &end, 10);
	return errno || *end ? bad(r, node, "\"size\" is no number") : 0;
}

static int take_texts(struct reader *r, const yaml_node_t *node, const char *key, char ***ret)
{
	if (node->type != YAML_SEQUENCE_NODE || *ret)
		return bad(r, node, "\"%s\" is no list, or is there twice", key);
	for (yaml_node_item_t *i = node->data.sequence.items.start;
	     i < node->data.sequence.items.top; i++) {
		char *text = NULL;
		int e = take_text(r, node_at(r, *i), key, LAYER_NAME_MAX, &text);
		if (e == 0)
			e = strv_take(ret, text);
		if (e < 0)
			return e;
	}
	return 0;
}

/* Calls take for every key of a mapping. */
static int each_key(struct reader *r, const yaml_node_t *node, const char *what,
		    int (*take)(struct reader *r, const char *key, const yaml_node_t *value,
				void *user),
		    void *user)
{
	if (!node || node->type != YAML_MAPPING_NODE)
		return node ? bad(r, node, "%s is no mapping", what)
			    : diag_set(r->diag, -EINVAL, "%s is empty", what);
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *key = node_at(r, p->key);
		if (key->type != YAML_SCALAR_NODE)
			return bad(r, key, "a key of %s is no text", what);
		int e = take(r, (const char *)key->data.scalar.value, node_at(r, p->value), user);
		if (e < 0)
			return e;
	}
	return 0;
}

/* Keys that are not known here are a later version's business: ignored. */
static int take_image_key(struct reader *r, const char *key, const yaml_node_t *value, void *user)
{
	struct layer_image *image = user;

	if (strcmp(key, "reference") == 0)
		return take_text(r, value, key, LAYER_TEXT_MAX, &image->reference);
	if (strcmp(key, "digest") == 0)
		return take_digest(r, value, &image->digest);
	if (strcmp(key, "size") == 0)
		return take_size(r, value, &image->size);
	if (strcmp(key, "platforms") == 0)
		return take_texts(r, value, key, &image->platforms);
	if (strcmp(key, "omitted") == 0)
		return take_texts(r, value, key, &image->omitted);
	return 0;
}

static int check_image(struct reader *r, const yaml_node_t *node, struct layer_image *image)
{
	_cleanup_reference_ struct reference reference = { 0 };

	if (!image->reference || image->digest.algorithm == DIGEST_NONE)
		return bad(r, node, "an image has no \"reference\" or no \"digest\"");
	if (reference_parse(image->reference, &reference, NULL) < 0)
		return bad(r, node, "\"%s\" is no reference", image->reference);
	if (reference.digest.algorithm != DIGEST_NONE &&
	    !digest_equal(&reference.digest, &image->digest))
		return bad(r, node, "\"%s\": its digest is another than the reference's",
			   image->reference);
	_cleanup_free_ char *canonical = reference_format(&reference);
	if (!canonical)
		return -ENOMEM;
	if (strcmp(canonical, image->reference) != 0)
		return bad(r, node, "\"%s\" is not written as \"%s\"", image->reference, canonical);
	return 0;
}

static size_t sequence_length(const yaml_node_t *node)
{
	return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

static int take_images(struct reader *r, const yaml_node_t *node, struct layer_manifest *m)
{
	if (node->type != YAML_SEQUENCE_NODE || m->images)
		return bad(r, node, "\"images\" is no list, or is there twice");
	size_t n = sequence_length(node);
	if (n > LAYER_MANIFEST_IMAGES_MAX)
		return bad(r, node, "more than %d images", LAYER_MANIFEST_IMAGES_MAX);
	m->images = calloc(n + 1, sizeof(*m->images));
	if (!m->images)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *item = node_at(r, node->data.sequence.items.start[i]);
		m->n_images = i + 1;
		int e = each_key(r, item, "an image", take_image_key, &m->images[i]);
		if (e == 0)
			e = check_image(r, item, &m->images[i]);
		if (e < 0)
			return e;
	}
	return 0;
}

static int take_blobs(struct reader *r, const yaml_node_t *node, struct layer_manifest *m)
{
	if (node->type != YAML_SEQUENCE_NODE || m->blobs)
		return bad(r, node, "\"blobs\" is no list, or is there twice");
	size_t n = sequence_length(node);
	if (n > LAYER_MANIFEST_BLOBS_MAX)
		return bad(r, node, "more than %d blobs", LAYER_MANIFEST_BLOBS_MAX);
	m->blobs = calloc(n + 1, sizeof(*m->blobs));
	if (!m->blobs)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int e = take_digest(r, node_at(r, node->data.sequence.items.start[i]),
				    &m->blobs[i]);
		if (e < 0)
			return e;
		m->n_blobs = i + 1;
	}
	qsort(m->blobs, n, sizeof(*m->blobs), digest_compare);
	return 0;
}

static int take_constant(struct reader *r, const char *key, const yaml_node_t *value,
			 const char *expected)
{
	_cleanup_free_ char *text = NULL;
	int e = take_text(r, value, key, LAYER_NAME_MAX, &text);

	if (e == 0 && strcmp(text, expected) != 0)
		return bad(r, value, "\"%s\" is \"%s\"; a cache layer has \"%s\"", key, text,
			   expected);
	return e;
}

static int take_layer_key(struct reader *r, const char *key, const yaml_node_t *value, void *user)
{
	struct layer_manifest *m = user;

	if (strcmp(key, "apiVersion") == 0)
		return take_constant(r, key, value, LAYER_API_VERSION);
	if (strcmp(key, "kind") == 0)
		return take_constant(r, key, value, LAYER_KIND);
	if (strcmp(key, "name") == 0)
		return take_text(r, value, key, LAYER_NAME_MAX, &m->name);
	if (strcmp(key, "version") == 0)
		return take_text(r, value, key, LAYER_VERSION_MAX, &m->version);
	if (strcmp(key, "author") == 0)
		return take_text(r, value, key, LAYER_TEXT_MAX, &m->author);
	if (strcmp(key, "description") == 0)
		return take_text(r, value, key, LAYER_TEXT_MAX, &m->description);
	if (strcmp(key, "images") == 0)
		return take_images(r, value, m);
	if (strcmp(key, "blobs") == 0)
		return take_blobs(r, value, m);
	return 0;
}

static int check_layer(struct reader *r, const struct layer_manifest *m)
{
	if (!m->name)
		return diag_set(r->diag, -EINVAL, "there is no \"name\"");
	if (!layer_name_is_valid(m->name))
		return diag_set(r->diag, -EINVAL, "\"%s\" is no name of a layer", m->name);
	if (m->version && !layer_version_is_valid(m->version))
		return diag_set(r->diag, -EINVAL, "\"%s\" is no version", m->version);
	if (!m->images || !m->blobs)
		return diag_set(r->diag, -EINVAL, "there is no list of %s",
				m->images ? "blobs" : "images");
	qsort(m->images, m->n_images, sizeof(*m->images), layer_image_compare);
	for (size_t i = 1; i < m->n_images; i++)
		if (strcmp(m->images[i - 1].reference, m->images[i].reference) == 0)
			return diag_set(r->diag, -EINVAL, "\"%s\" is listed twice",
					m->images[i].reference);
	return 0;
}

/* libyaml itself has no limit of depth, and its time grows with it. */
static bool is_too_deep(const char *text, size_t size)
{
	yaml_parser_t parser;
	yaml_event_t event;
	unsigned depth = 0;
	bool deep = false, end = false;

	if (!yaml_parser_initialize(&parser))
		return true;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	while (!deep && !end && yaml_parser_parse(&parser, &event)) {
		if (event.type == YAML_SEQUENCE_START_EVENT ||
		    event.type == YAML_MAPPING_START_EVENT)
			deep = ++depth > LAYER_MANIFEST_DEPTH_MAX;
		else if (event.type == YAML_SEQUENCE_END_EVENT ||
			 event.type == YAML_MAPPING_END_EVENT)
			depth--;
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return deep;
}

static int load(const char *text, size_t size, struct reader *r)
{
	yaml_parser_t parser;
	int e = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	if (!yaml_parser_load(&parser, &r->document))
		e = diag_set_at(r->diag, -EINVAL, NULL, (unsigned)parser.problem_mark.line + 1,
				(unsigned)parser.problem_mark.column + 1, "not YAML: %s",
				parser.problem ? parser.problem : "out of memory");
	yaml_parser_delete(&parser);
	return e;
}

int layer_manifest_parse(const char *text, size_t size, struct layer_manifest *ret,
			 struct diag *diag)
{
	_cleanup_layer_manifest_ struct layer_manifest m = { 0 };
	struct reader r = { .diag = diag };

	if (size > LAYER_MANIFEST_BYTES_MAX)
		return diag_set(diag, -EINVAL, "larger than %d MiB",
				LAYER_MANIFEST_BYTES_MAX >> 20);
	if (is_too_deep(text, size))
		return diag_set(diag, -EINVAL, "nested deeper than %d levels",
				LAYER_MANIFEST_DEPTH_MAX);
	int e = load(text, size, &r);
	if (e < 0)
		return e;
	e = each_key(&r, yaml_document_get_root_node(&r.document), "the layer manifest",
		     take_layer_key, &m);
	if (e == 0)
		e = check_layer(&r, &m);
	yaml_document_delete(&r.document);
	if (e < 0)
		return e;
	*ret = m;
	m = (struct layer_manifest){ 0 };
	return 0;
}
