/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/documents.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "config/machine_config.h"

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

int documents_note(struct document_set *set, const struct node *node, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	if (!message)
		return -ENOMEM;
	int r = node ? strv_addf(&set->notes, "%s:%u: %s", node->file->path, node->line, message)
		     : strv_add(&set->notes, message);
	if (r == 0)
		node_clean(set->notes[strv_length(set->notes) - 1]);
	return r;
}

const struct document *documents_find(const struct document_set *set, const char *kind,
				      const char *name)
{
	for (size_t i = 0; i < set->n_documents; i++) {
		const struct document *d = &set->documents[i];
		if (strcmp(d->kind->name, kind) == 0 &&
		    (!name || (d->name && strcmp(d->name, name) == 0)))
			return d;
	}
	return NULL;
}

/* The text of a key that says what a document is; NULL: it is not there. */
static int get_meta(const struct node *root, const char *key, const char **ret, struct diag *diag)
{
	const struct node *value = node_get(root, key);

	*ret = NULL;
	if (node_is_null(value))
		return 0;
	if (value->kind != NODE_SCALAR)
		return node_error(value, diag, "%s must be a single value, not %s", key,
				  node_kind_name(value));
	*ret = value->text;
	return 0;
}

/* Neither apiVersion nor kind: Talos's machine document, or nothing that larder knows. */
static int classify_machine(const struct node *root, const struct document_kind **ret,
			    struct diag *diag)
{
	const char *version;
	int r = get_meta(root, "version", &version, diag);

	if (r < 0)
		return r;
	if (version && strcmp(version, API_TALOS) != 0)
		return node_error(node_get(root, "version"), diag,
				  "the version of a machine document is " API_TALOS ", not %s",
				  version);
	if (!version && !node_get(root, "machine") && !node_get(root, "cluster"))
		return node_error(root, diag,
				  "this is no document that larder knows: it has neither "
				  "apiVersion and kind nor \"machine:\"");
	*ret = &document_kinds[0];
	return 0;
}

static int unknown_kind(struct document_set *set, const struct node *root, const char *api,
			const char *kind, struct diag *diag)
{
	const struct node *at = node_get(root, "kind");
	const char *other = strcmp(api, API_TALOS) == 0 ? API_LARDER : API_TALOS;
	const char *near = document_kind_nearest(api, kind);

	if (document_kind_find(other, kind))
		return node_error(node_get(root, "apiVersion"), diag,
				  "%s has the apiVersion %s, not %s", kind, other, api);
	if (strcmp(api, API_TALOS) == 0 && (!near || document_kind_is_foreign(kind)))
		return documents_note(set, root, "%s is not larder's and is ignored", kind) < 0
			       ? out_of_memory(diag)
			       : 0;
	if (near)
		return node_error(at, diag, "unknown kind %s; did you mean %s?", kind, near);
	return node_error(at, diag, "unknown kind %s of %s", kind, api);
}

/* *ret NULL: another program's document, noted. */
static int classify(struct document_set *set, const struct node *root,
		    const struct document_kind **ret, struct diag *diag)
{
	const char *api, *kind;
	int r = get_meta(root, "apiVersion", &api, diag);

	*ret = NULL;
	if (r == 0)
		r = get_meta(root, "kind", &kind, diag);
	if (r < 0)
		return r;
	if (!api && !kind)
		return classify_machine(root, ret, diag);
	if (!api || !kind)
		return node_error(root, diag, "the key %s is missing", api ? "kind" : "apiVersion");
	if (strcmp(api, API_TALOS) != 0 && strcmp(api, API_LARDER) != 0)
		return node_error(node_get(root, "apiVersion"), diag,
				  "the apiVersion is " API_LARDER " or " API_TALOS ", not %s", api);
	*ret = document_kind_find(api, kind);
	return *ret ? 0 : unknown_kind(set, root, api, kind, diag);
}

/* Of volumes only IMAGECACHE is ours. *ret_ours false: another one, noted. */
static int check_volume_name(struct document_set *set, const struct node *root, const char *name,
			     bool *ret_ours, struct diag *diag)
{
	static const char *const ours[] = { NAME_VOLUME };

	*ret_ours = strcmp(name, NAME_VOLUME) == 0;
	if (*ret_ours)
		return 0;
	if (text_nearest(name, ours, 1))
		return node_error(node_get(root, "name"), diag,
				  "unknown volume %s; did you mean " NAME_VOLUME "?", name);
	if (documents_note(set, root, "VolumeConfig %s is not larder's and is ignored", name) < 0)
		return out_of_memory(diag);
	return 0;
}

static int get_name(const struct document_kind *kind, const struct node *root, const char **ret,
		    struct diag *diag)
{
	int r;

	*ret = NULL;
	if (!kind->named)
		return 0;
	r = get_meta(root, "name", ret, diag);
	if (r == 0 && (!*ret || !**ret))
		return node_error(root, diag, "%s: the key name is missing", kind->name);
	return r;
}

static struct document *new_document(struct document_set *set, const struct document_kind *kind,
				     const char *name, const char *label)
{
	size_t n = set->n_documents;
	struct document *larger = pool_grow(&set->pool, set->documents, n * sizeof(*larger),
					    (n + 1) * sizeof(*larger));

	if (!larger)
		return NULL;
	set->documents = larger;
	larger[n] = (struct document){ .kind = kind, .name = name, .label = label };
	set->n_documents++;
	return &larger[n];
}

static int merge_document(struct document_set *set, const struct document_kind *kind,
			  const char *name, const char *label, struct node *root, struct diag *diag)
{
	struct document *d = (struct document *)documents_find(set, kind->name, name);

	if (d && d->last->file == root->file)
		return node_error(root, diag, "%s is already in this file, at line %u", label,
				  d->last->line);
	if (!d) {
		if (set->n_documents == CONFIG_DOCUMENTS_MAX)
			return node_error(root, diag, "more than %d documents",
					  CONFIG_DOCUMENTS_MAX);
		if (kind->later && documents_note(set, root, "%s is checked and has no effect: %s",
						  label, kind->later) < 0)
			return out_of_memory(diag);
		d = new_document(set, kind, name, label);
	}
	if (d)
		d->root = node_merge(&set->pool, d->root, root);
	if (!d || !d->root)
		return out_of_memory(diag);
	d->last = root;
	return 0;
}

static int add_document(struct document_set *set, struct node *root, struct diag *diag)
{
	const struct document_kind *kind;
	const char *name = NULL, *label;
	bool ours = true;
	int r;

	if (root->kind != NODE_MAP)
		return node_error(root, diag, "a document must be a map, not %s",
				  node_kind_name(root));
	r = classify(set, root, &kind, diag);
	if (r < 0 || !kind)
		return r;
	r = get_name(kind, root, &name, diag);
	if (r == 0 && strcmp(kind->name, KIND_VOLUME) == 0)
		r = check_volume_name(set, root, name, &ours, diag);
	if (r < 0 || !ours)
		return r;
	label = name ? pool_printf(&set->pool, "%s %s", kind->name, name) : kind->name;
	if (!label)
		return out_of_memory(diag);
	r = schema_check(root, &kind->root, label, diag);
	return r < 0 ? r : merge_document(set, kind, name, label, root, diag);
}

/* The first secret below node; NULL: there is none. */
static const struct node *find_secret(const struct key *row, const struct node *node)
{
	const struct node *found = NULL;

	if (node_is_null(node) || row->ignored)
		return NULL;
	if (row->secret)
		return node;
	for (const struct key *k = row->keys; !found && k && k->type; k++)
		found = find_secret(k, node_get(node, k->name));
	for (size_t i = 0; !found && row->type == VALUE_NAMED && i < node->n; i++)
		found = find_secret(row->item, node->pairs[i].value);
	for (size_t i = 0; !found && row->type == VALUE_LIST && i < node->n; i++)
		found = find_secret(row->item, node->items[i]);
	return found;
}

/* A file that anybody can read and that holds a secret: noted once. */
static int warn_about_secrets(struct document_set *set, const struct config_file *file,
			      struct diag *diag)
{
	if (!(file->mode & 0004))
		return 0;
	for (size_t i = 0; i < set->n_documents; i++) {
		const struct document *d = &set->documents[i];
		if (d->last->file != file)
			continue;
		const struct node *secret = find_secret(&d->kind->root, d->last);
		if (!secret)
			continue;
		if (documents_note(set, secret,
				   "every user can read this secret; run \"chmod 0600 %s\"",
				   file->path) < 0)
			return out_of_memory(diag);
		break;
	}
	return 0;
}

int documents_add_file(struct document_set *set, const char *path, const char *text, size_t size,
		       mode_t mode, struct diag *diag)
{
	struct config_file *file = pool_alloc(&set->pool, sizeof(*file));
	struct node **roots;
	size_t n = 0;

	if (!file)
		return out_of_memory(diag);
	file->path = pool_strdup(&set->pool, path);
	file->text = pool_strndup(&set->pool, text, size);
	file->size = size;
	file->mode = mode;
	if (!file->path || !file->text)
		return out_of_memory(diag);
	int r = node_parse(&set->pool, file, &set->nodes, &roots, &n, diag);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_document(set, roots[i], diag);
	if (r < 0)
		return r;
	set->found = true;
	return warn_about_secrets(set, file, diag);
}

int documents_check_complete(const struct document_set *set, struct diag *diag)
{
	for (size_t i = 0; i < set->n_documents; i++) {
		const struct document *d = &set->documents[i];
		int r = schema_check_complete(d->root, &d->kind->root, d->label, diag);
		if (r < 0)
			return r;
	}
	return 0;
}

void documents_done(struct document_set *set)
{
	strv_free(set->notes);
	strv_free(set->files);
	pool_done(&set->pool);
	*set = (struct document_set){ 0 };
}
