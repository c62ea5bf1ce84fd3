/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/fill.h"

#include <string.h>

#include "config/install_selector.h"

struct node *fill_root(const struct document_set *set, const char *kind, const char *name)
{
	const struct document *d = documents_find(set, kind, name);

	return d ? d->root : NULL;
}

void fill_bool(const struct node *root, const char *path, bool *ret)
{
	const struct node *node = node_find(root, path);

	if (node)
		(void)schema_bool(node, ret);
}

void fill_number(const struct node *root, const char *path, unsigned *ret)
{
	const struct node *node = node_find(root, path);

	if (node)
		*ret = (unsigned)strtoul(node->text, NULL, 10);
}

int fill_text(struct pool *pool, const struct node *root, const char *path, char **ret)
{
	const struct node *node = node_find(root, path);

	if (!node)
		return 0;
	*ret = pool_strdup(pool, node->text);
	return *ret ? 0 : -ENOMEM;
}

int fill_strv(struct pool *pool, const struct node *root, const char *path, char ***ret)
{
	const struct node *list = node_find(root, path);

	if (!list)
		return 0;
	char **items = pool_alloc(pool, (list->n + 1) * sizeof(char *));
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		items[i] = pool_strdup(pool, list->items[i]->text);
		if (!items[i])
			return -ENOMEM;
	}
	*ret = items;
	return 0;
}

struct origin fill_origin(const struct node *node)
{
	if (!node)
		return (struct origin){ 0 };
	return (struct origin){ node->file->path, node->line };
}

/* The old place and the new one; Talos refuses both at once, whatever they say. */
static int fill_enabled(struct machine_config *c, const struct document_set *set, struct diag *diag)
{
	const struct node *machine = fill_root(set, KIND_MACHINE, NULL);
	const struct node *document = fill_root(set, KIND_IMAGE_CACHE, NULL);
	const struct node *old = node_find(machine, "machine.features.imageCache");
	const struct node *new = node_find(document, "local.enabled");

	if (old && document)
		return node_error(old, diag,
				  "the image cache is also set by " KIND_IMAGE_CACHE
				  " (%s:%u); keep one of the two",
				  document->file->path, document->line);
	if (old)
		old = node_find(old, "localEnabled");
	fill_bool(machine, "machine.features.imageCache.localEnabled", &c->cache_enabled);
	fill_bool(document, "local.enabled", &c->cache_enabled);
	c->cache_enabled_origin = fill_origin(old ? old : new);
	return 0;
}

static int fill_install(struct machine_config *c, struct document_set *set, struct diag *diag)
{
	const struct node *machine = fill_root(set, KIND_MACHINE, NULL);
	const struct node *selector = node_find(machine, "machine.install.diskSelector");
	_cleanup_diag_ struct diag why = DIAG_INIT;

	if (fill_text(&set->pool, machine, "machine.install.disk", &c->install.disk) < 0)
		return diag_set(diag, -ENOMEM, "out of memory");
	if (!selector || selector->n == 0)
		return 0;
	char *expression = install_selector_expression(&set->pool, selector);
	if (!expression)
		return diag_set(diag, -ENOMEM, "out of memory");
	int r = selector_compile(SELECTOR_DISK, expression, &c->install.disk_selector, &why);
	if (r < 0)
		return node_error(selector, diag,
				  "machine.install.diskSelector, as the expression %s: %s",
				  expression, why.message ? why.message : strerror(-r));
	return 0;
}

static int fill_media(struct machine_config *c, const struct document_set *set, struct diag *diag)
{
	const struct node *match = node_find(fill_root(set, KIND_MEDIA, NULL), "match");

	if (!match)
		return 0;
	return schema_selector(match, VALUE_VOLUME_SELECTOR, &c->media, diag);
}

static int fill_wanted_layer(struct pool *pool, const struct node *item, struct wanted_layer *ret)
{
	int r = fill_text(pool, item, "name", &ret->name);

	if (r == 0)
		r = fill_text(pool, item, "version", &ret->version);
	return r < 0 ? r : fill_text(pool, item, "rootHash", &ret->root_hash);
}

int fill_layers(struct machine_config *c, struct document_set *set, struct diag *diag)
{
	const struct node *root = fill_root(set, KIND_LAYERS, NULL);
	const struct node *list = node_find(root, "layers");
	struct layer_config *l = &c->layers;
	int r = fill_strv(&set->pool, root, "trust.keys", &l->trust_keys);

	l->keep = 1;
	fill_number(root, "keep", &l->keep);
	fill_bool(root, "trust.required", &l->trust_required);
	if (r == 0 && list) {
		l->layers = pool_alloc(&set->pool, (list->n + 1) * sizeof(*l->layers));
		r = l->layers ? 0 : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && list && i < list->n; i++) {
		struct wanted_layer *wanted = &l->layers[l->n_layers++];
		r = fill_wanted_layer(&set->pool, list->items[i], wanted);
		for (size_t j = 0; r == 0 && j < i; j++)
			if (strcmp(l->layers[j].name, wanted->name) == 0)
				return node_error(
					list->items[i], diag,
					"the layer %s is listed twice; of one name exactly "
					"one version is active",
					wanted->name);
	}
	if (r < 0)
		return diag_set(diag, r, "out of memory");
	if (l->trust_required && !(l->trust_keys && *l->trust_keys))
		return node_error(node_find(root, "trust.required"), diag,
				  "trust is required, and trust.keys names no key");
	return 0;
}

/* A pinned rule may leave the digest to what is first seen; other policies have no use for one. */
static int check_tag_policy(const struct document_set *set, struct diag *diag)
{
	const struct node *rules = node_find(fill_root(set, KIND_TAG_POLICY, NULL), "rules");

	for (size_t i = 0; rules && i < rules->n; i++) {
		const struct node *digest = node_find(rules->items[i], "digest");
		const struct node *policy = node_find(rules->items[i], "policy");
		if (digest && strcmp(policy->text, "pinned") != 0)
			return node_error(digest, diag,
					  KIND_TAG_POLICY
					  ": rules[%zu]: only the policy pinned takes a digest",
					  i);
	}
	return 0;
}

int fill_machine_config(struct machine_config *c, struct document_set *set, struct diag *diag)
{
	int r = fill_enabled(c, set, diag);

	if (r == 0)
		r = fill_volume(c, set, diag);
	if (r == 0)
		r = fill_install(c, set, diag);
	if (r == 0)
		r = fill_media(c, set, diag);
	if (r == 0)
		r = fill_layers(c, set, diag);
	if (r == 0)
		r = check_tag_policy(set, diag);
	if (r == 0)
		r = fill_mirrors(c, set, diag);
	if (r == 0)
		r = fill_access(c, set, diag);
	return r;
}
