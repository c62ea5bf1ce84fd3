/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/yaml_edit.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "runtime/unmerge.h"

/* The byte at (line, column); columns are code points. */
static size_t offset_of(const char *text, unsigned line, unsigned column)
{
	const char *at = text;

	while (line-- > 1) {
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	for (; column > 1 && *at && *at != '\n'; column--)
		do
			at++;
		while (((unsigned char)*at & 0xc0) == 0x80);
	return (size_t)(at - text);
}

/* The same insertion twice (through an alias) is one. */
int yaml_edit_replace(struct yaml_edit *e, size_t offset, size_t length, char *text)
{
	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < e->n_insertions; i++) {
		if (e->insertions[i].offset == offset && strcmp(e->insertions[i].text, text) == 0) {
			free(text);
			return 0;
		}
	}
	struct yaml_insertion *larger =
		reallocarray(e->insertions, e->n_insertions + 1, sizeof(*larger));
	if (!larger) {
		free(text);
		return -ENOMEM;
	}
	e->insertions = larger;
	larger[e->n_insertions++] = (struct yaml_insertion){ offset, length, text };
	return 0;
}

static int insert(struct yaml_edit *e, size_t offset, char *text)
{
	return yaml_edit_replace(e, offset, 0, text);
}

static size_t line_start(const char *text, size_t offset)
{
	while (offset > 0 && text[offset - 1] != '\n')
		offset--;
	return offset;
}

/* A line of its own before the one that holds offset, indented as far as "column" of that line. */
static int insert_line(struct yaml_edit *e, size_t offset, const char *line)
{
	size_t start = line_start(e->text, offset);
	char *text = NULL;

	if (asprintf(&text, "%*s%s " YAML_EDIT_MARK "\n", (int)(offset - start), "", line) < 0)
		return -ENOMEM;
	return insert(e, start, text);
}

/* All of them, in brackets that hold others or nothing. */
static int prepend_inside(struct yaml_edit *e, size_t offset, char *const *items, bool others)
{
	_cleanup_free_ char *text = strdup("");

	for (char *const *item = items; item && *item; item++) {
		char *longer = NULL;
		if (!text ||
		    asprintf(&longer, "%s%s%s", text, *item, others || item[1] ? ", " : "") < 0)
			return -ENOMEM;
		free(text);
		text = longer;
	}
	return insert(e, offset, TAKE_PTR(text));
}

int yaml_edit_prepend(struct yaml_edit *e, const struct node *list, char *const *items)
{
	size_t offset = offset_of(e->text, list->line, list->column);
	int r = 0;

	if (e->text[offset] == '[')
		return prepend_inside(e, offset + 1, items, list->n > 0);
	if (e->text[offset] != '-')
		return -EINVAL;
	for (; r == 0 && items && *items; items++) {
		_cleanup_free_ char *line = NULL;
		if (asprintf(&line, "- %s", *items) < 0)
			return -ENOMEM;
		r = insert_line(e, offset, line);
	}
	return r;
}

int yaml_edit_fill(struct yaml_edit *e, const struct node *nothing, const char *value)
{
	size_t offset = offset_of(e->text, nothing->line, nothing->column);
	size_t length = strlen(nothing->text);
	char *text = NULL;

	/* Between brackets, a nothing is where the next sign stands. */
	while (length == 0 && offset > 0 && e->text[offset - 1] == ' ')
		offset--;
	if (offset == 0 || strncmp(e->text + offset, nothing->text, length) != 0 ||
	    (length == 0 && e->text[offset - 1] != ':'))
		return -EINVAL;
	if (asprintf(&text, "%s%s", length == 0 ? " " : "", value) < 0)
		return -ENOMEM;
	return yaml_edit_replace(e, offset, length, text);
}

static bool is_begun(const struct yaml_edit *e, size_t offset)
{
	for (size_t i = 0; i < e->n_insertions; i++)
		if (e->insertions[i].offset == offset)
			return true;
	return false;
}

int yaml_edit_add(struct yaml_edit *e, const struct node *map, const char *key, const char *value)
{
	size_t offset = offset_of(e->text, map->line, map->column);
	_cleanup_free_ char *line = NULL;
	char *text = NULL;

	if (e->text[offset] == '{') {
		/* In "{}" there is nothing that a comma could part it from, but what was added before. */
		const char *before = map->n == 0 && is_begun(e, offset + 1) ? ", " : "";
		if (asprintf(&text, "%s%s: %s%s", before, key, value, map->n > 0 ? ", " : "") < 0)
			return -ENOMEM;
		return insert(e, offset + 1, text);
	}
	if (map->n == 0 ||
	    offset != offset_of(e->text, map->pairs[0].key->line, map->pairs[0].key->column))
		return -EINVAL;
	/* Only blanks may stand before the first key of a block map, or it shares its line with something. */
	for (size_t i = line_start(e->text, offset); i < offset; i++)
		if (e->text[i] != ' ')
			return -EINVAL;
	if (asprintf(&line, "%s: %s", key, value) < 0)
		return -ENOMEM;
	return insert_line(e, offset, line);
}

bool yaml_edit_is_block(const struct yaml_edit *e, const struct node *map)
{
	return map->n > 0 && map->pairs[0].key->column == 1 &&
	       e->text[offset_of(e->text, map->line, map->column)] != '{';
}

static bool is_word(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && strncmp(text, word, length) == 0;
}

static bool is_null(const char *text, size_t length)
{
	return is_word(text, length, "null") || is_word(text, length, "~") ||
	       is_word(text, length, "Null") || is_word(text, length, "NULL");
}

int yaml_edit_nothing(const char *text, size_t *ret_offset, size_t *ret_length)
{
	static const char blanks[] = " \t\r\n";
	const char *at = text;
	bool begun = false;

	*ret_offset = *ret_length = 0;
	for (at += strspn(at, blanks); *at; at += strspn(at, blanks)) {
		size_t length = strcspn(at, blanks);
		if (is_word(at, length, "..."))
			break;
		if (*at == '#' || *at == '%') {
			length = strcspn(at, "\n");
		} else if (is_word(at, length, "---")) {
			if (begun)
				return -EINVAL;
			begun = true;
		} else {
			if (*ret_length > 0 || !is_null(at, length))
				return -EINVAL;
			begun = true;
			*ret_offset = (size_t)(at - text);
			*ret_length = length;
		}
		at += length;
	}
	return 0;
}

/* A line "..." ends a document wherever it stands, also within quotes. */
size_t yaml_edit_end(const char *text, const struct node *root)
{
	const char *line = text + offset_of(text, root ? root->line : 1, 1);

	while (*line && (strncmp(line, "...", 3) != 0 || !strchr(" \t\r\n", line[3]))) {
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return (size_t)(line - text);
}

char *yaml_edit_apply(struct yaml_edit *e)
{
	char *result = NULL;
	size_t size, at = 0, length = strlen(e->text), skip = 0;
	FILE *f = open_memstream(&result, &size);

	if (!f)
		return NULL;
	/* Few insertions: each time the next one in the order of the file, equal offsets in the order they were made. */
	for (; at <= length; at++) {
		for (size_t i = 0; i < e->n_insertions; i++)
			if (e->insertions[i].offset == at) {
				fputs(e->insertions[i].text, f);
				skip += e->insertions[i].replaced;
			}
		if (skip > 0)
			skip--;
		else if (at < length)
			fputc(e->text[at], f);
	}
	if (fclose(f) != 0) {
		free(result);
		return NULL;
	}
	return result;
}

void yaml_edit_done(struct yaml_edit *e)
{
	for (size_t i = 0; i < e->n_insertions; i++)
		free(e->insertions[i].text);
	free(e->insertions);
	*e = (struct yaml_edit){ 0 };
}

int yaml_edit_strip(const char *edited, const struct plan_base *base, char **ret, struct diag *diag)
{
	static const char inside[] = "\"" REGISTRY_URL "\", ";
	_cleanup_free_ char *lines = NULL, *unmerged = NULL;
	/* Who named the cache before larder did keeps it. */
	bool theirs = base && base->original && strstr(base->original, REGISTRY_URL);
	size_t size;

	if (base && unmerge(base->original, base->written, edited, &unmerged) < 0)
		return diag_set(diag, -ENOMEM, "out of memory");
	const char *text = unmerged ? unmerged : edited;
	FILE *f = open_memstream(&lines, &size);
	if (!f)
		return diag_set(diag, -ENOMEM, "out of memory");
	while (*text) {
		size_t length = strcspn(text, "\n");
		bool ours = length >= strlen(YAML_EDIT_MARK) &&
			    strncmp(text + length - strlen(YAML_EDIT_MARK), YAML_EDIT_MARK,
				    strlen(YAML_EDIT_MARK)) == 0;
		const char *item = theirs ? NULL : memmem(text, length, inside, strlen(inside));
		length += text[length] == '\n';
		if (!ours && item)
			fprintf(f, "%.*s%.*s", (int)(item - text), text,
				(int)(text + length - item - (ptrdiff_t)strlen(inside)),
				item + strlen(inside));
		else if (!ours)
			fwrite(text, 1, length, f);
		text += length;
	}
	if (fclose(f) != 0)
		return diag_set(diag, -ENOMEM, "out of memory");
	return marked_strip(lines, NULL, ret, diag);
}

char *yaml_quote(const char *text)
{
	return text_quote(text, TEXT_ESCAPE_X);
}
