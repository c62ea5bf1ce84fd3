/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/show.h"

#include <string.h>

#include "base/names.h"
#include "config/documents.h"
#include "config/fill.h"

struct lister {
	const struct machine_config *config;
	struct config_values *values;
	const char *document;
	bool in_item; /* below an element of a list or a named entry: absent maps are not worth showing */
};

void config_values_done(struct config_values *values)
{
	for (size_t i = 0; i < values->n_values; i++) {
		free(values->values[i].document);
		free(values->values[i].key);
		free(values->values[i].value);
	}
	free(values->values);
	*values = (struct config_values){ 0 };
}

static enum config_value_kind kind_of(const struct key *row)
{
	if (row->type == VALUE_BOOL)
		return CONFIG_VALUE_BOOL;
	return row->type == VALUE_NUMBER ? CONFIG_VALUE_NUMBER : CONFIG_VALUE_TEXT;
}

/* Takes value; NULL is "out of memory". */
static int add_value(struct lister *l, const struct trail *trail, enum config_value_kind kind,
		     char *value, struct origin origin)
{
	size_t n = l->values->n_values;
	struct config_value *larger =
		value ? reallocarray(l->values->values, n + 1, sizeof(*larger)) : NULL;

	if (!larger) {
		free(value);
		return -ENOMEM;
	}
	l->values->values = larger;
	larger[n] = (struct config_value){ strdup(l->document), trail_text(trail), value, kind,
					   origin };
	l->values->n_values++;
	return larger[n].document && larger[n].key ? 0 : -ENOMEM;
}

/* Default sizes give way to sizes that were set, so what holds is in the config. */
static char *default_text(const struct lister *l, const struct key *row)
{
	if (strcmp(row->name, "minSize") == 0)
		return size_describe(&l->config->volume.min_size);
	if (strcmp(row->name, "maxSize") == 0)
		return size_describe(&l->config->volume.max_size);
	return strdup(row->fallback);
}

static char *scalar_text(const struct key *row, const struct node *node)
{
	bool truth;

	if (row->secret)
		return strdup(CONFIG_REDACTED);
	if (row->type == VALUE_BOOL && schema_bool(node, &truth))
		return strdup(truth ? "true" : "false");
	return strdup(node->text);
}

static int list_node(struct lister *l, const struct trail *trail, const struct key *row,
		     const struct node *node);

static int list_map(struct lister *l, const struct trail *trail, const struct key *row,
		    const struct node *node)
{
	int r = 0;

	for (const struct key *child = row->keys; r == 0 && child && child->type; child++) {
		struct trail here = { trail, child->name, 0 };
		r = list_node(l, &here, child, node_get(node, child->name));
	}
	if (r == 0 && node && node->n == 0 && trail->up)
		r = add_value(l, trail, CONFIG_VALUE_TEXT, strdup("{}"), fill_origin(node));
	return r;
}

static int list_items(struct lister *l, const struct trail *trail, const struct key *row,
		      const struct node *node)
{
	bool before = l->in_item;
	int r = 0;

	l->in_item = true;
	for (size_t i = 0; r == 0 && i < node->n; i++) {
		bool named = row->type == VALUE_NAMED;
		struct trail here = { trail, named ? node->pairs[i].key->text : NULL, i };
		r = list_node(l, &here, row->item, named ? node->pairs[i].value : node->items[i]);
	}
	l->in_item = before;
	return r;
}

static int list_node(struct lister *l, const struct trail *trail, const struct key *row,
		     const struct node *node)
{
	if (node_is_null(node))
		node = NULL;
	if (row->ignored || row->refused)
		return 0;
	if (row->type == VALUE_MAP)
		return node || !l->in_item ? list_map(l, trail, row, node) : 0;
	if (row->type == VALUE_NAMED || row->type == VALUE_LIST)
		return node ? list_items(l, trail, row, node) : 0;
	if (node)
		return add_value(l, trail, kind_of(row), scalar_text(row, node), fill_origin(node));
	if (!row->fallback)
		return 0;
	return add_value(l, trail, kind_of(row), default_text(l, row), (struct origin){ 0 });
}

static int list_document(struct lister *l, const struct document_set *set,
			 const struct document_kind *kind, const char *label,
			 const struct node *root)
{
	struct trail top = { 0 };

	/* Where the new document says it, the old place has no default to show. */
	if (strcmp(kind->name, KIND_MACHINE) == 0 && documents_find(set, KIND_IMAGE_CACHE, NULL) &&
	    !root)
		return 0;
	l->document = label;
	return list_node(l, &top, &kind->root, root);
}

/* Kinds whose defaults hold although nobody wrote the document. */
static int list_absent(struct lister *l, const struct document_set *set)
{
	static const char *const kinds[] = { KIND_MACHINE, KIND_VOLUME, KIND_LAYERS };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++) {
		for (size_t j = 0; r == 0 && j < n_document_kinds; j++) {
			const struct document_kind *kind = &document_kinds[j];
			if (strcmp(kind->name, kinds[i]) != 0 ||
			    documents_find(set, kind->name, NULL))
				continue;
			r = list_document(l, set, kind,
					  kind->named ? KIND_VOLUME " " NAME_VOLUME : kind->name,
					  NULL);
		}
	}
	return r;
}

int machine_config_values(const struct machine_config *c, struct config_values *ret)
{
	const struct document_set *set = c->private_;
	struct config_values values = { 0 };
	struct lister l = { .config = c, .values = &values };
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->n_documents; i++) {
		const struct document *d = &set->documents[i];
		r = list_document(&l, set, d->kind, d->label, d->root);
	}
	if (r == 0)
		r = list_absent(&l, set);
	if (r < 0) {
		config_values_done(&values);
		return r;
	}
	*ret = values;
	return 0;
}
