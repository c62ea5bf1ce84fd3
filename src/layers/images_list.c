/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/images_list.h"

#include <string.h>

#include "base/text.h"
#include "store/reference.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static const struct {
	enum source_kind kind;
	const char *prefix;
	bool named;    /* PATH[:NAME] */
	bool own_name; /* may stand without "REFERENCE=" */
} kinds[] = {
	{ SOURCE_REGISTRY, "docker://", false, false },
	{ SOURCE_OCI, "oci:", true, true },
	{ SOURCE_OCI_ARCHIVE, "oci-archive:", true, false },
	{ SOURCE_DOCKER_ARCHIVE, "docker-archive:", true, false },
	{ SOURCE_DIR, "dir:", false, false },
	{ SOURCE_TREE, "tree:", false, true },
	{ SOURCE_LAYER, "layer:", false, true },
};

const char *source_kind_prefix(enum source_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == kind)
			return kinds[i].prefix;
	return "";
}

static void spec_done(struct image_spec *spec)
{
	free(spec->reference);
	free(spec->path);
	free(spec->name);
}

void images_list_done(struct images_list *list)
{
	for (size_t i = 0; i < list->n_specs; i++)
		spec_done(&list->specs[i]);
	free(list->specs);
	*list = (struct images_list){ 0 };
}

static int canonical(const char *text, char **ret, struct diag *diag)
{
	_cleanup_reference_ struct reference r = { 0 };
	int e = reference_parse(text, &r, diag);

	if (e < 0)
		return e;
	*ret = reference_format(&r);
	return *ret ? 0 : -ENOMEM;
}

/* "PATH[:NAME]": the name begins after the first colon, as in skopeo. */
static int split_path(const char *text, bool named, struct image_spec *spec)
{
	const char *colon = named ? strchr(text, ':') : NULL;

	spec->path = colon ? strndup(text, (size_t)(colon - text)) : strdup(text);
	spec->name = colon && colon[1] ? strdup(colon + 1) : NULL;
	return spec->path && (!colon || !colon[1] || spec->name) ? 0 : -ENOMEM;
}

static int parse_source(const char *text, struct image_spec *spec, struct diag *diag)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t prefix = strlen(kinds[i].prefix);
		if (strncmp(text, kinds[i].prefix, prefix) != 0)
			continue;
		spec->kind = kinds[i].kind;
		if (spec->kind == SOURCE_REGISTRY)
			return canonical(text + prefix, &spec->path, diag);
		if (text[prefix] == '\0')
			return diag_set(diag, -EINVAL, "\"%s\" names no file", text);
		if (!spec->reference && !kinds[i].own_name)
			return diag_set(diag, -EINVAL,
					"\"%s\" does not say what the image is called; write "
					"REFERENCE=%s",
					text, text);
		return split_path(text + prefix, kinds[i].named, spec);
	}
	_cleanup_diag_ struct diag why = DIAG_INIT;
	int r = canonical(text, &spec->path, &why);
	spec->kind = SOURCE_REGISTRY;
	if (r < 0 && why.message)
		diag_set(diag, r,
			 strchr(text, ':')
				 ? "%s; if it is no reference: a source begins with oci:, "
				   "oci-archive:, docker-archive:, dir:, tree: or layer:"
				 : "%s",
			 why.message);
	return r;
}

static int parse_line(const char *line, struct image_spec *spec, struct diag *diag)
{
	const char *equals = strchr(line, '=');
	_cleanup_free_ char *name = NULL;

	if (equals) {
		name = strndup(line, (size_t)(equals - line));
		int r = name ? canonical(name, &spec->reference, diag) : -ENOMEM;
		if (r < 0)
			return r;
	}
	int r = parse_source(equals ? equals + 1 : line, spec, diag);
	if (r == 0 && spec->kind == SOURCE_REGISTRY && !spec->reference) {
		spec->reference = strdup(spec->path);
		r = spec->reference ? 0 : -ENOMEM;
	}
	return r;
}

/* The line without comment and white space around it. */
static char *strip(char *line)
{
	char *hash = strchr(line, '#');

	if (hash)
		*hash = '\0';
	line += strspn(line, " \t\r");
	for (size_t n = strlen(line); n > 0 && strchr(" \t\r", line[n - 1]); n--)
		line[n - 1] = '\0';
	return line;
}

static int add_line(struct images_list *list, char *line, unsigned number, const char *source,
		    struct diag *diag)
{
	struct image_spec *larger;

	line = strip(line);
	if (*line == '\0')
		return 0;
	if (list->n_specs == IMAGES_LIST_LINES_MAX)
		return diag_set_at(diag, -EINVAL, source, number, 0, "more than %d images",
				   IMAGES_LIST_LINES_MAX);
	larger = reallocarray(list->specs, list->n_specs + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	list->specs = larger;
	list->specs[list->n_specs] = (struct image_spec){ .line = number };
	struct diag why = DIAG_INIT;
	int r = parse_line(line, &list->specs[list->n_specs++], &why);
	if (r < 0)
		diag_set_at(diag, r, source, number, 0, "%s",
			    why.message ? why.message : strerror(-r));
	diag_done(&why);
	return r;
}

int images_list_parse(const char *text, size_t size, const char *source, struct images_list *ret,
		      struct diag *diag)
{
	_cleanup_images_list_ struct images_list list = { 0 };
	_cleanup_free_ char *copy = strndup(text, size);
	unsigned number = 0;

	if (!copy)
		return -ENOMEM;
	if (strlen(copy) != size)
		return diag_set_at(diag, -EINVAL, source, 0, 0, "it holds a NUL byte");
	/* As editors on Windows begin a text. */
	char *rest =
		text_starts_with(copy, BYTE_ORDER_MARK) ? copy + strlen(BYTE_ORDER_MARK) : copy;
	for (char *line; (line = strsep(&rest, "\n"));) {
		int r = add_line(&list, line, ++number, source, diag);
		if (r < 0)
			return r;
	}
	if (list.n_specs == 0)
		return diag_set_at(diag, -EINVAL, source, 0, 0, "it names no image");
	*ret = list;
	list = (struct images_list){ 0 };
	return 0;
}
