/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/node.h"
#include "base/text.h"

#include <stdarg.h>
#include <string.h>

bool node_is_null(const struct node *node)
{
	static const char *const spellings[] = { "", "~", "null", "Null", "NULL" };

	if (!node)
		return true;
	if (node->kind != NODE_SCALAR || !node->plain)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++)
		if (strcmp(node->text, spellings[i]) == 0)
			return true;
	return false;
}

static struct node *get_n(const struct node *map, const char *key, size_t length)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (strncmp(map->pairs[i].key->text, key, length) == 0 &&
		    map->pairs[i].key->text[length] == '\0')
			return map->pairs[i].value;
	return NULL;
}

struct node *node_get(const struct node *map, const char *key)
{
	return get_n(map, key, strlen(key));
}

struct node *node_find(const struct node *root, const char *path)
{
	struct node *found = NULL;

	for (;;) {
		size_t length = strcspn(path, ".");
		found = get_n(found ? found : root, path, length);
		if (node_is_null(found))
			return NULL;
		if (path[length] == '\0')
			return found;
		path += length + 1;
	}
}

static void put_pair(struct node *map, const struct node_pair *pair)
{
	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->pairs[i].key->text, pair->key->text) == 0) {
			map->pairs[i] = *pair;
			return;
		}
	}
	map->pairs[map->n++] = *pair;
}

struct node *node_merge(struct pool *pool, struct node *base, struct node *over)
{
	if (!base || base->kind != NODE_MAP || over->kind != NODE_MAP)
		return over;
	struct node *merged = pool_grow(pool, over, sizeof(*over), sizeof(*over));
	if (!merged)
		return NULL;
	merged->n = 0;
	merged->pairs = pool_alloc(pool, (base->n + over->n) * sizeof(struct node_pair));
	if (!merged->pairs)
		return NULL;
	for (size_t i = 0; i < base->n; i++)
		merged->pairs[merged->n++] = base->pairs[i];
	for (size_t i = 0; i < over->n; i++) {
		struct node_pair pair = over->pairs[i];
		pair.value = node_merge(pool, node_get(base, pair.key->text), pair.value);
		if (!pair.value)
			return NULL;
		put_pair(merged, &pair);
	}
	return merged;
}

const char *node_kind_name(const struct node *node)
{
	static const char *const names[] = { "text", "a list", "a map" };

	return node_is_null(node) ? "nothing" : names[node->kind];
}

void node_clean(char *message)
{
	for (; message && *message; message++)
		if ((unsigned char)*message < 0x20 || *message == 0x7f)
			*message = '?';
}

static bool is_inside_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* A message that quotes a long value loses its middle: what it says is at both ends. */
static void cut_middle(char *message)
{
	static const char cut[] = "[...]";
	size_t length = message ? strlen(message) : 0;
	size_t head = CONFIG_MESSAGE_MAX / 2, tail = length - CONFIG_MESSAGE_MAX / 2;

	if (length <= CONFIG_MESSAGE_MAX + strlen(cut))
		return;
	while (is_inside_character(message[head]))
		head--;
	while (is_inside_character(message[tail]))
		tail++;
	memcpy(message + head, cut, strlen(cut));
	memmove(message + head + strlen(cut), message + tail, length - tail + 1);
}

int node_error(const struct node *node, struct diag *diag, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	node_clean(message);
	cut_middle(message);
	return diag_set_at(diag, -EINVAL, node->file->path, node->line, node->column, "%s",
			   message ? message : "out of memory");
}

/* A place in a file that moves forward by characters. */
struct cursor {
	const char *at;
	unsigned line, column;
};

static void cursor_next(struct cursor *c)
{
	if (*c->at == '\n') {
		c->line++;
		c->column = 1;
		c->at++;
		return;
	}
	c->column++;
	do
		c->at++;
	while (is_inside_character(*c->at));
}

static void cursor_skip_space(struct cursor *c)
{
	while (*c->at && strchr(" \t\r\n", *c->at))
		cursor_next(c);
}

static bool cursor_go_to(struct cursor *c, unsigned line, unsigned column)
{
	while (*c->at && (c->line < line || (c->line == line && c->column < column)))
		cursor_next(c);
	return *c->at && c->line == line && c->column == column;
}

/* Puts the cursor on the first character of a scalar's content; *ret_quote is its quote or 0. */
static void enter_scalar(struct cursor *c, char *ret_quote)
{
	*ret_quote = '\0';
	if (*c->at == '\'' || *c->at == '"') {
		*ret_quote = *c->at;
		cursor_next(c);
	} else if (*c->at == '|' || *c->at == '>') {
		while (*c->at && *c->at != '\n')
			cursor_next(c);
	}
}

/* Is the character at the source the one of the text? Steps over the first half of an escape. */
static bool same_character(struct cursor *source, const char *text, char quote)
{
	if ((quote == '"' && *source->at == '\\' && (*text == '"' || *text == '\\')) ||
	    (quote == '\'' && *source->at == '\'' && *text == '\''))
		cursor_next(source);
	size_t length = 1;
	while (is_inside_character(text[length]))
		length++;
	return strncmp(source->at, text, length) == 0;
}

void node_text_position(const struct node *scalar, unsigned line, unsigned column,
			unsigned *ret_line, unsigned *ret_column)
{
	struct cursor source = { scalar->file->text, 1, 1 };
	struct cursor text = { scalar->text, 1, 1 };
	char quote;

	*ret_line = scalar->line;
	*ret_column = scalar->column;
	if (!cursor_go_to(&source, scalar->line, scalar->column))
		return;
	enter_scalar(&source, &quote);
	/* Line breaks and indentation differ between the two; all other characters are the same, in the same order. */
	struct cursor behind = source;
	for (;;) {
		bool there = text.line > line || (text.line == line && text.column >= column);
		if (there && !(*text.at && strchr(" \t\r\n", *text.at)))
			break;
		cursor_skip_space(&text);
		if (!*text.at)
			break;
		if (text.line > line || (text.line == line && text.column >= column))
			break;
		cursor_skip_space(&source);
		if (!same_character(&source, text.at, quote))
			return;
		cursor_next(&source);
		cursor_next(&text);
		behind = source;
	}
	if (*text.at)
		cursor_skip_space(&source);
	else
		source = behind;
	*ret_line = source.line;
	*ret_column = source.column;
}
