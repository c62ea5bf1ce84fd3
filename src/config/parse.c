/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* node_parse(): libyaml's events, turned into nodes. */
#include <string.h>
#include <yaml.h>

#include "base/text.h"
#include "config/machine_config.h"
#include "config/map.h"
#include "config/node.h"

struct anchor {
	char *name;
	struct node *node;
};

struct parser {
	yaml_parser_t yaml;
	struct pool *pool;
	const struct config_file *file;
	uint64_t *nodes;
	struct anchor anchors[CONFIG_ANCHORS_MAX];
	size_t n_anchors;
	struct diag *diag;
};

/* Event and the memory of libyaml that goes with it. */
#define _cleanup_event_ _cleanup_(yaml_event_delete)

static int fail_at(struct parser *p, const yaml_mark_t *mark, const char *message)
{
	return diag_set_at(p->diag, -EINVAL, p->file->path, (unsigned)mark->line + 1,
			   (unsigned)mark->column + 1, "%s", message);
}

static int out_of_memory(struct parser *p)
{
	return diag_set(p->diag, -ENOMEM, "out of memory");
}

/* libyaml reads ahead, so its own mark is of no use: the place is found from the byte's offset. */
static int unreadable(struct parser *p)
{
	const char *end = p->file->text + p->yaml.problem_offset;
	unsigned line = 1, column = 1;

	for (const char *c = p->file->text; *c && c < end; c++) {
		if (*c == '\n') {
			line++;
			column = 0;
		}
		column += ((unsigned char)*c & 0xc0) != 0x80;
	}
	return diag_set_at(p->diag, -EINVAL, p->file->path, line, column, "this is not YAML: %s",
			   p->yaml.problem);
}

/* Is there nothing but spaces before the place, and a tab at it? */
static bool is_indented_by_tab(const char *text, const yaml_mark_t *mark)
{
	for (size_t line = 0; text && line < mark->line; line++) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text && strspn(text, " ") == mark->column && text[mark->column] == '\t';
}

/* What libyaml says, at the place where it says it. */
static int yaml_failed(struct parser *p)
{
	const yaml_parser_t *y = &p->yaml;

	if (y->error == YAML_MEMORY_ERROR)
		return out_of_memory(p);
	if (y->error == YAML_READER_ERROR)
		return unreadable(p);
	if (is_indented_by_tab(p->file->text, &y->problem_mark))
		return fail_at(p, &y->problem_mark,
			       "this is not YAML: a tab cannot indent; use spaces");
	return diag_set_at(p->diag, -EINVAL, p->file->path, (unsigned)y->problem_mark.line + 1,
			   (unsigned)y->problem_mark.column + 1, "this is not YAML: %s%s%s",
			   y->problem ? y->problem : "unknown problem", y->context ? ", " : "",
			   y->context ? y->context : "");
}

static int next_event(struct parser *p, yaml_event_t *event)
{
	return yaml_parser_parse(&p->yaml, event) ? 0 : yaml_failed(p);
}

static bool tag_is_core(const yaml_char_t *tag)
{
	static const char *const core[] = { "str",  "int", "bool", "float",
					    "null", "map", "seq",  "merge" };
	static const char prefix[] = "tag:yaml.org,2002:";
	const char *text = (const char *)tag;

	if (!text || strcmp(text, "!") == 0)
		return true;
	if (!text_starts_with(text, prefix))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(core); i++)
		if (strcmp(text + sizeof(prefix) - 1, core[i]) == 0)
			return true;
	return false;
}

static const yaml_char_t *event_tag(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.tag;
	default:
		return NULL;
	}
}

static const char *event_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return (const char *)event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return (const char *)event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return (const char *)event->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

/* Counts nodes over all files: what an alias stands for counts each time. */
static int count_nodes(struct parser *p, const yaml_mark_t *mark, uint64_t n)
{
	*p->nodes += n;
	if (*p->nodes <= CONFIG_NODES_MAX)
		return 0;
	return diag_set_at(p->diag, -EINVAL, p->file->path, (unsigned)mark->line + 1,
			   (unsigned)mark->column + 1,
			   "the config has more than %d values when its aliases are followed",
			   CONFIG_NODES_MAX);
}

static int new_node(struct parser *p, const yaml_event_t *event, enum node_kind kind,
		    struct node **ret)
{
	int r = count_nodes(p, &event->start_mark, 1);

	if (r < 0)
		return r;
	struct node *node = pool_alloc(p->pool, sizeof(*node));
	if (!node)
		return out_of_memory(p);
	node->kind = kind;
	node->file = p->file;
	node->line = (unsigned)event->start_mark.line + 1;
	node->column = (unsigned)event->start_mark.column + 1;
	node->height = 1;
	node->weight = 1;
	if (!tag_is_core(event_tag(event)))
		return node_error(node, p->diag, "the tag %s is not known here",
				  (const char *)event_tag(event));
	*ret = node;
	return 0;
}

static int parse_scalar(struct parser *p, const yaml_event_t *event, struct node **ret)
{
	struct node *node;
	int r = new_node(p, event, NODE_SCALAR, &node);

	if (r < 0)
		return r;
	const char *text = (const char *)event->data.scalar.value;
	if (strlen(text) != event->data.scalar.length)
		return fail_at(p, &event->start_mark, "a text holds a NUL character");
	node->text = pool_strndup(p->pool, text, event->data.scalar.length);
	if (!node->text)
		return out_of_memory(p);
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		      event->data.scalar.plain_implicit;
	*ret = node;
	return 0;
}

static int parse_alias(struct parser *p, const yaml_event_t *event, unsigned depth,
		       struct node **ret)
{
	const char *name = (const char *)event->data.alias.anchor;

	for (size_t i = p->n_anchors; i > 0; i--) {
		struct node *node = p->anchors[i - 1].node;
		if (strcmp(p->anchors[i - 1].name, name) != 0)
			continue;
		if (depth + node->height > CONFIG_DEPTH_MAX)
			return fail_at(p, &event->start_mark, "too deeply nested");
		int r = count_nodes(p, &event->start_mark, node->weight);
		if (r == 0)
			*ret = node;
		return r;
	}
	return diag_set_at(p->diag, -EINVAL, p->file->path, (unsigned)event->start_mark.line + 1,
			   (unsigned)event->start_mark.column + 1,
			   "the alias *%s has no anchor before it", name);
}

static int remember_anchor(struct parser *p, const yaml_event_t *event, struct node *node)
{
	const char *name = event_anchor(event);

	if (!name)
		return 0;
	if (p->n_anchors == CONFIG_ANCHORS_MAX)
		return diag_set_at(p->diag, -EINVAL, p->file->path, node->line, node->column,
				   "more than %d anchors in one document", CONFIG_ANCHORS_MAX);
	char *copy = pool_strdup(p->pool, name);
	if (!copy)
		return out_of_memory(p);
	p->anchors[p->n_anchors++] = (struct anchor){ copy, node };
	return 0;
}

static void adopt(struct node *parent, const struct node *child)
{
	parent->weight += child->weight;
	if (child->height + 1 > parent->height)
		parent->height = child->height + 1;
}

/* Room for one more element; capacities are powers of two. */
static int make_room(struct parser *p, void **array, size_t n, size_t element)
{
	if (n != 0 && (n & (n - 1)) != 0)
		return 0;
	void *larger = pool_grow(p->pool, *array, n * element, (n ? n * 2 : 1) * element);
	if (!larger)
		return out_of_memory(p);
	*array = larger;
	return 0;
}

static int parse_value(struct parser *p, const yaml_event_t *event, unsigned depth,
		       struct node **ret);

static int parse_list(struct parser *p, const yaml_event_t *start, unsigned depth,
		      struct node **ret)
{
	struct node *list;
	int r = new_node(p, start, NODE_LIST, &list);

	while (r == 0) {
		_cleanup_event_ yaml_event_t event = { 0 };
		struct node *item;
		r = next_event(p, &event);
		if (r < 0)
			return r;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		r = parse_value(p, &event, depth + 1, &item);
		if (r == 0)
			r = make_room(p, (void **)&list->items, list->n, sizeof(*list->items));
		if (r == 0) {
			list->items[list->n++] = item;
			adopt(list, item);
		}
	}
	if (r == 0)
		*ret = list;
	return r;
}

static int parse_key(struct parser *p, const yaml_event_t *event, unsigned depth, struct node **ret)
{
	struct node *key;

	if (event->type != YAML_SCALAR_EVENT && event->type != YAML_ALIAS_EVENT)
		return fail_at(p, &event->start_mark, "a key must be a plain text");
	int r = parse_value(p, event, depth, &key);
	if (r < 0)
		return r;
	if (key->kind != NODE_SCALAR)
		return fail_at(p, &event->start_mark, "a key must be a plain text");
	*ret = key;
	return 0;
}

static int parse_pair(struct parser *p, const yaml_event_t *key_event, unsigned depth,
		      struct node *map)
{
	_cleanup_event_ yaml_event_t event = { 0 };
	struct node_pair pair;
	int r = parse_key(p, key_event, depth, &pair.key);

	if (r == 0)
		r = next_event(p, &event);
	if (r == 0)
		r = parse_value(p, &event, depth, &pair.value);
	if (r == 0 && map->n == CONFIG_KEYS_MAX)
		r = node_error(map, p->diag, "more than %d keys in one map", CONFIG_KEYS_MAX);
	if (r == 0)
		r = make_room(p, (void **)&map->pairs, map->n, sizeof(*map->pairs));
	if (r < 0)
		return r;
	map->pairs[map->n++] = pair;
	adopt(map, pair.key);
	adopt(map, pair.value);
	return 0;
}

static int parse_map(struct parser *p, const yaml_event_t *start, unsigned depth, struct node **ret)
{
	struct node *map;
	int r = new_node(p, start, NODE_MAP, &map);

	while (r == 0) {
		_cleanup_event_ yaml_event_t event = { 0 };
		r = next_event(p, &event);
		if (r < 0)
			return r;
		if (event.type == YAML_MAPPING_END_EVENT)
			break;
		r = parse_pair(p, &event, depth + 1, map);
	}
	if (r == 0)
		r = map_finish(p->pool, map, p->diag);
	if (r == 0)
		*ret = map;
	return r;
}

static int parse_value(struct parser *p, const yaml_event_t *event, unsigned depth,
		       struct node **ret)
{
	struct node *node = NULL;
	int r;

	if (depth > CONFIG_DEPTH_MAX)
		return fail_at(p, &event->start_mark, "too deeply nested");
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return parse_alias(p, event, depth, ret);
	case YAML_SCALAR_EVENT:
		r = parse_scalar(p, event, &node);
		break;
	case YAML_SEQUENCE_START_EVENT:
		r = parse_list(p, event, depth, &node);
		break;
	case YAML_MAPPING_START_EVENT:
		r = parse_map(p, event, depth, &node);
		break;
	default:
		return fail_at(p, &event->start_mark, "a value is missing");
	}
	/* Only now: a node that holds an alias of itself would have no end. */
	if (r == 0)
		r = remember_anchor(p, event, node);
	if (r == 0)
		*ret = node;
	return r;
}

static int parse_document(struct parser *p, struct node **ret)
{
	_cleanup_event_ yaml_event_t event = { 0 }, end = { 0 };
	int r = next_event(p, &event);

	p->n_anchors = 0;
	if (r == 0)
		r = parse_value(p, &event, 1, ret);
	if (r == 0)
		r = next_event(p, &end); /* the document's end */
	return r;
}

static int parse_stream(struct parser *p, struct node ***ret, size_t *ret_n)
{
	struct node **documents = NULL;
	size_t n = 0;

	for (;;) {
		_cleanup_event_ yaml_event_t event = { 0 };
		struct node *root;
		int r = next_event(p, &event);
		if (r < 0)
			return r;
		if (event.type == YAML_STREAM_END_EVENT)
			break;
		if (event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (n == CONFIG_DOCUMENTS_MAX)
			return diag_set_at(p->diag, -EINVAL, p->file->path,
					   (unsigned)event.start_mark.line + 1, 1,
					   "more than %d documents in one file",
					   CONFIG_DOCUMENTS_MAX);
		r = parse_document(p, &root);
		if (r == 0)
			r = make_room(p, (void **)&documents, n, sizeof(*documents));
		if (r < 0)
			return r;
		if (!node_is_null(root))
			documents[n++] = root;
	}
	*ret = documents;
	*ret_n = n;
	return 0;
}

#define UTF8_BYTES_MAX 4

/* The column of the first bytes that are no character, counted in characters as libyaml counts. */
static unsigned column_of_bad_bytes(const char *start, const char *end)
{
	unsigned column = 1;

	while (start < end) {
		size_t left = (size_t)(end - start), n = 1;
		while (n <= UTF8_BYTES_MAX && n <= left && !text_is_utf8(start, n))
			n++;
		if (n > UTF8_BYTES_MAX || n > left)
			break;
		start += n;
		column++;
	}
	return column;
}

/* UTF-8 only: libyaml would also take UTF-16, and count lines in it by other rules. */
static int check_encoding(const struct config_file *file, struct diag *diag)
{
	unsigned line = 1;
	const char *start = file->text, *end = file->text + file->size;

	if (text_is_utf8(file->text, file->size))
		return 0;
	while (start < end) {
		const char *newline = memchr(start, '\n', (size_t)(end - start));
		size_t length = (size_t)((newline ? newline : end) - start);
		if (!text_is_utf8(start, length))
			break;
		line++;
		start += length + 1;
	}
	return diag_set_at(diag, -EINVAL, file->path, line, column_of_bad_bytes(start, end),
			   "this line holds bytes that are not UTF-8 text; save the file as UTF-8");
}

int node_parse(struct pool *pool, const struct config_file *file, uint64_t *nodes,
	       struct node ***ret_documents, size_t *ret_n, struct diag *diag)
{
	struct parser *p = pool_alloc(pool, sizeof(*p));
	int r = check_encoding(file, diag);

	if (r < 0)
		return r;
	if (!p || !yaml_parser_initialize(&p->yaml))
		return diag_set(diag, -ENOMEM, "out of memory");
	p->pool = pool;
	p->file = file;
	p->nodes = nodes;
	p->diag = diag;
	yaml_parser_set_input_string(&p->yaml, (const unsigned char *)file->text, file->size);
	r = parse_stream(p, ret_documents, ret_n);
	yaml_parser_delete(&p->yaml);
	return r;
}
