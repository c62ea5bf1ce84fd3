/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/json_file.h"

#include <string.h>

#include "base/names.h"

#define INDENT_DEFAULT 4
#define INDENT_MAX     8

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

int json_file_parse(const char *path, const char *text, json_t **ret, struct diag *diag)
{
	bool empty = !text || text[strspn(text, " \t\r\n")] == '\0';
	json_error_t error;
	json_t *root = json_loads(empty ? "{}" : text, JSON_REJECT_DUPLICATES, &error);

	if (!root)
		return diag_set_at(diag, -EINVAL, path, error.line > 0 ? (unsigned)error.line : 0,
				   error.column > 0 ? (unsigned)error.column : 0,
				   "this is not JSON: %s; mend it, then run \"larder runtime "
				   "configure\"",
				   error.text);
	if (json_is_object(root)) {
		*ret = root;
		return 0;
	}
	json_decref(root);
	return diag_set_at(diag, -EINVAL, path, 0, 0, "the file must hold one object");
}

/* By how many spaces the file's first line is indented, so that it keeps looking as it did. */
static size_t indentation(const char *text)
{
	const char *newline = text ? strchr(text, '\n') : NULL;
	size_t n = newline ? strspn(newline + 1, " ") : 0;

	return n > 0 && n <= INDENT_MAX ? n : INDENT_DEFAULT;
}

int json_file_dump(const json_t *root, const char *like, char **ret, struct diag *diag)
{
	_cleanup_free_ char *text = json_dumps(root, JSON_INDENT(indentation(like)));

	if (!text || asprintf(ret, "%s\n", text) < 0)
		return out_of_memory(diag);
	return 0;
}

static bool has_item(const json_t *list, const json_t *item)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), item))
			return true;
	return false;
}

/* A value without larder's part, a new reference; NULL: larder's part is all of it. Each of the three may be NULL: not there. */
static json_t *unmerge_value(json_t *edited, json_t *original, json_t *written);

static json_t *unmerge_list(json_t *edited, json_t *original, json_t *written)
{
	json_t *rest = json_array(), *item;
	size_t i;

	json_array_foreach (edited, i, item)
		if (!has_item(written, item) || has_item(original, item))
			json_array_append(rest, item);
	json_array_foreach (original, i, item)
		if (!has_item(written, item) && !has_item(rest, item))
			json_array_append(rest, item);
	return rest;
}

static json_t *unmerge_object(json_t *edited, json_t *original, json_t *written)
{
	json_t *rest = json_object(), *value;
	const char *key;

	json_object_foreach (edited, key, value) {
		json_t *left = unmerge_value(value, json_object_get(original, key),
					     json_object_get(written, key));
		if (left)
			json_object_set_new(rest, key, left);
	}
	return rest;
}

static json_t *unmerge_value(json_t *edited, json_t *original, json_t *written)
{
	json_t *rest;

	if (!written || (original && json_equal(edited, original)))
		return json_incref(edited);
	if (json_equal(edited, written))
		return json_incref(original);
	if (json_is_object(edited) && json_is_object(written))
		rest = unmerge_object(edited, original, written);
	else if (json_is_array(edited) && json_is_array(written))
		rest = unmerge_list(edited, original, written);
	else
		return json_incref(edited);
	if (original || json_object_size(rest) + json_array_size(rest) > 0)
		return rest;
	json_decref(rest);
	return NULL;
}

/* One of the texts that larder remembers; NULL: none, or it is no JSON. */
static json_t *parse_saved(const char *text)
{
	json_t *root = NULL;

	return text && json_file_parse(NULL, text, &root, NULL) == 0 ? root : NULL;
}

static bool has_cache_first(const json_t *root)
{
	const char *key;
	json_t *list;

	json_object_foreach ((json_t *)root, key, list) {
		const char *first = json_string_value(json_array_get(list, 0));
		if (first && strcmp(first, REGISTRY_URL) == 0)
			return true;
	}
	return false;
}

bool json_file_is_ours(const char *text)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	_cleanup_free_ char *dumped = NULL;

	return json_file_parse(NULL, text, &root, NULL) == 0 && has_cache_first(root) &&
	       json_file_dump(root, text, &dumped, NULL) == 0 && strcmp(dumped, text) == 0;
}

/* Takes the cache out of lists: that nobody but larder writes. */
static void strip_cache(json_t *root)
{
	json_t *list;
	const char *key;
	void *next;

	json_object_foreach_safe(root, next, key, list)
	{
		size_t before = json_array_size(list);
		for (size_t i = before; i-- > 0;) {
			const char *item = json_string_value(json_array_get(list, i));
			if (item && strcmp(item, REGISTRY_URL) == 0)
				json_array_remove(list, i);
		}
		if (before > 0 && json_array_size(list) == 0)
			json_object_del(root, key);
	}
}

int json_file_strip(const char *text, const struct plan_base *base, char **ret, struct diag *diag)
{
	_cleanup_(json_decrefp) json_t *edited = NULL;
	int r = json_file_parse(NULL, text, &edited, diag);

	if (r < 0)
		return r;
	_cleanup_(json_decrefp) json_t *original = base ? parse_saved(base->original) : NULL;
	_cleanup_(json_decrefp) json_t *written = base ? parse_saved(base->written) : NULL;
	_cleanup_(json_decrefp) json_t *rest =
		base ? unmerge_value(edited, original, written) : json_deep_copy(edited);
	if (!base)
		strip_cache(rest);
	*ret = NULL;
	if (json_object_size(rest) == 0 && !original)
		return 0;
	bool any = !json_equal(rest, edited);
	if (any && !json_equal(rest, original))
		return json_file_dump(rest, text, ret, diag);
	*ret = strdup(any ? base->original : text);
	return *ret ? 0 : out_of_memory(diag);
}
