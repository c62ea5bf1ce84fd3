/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/schema.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "cel/selector.h"
#include "config/sizes.h"

#define KEYS_SUGGESTED_MAX 64

struct checker {
	const char *document;
	struct diag *diag;
};

static void write_trail(FILE *f, const struct trail *trail)
{
	if (!trail || !trail->up)
		return;
	write_trail(f, trail->up);
	if (!trail->name)
		fprintf(f, "[%zu]", trail->index);
	else if (strchr(trail->name, '.'))
		fprintf(f, "[\"%s\"]", trail->name);
	else
		fprintf(f, "%s%s", trail->up->up ? "." : "", trail->name);
}

char *trail_text(const struct trail *trail)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	write_trail(f, trail);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* "VolumeConfig IMAGECACHE: provisioning.grow: " before what an error says. */
static int add_context(struct checker *c, const struct trail *trail, int err)
{
	_cleanup_free_ char *path = trail_text(trail);

	if (path && *path)
		diag_prefix(c->diag, err, "%s: %s", c->document, path);
	else
		diag_prefix(c->diag, err, "%s", c->document);
	if (c->diag)
		node_clean(c->diag->message);
	return err;
}

static int fail(struct checker *c, const struct trail *trail, const struct node *node,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

static int fail(struct checker *c, const struct trail *trail, const struct node *node,
		const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	return add_context(c, trail,
			   node_error(node, c->diag, "%s", message ? message : "out of memory"));
}

/* A check function's words, put at the node's place. */
static int fail_with(struct checker *c, const struct trail *trail, const struct node *node, int err,
		     const struct diag *why)
{
	if (err == -ENOMEM)
		return diag_set(c->diag, err, "out of memory");
	return fail(c, trail, node, "%s", why->message ? why->message : strerror(-err));
}

const struct key *schema_row(const struct key *rows, const char *name)
{
	for (; rows && rows->type; rows++)
		if (strcmp(rows->name, name) == 0)
			return rows;
	return NULL;
}

static const char *nearest_key(const struct key *rows, const char *word)
{
	const char *names[KEYS_SUGGESTED_MAX];
	size_t n = 0;

	for (; rows && rows->type && n < KEYS_SUGGESTED_MAX; rows++)
		if (!rows->ignored && !rows->refused)
			names[n++] = rows->name;
	return text_nearest(word, names, n);
}

static bool is_foreign(const struct key *row, const char *name)
{
	for (const char *const *f = row->foreign; f && *f; f++)
		if (strcmp(*f, name) == 0)
			return true;
	return false;
}

/* A key that no row describes: an error, unless it may be another's and is not like one of ours. */
static int check_unknown(struct checker *c, const struct trail *trail, const struct key *row,
			 const struct node *key)
{
	const char *near = nearest_key(row->keys, key->text);

	if (row->foreign && (is_foreign(row, key->text) || !near))
		return 0;
	if (near)
		return fail(c, trail, key, "unknown key %s; did you mean %s?", key->text, near);
	return fail(c, trail, key, "unknown key %s", key->text);
}

static int check_node(struct checker *c, const struct trail *trail, const struct key *row,
		      const struct node *node);

static int check_map(struct checker *c, const struct trail *trail, const struct key *row,
		     const struct node *node)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < node->n; i++) {
		const struct node_pair *pair = &node->pairs[i];
		const struct key *child = schema_row(row->keys, pair->key->text);
		struct trail here = { trail, pair->key->text, 0 };
		r = child ? check_node(c, &here, child, pair->value)
			  : check_unknown(c, trail, row, pair->key);
	}
	return r;
}

static int check_named(struct checker *c, const struct trail *trail, const struct key *row,
		       const struct node *node)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < node->n; i++) {
		const struct node_pair *pair = &node->pairs[i];
		struct trail here = { trail, pair->key->text, 0 };
		_cleanup_diag_ struct diag why = DIAG_INIT;
		if (row->check_name)
			r = row->check_name(pair->key->text, &why);
		r = r < 0 ? fail_with(c, trail, pair->key, r, &why)
			  : check_node(c, &here, row->item, pair->value);
	}
	return r;
}

static int check_list(struct checker *c, const struct trail *trail, const struct key *row,
		      const struct node *node)
{
	int r = 0;

	if (row->max && node->n > row->max)
		return fail(c, trail, node, "more than %llu elements",
			    (unsigned long long)row->max);
	for (size_t i = 0; r == 0 && i < node->n; i++) {
		struct trail here = { trail, NULL, i };
		if (node_is_null(node->items[i]))
			return fail(c, &here, node->items[i], "is empty");
		r = check_node(c, &here, row->item, node->items[i]);
	}
	return r;
}

bool schema_bool(const struct node *node, bool *ret)
{
	static const char *const words[][2] = {
		{ "false", "true" }, { "False", "True" }, { "FALSE", "TRUE" },
		{ "no", "yes" },     { "No", "Yes" },	  { "NO", "YES" },
		{ "off", "on" },     { "Off", "On" },	  { "OFF", "ON" },
	};

	if (node->kind != NODE_SCALAR || !node->plain)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		for (int truth = 0; truth < 2; truth++) {
			if (strcmp(node->text, words[i][truth]) == 0) {
				*ret = truth;
				return true;
			}
		}
	}
	return false;
}

static int check_number(struct checker *c, const struct trail *trail, const struct key *row,
			const struct node *node)
{
	char *end;

	errno = 0;
	unsigned long long value = strtoull(node->text, &end, 10);
	if (!node->plain || *node->text < '0' || *node->text > '9' || *end || errno)
		return fail(c, trail, node, "must be a whole number, not \"%s\"", node->text);
	if (value < row->min || value > row->max)
		return fail(c, trail, node, "must be between %llu and %llu, not %llu",
			    (unsigned long long)row->min, (unsigned long long)row->max, value);
	return 0;
}

/* "a, b, c"; owned by the caller; NULL: out of memory. */
static char *join_choices(const char *const *choices)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; choices[i]; i++)
		fprintf(f, "%s%s", i ? ", " : "", choices[i]);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static int check_text(struct checker *c, const struct trail *trail, const struct key *row,
		      const struct node *node)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	size_t n = 0;

	if (row->max && strlen(node->text) > row->max)
		return fail(c, trail, node, "is longer than %llu bytes",
			    (unsigned long long)row->max);
	if (row->check) {
		int r = row->check(node->text, &why);
		return r < 0 ? fail_with(c, trail, node, r, &why) : 0;
	}
	if (!row->choices)
		return 0;
	for (; row->choices[n]; n++)
		if (strcmp(row->choices[n], node->text) == 0)
			return 0;
	const char *near = text_nearest(node->text, row->choices, n);
	if (near)
		return fail(c, trail, node, "\"%s\" is not known here; did you mean %s?",
			    node->text, near);
	_cleanup_free_ char *known = join_choices(row->choices);
	if (!known)
		return diag_set(c->diag, -ENOMEM, "out of memory");
	return fail(c, trail, node, "\"%s\" is not known here; larder knows %s", node->text, known);
}

int schema_selector(const struct node *scalar, enum value_type type, struct selector **ret,
		    struct diag *diag)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	unsigned line = scalar->line, column = scalar->column;
	int r = selector_compile(type == VALUE_DISK_SELECTOR ? SELECTOR_DISK : SELECTOR_VOLUME,
				 scalar->text, ret, &why);

	if (r >= 0)
		return 0;
	if (why.line)
		node_text_position(scalar, why.line, why.column ? why.column : 1, &line, &column);
	diag_set_at(diag, r, scalar->file->path, line, column, "%s",
		    why.message ? why.message : strerror(-r));
	if (diag && why.excerpt) {
		diag->excerpt = why.excerpt;
		why.excerpt = NULL;
	}
	return r;
}

static int check_selector(struct checker *c, const struct trail *trail, const struct key *row,
			  const struct node *node)
{
	struct selector *selector = NULL;
	int r = schema_selector(node, row->type, &selector, c->diag);

	if (r < 0)
		return add_context(c, trail, r);
	selector_free(selector);
	return 0;
}

static int check_measure(struct checker *c, const struct trail *trail, const struct key *row,
			 const struct node *node)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	struct size_spec size;
	uint64_t ms;
	int r = row->type == VALUE_DURATION
			? duration_parse(node->text, &ms, &why)
			: size_parse(node->text, row->type == VALUE_RELATIVE_SIZE, &size, &why);

	if (r < 0)
		return fail_with(c, trail, node, r, &why);
	if (row->type != VALUE_DURATION && row->min && size.kind != SIZE_NEGATIVE &&
	    size.value < row->min)
		return fail(c, trail, node,
			    size.kind == SIZE_PERCENT ? "must be at least 0.01%%"
						      : "must be more than 0");
	return 0;
}

static int check_scalar(struct checker *c, const struct trail *trail, const struct key *row,
			const struct node *node)
{
	bool truth;

	switch (row->type) {
	case VALUE_BOOL:
		if (schema_bool(node, &truth))
			return 0;
		return fail(c, trail, node, "must be true or false, not %s\"%s\"",
			    node->plain ? "" : "the text ", node->text);
	case VALUE_NUMBER:
		return check_number(c, trail, row, node);
	case VALUE_SIZE:
	case VALUE_RELATIVE_SIZE:
	case VALUE_DURATION:
		return check_measure(c, trail, row, node);
	case VALUE_DISK_SELECTOR:
	case VALUE_VOLUME_SELECTOR:
		return check_selector(c, trail, row, node);
	default:
		return check_text(c, trail, row, node);
	}
}

static enum node_kind expected_kind(const struct key *row)
{
	if (row->type == VALUE_MAP || row->type == VALUE_NAMED)
		return NODE_MAP;
	return row->type == VALUE_LIST ? NODE_LIST : NODE_SCALAR;
}

static int check_node(struct checker *c, const struct trail *trail, const struct key *row,
		      const struct node *node)
{
	static const char *const names[] = { "a single value", "a list", "a map" };
	enum node_kind expected = expected_kind(row);

	if (row->ignored || node_is_null(node))
		return 0;
	if (row->refused)
		return fail(c, trail, node, "%s", row->refused);
	if (node->kind != expected)
		return fail(c, trail, node, "must be %s, not %s", names[expected],
			    node_kind_name(node));
	switch (row->type) {
	case VALUE_MAP:
		return check_map(c, trail, row, node);
	case VALUE_NAMED:
		return check_named(c, trail, row, node);
	case VALUE_LIST:
		return check_list(c, trail, row, node);
	default:
		return check_scalar(c, trail, row, node);
	}
}

int schema_check(const struct node *root, const struct key *row, const char *document,
		 struct diag *diag)
{
	struct checker c = { document, diag };
	struct trail top = { 0 };

	return check_node(&c, &top, row, root);
}

static int complete_node(struct checker *c, const struct trail *trail, const struct key *row,
			 const struct node *node);

static int complete_map(struct checker *c, const struct trail *trail, const struct key *row,
			const struct node *node)
{
	for (const struct key *child = row->keys; child && child->type; child++) {
		const struct node *value = node_get(node, child->name);
		struct trail here = { trail, child->name, 0 };
		if (node_is_null(value)) {
			if (child->required)
				return fail(c, trail, node, "the key %s is missing", child->name);
			continue;
		}
		int r = complete_node(c, &here, child, value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int complete_node(struct checker *c, const struct trail *trail, const struct key *row,
			 const struct node *node)
{
	int r = 0;

	if (row->ignored || node_is_null(node))
		return 0;
	if (row->type == VALUE_MAP)
		return complete_map(c, trail, row, node);
	for (size_t i = 0; r == 0 && row->type == VALUE_NAMED && i < node->n; i++) {
		struct trail here = { trail, node->pairs[i].key->text, 0 };
		r = complete_node(c, &here, row->item, node->pairs[i].value);
	}
	for (size_t i = 0; r == 0 && row->type == VALUE_LIST && i < node->n; i++) {
		struct trail here = { trail, NULL, i };
		r = complete_node(c, &here, row->item, node->items[i]);
	}
	return r;
}

int schema_check_complete(const struct node *root, const struct key *row, const char *document,
			  struct diag *diag)
{
	struct checker c = { document, diag };
	struct trail top = { 0 };

	return complete_node(&c, &top, row, root);
}
