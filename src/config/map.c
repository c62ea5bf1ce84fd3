/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/map.h"

#include <string.h>

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

static int compare_pairs(const void *a, const void *b)
{
	const struct node *x = (*(const struct node_pair *const *)a)->key;
	const struct node *y = (*(const struct node_pair *const *)b)->key;
	int order = strcmp(x->text, y->text);

	if (order != 0)
		return order;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return (x->column > y->column) - (x->column < y->column);
}

static int refuse_duplicates(const struct node *map, struct diag *diag)
{
	_cleanup_free_ const struct node_pair **sorted = calloc(map->n + 1, sizeof(*sorted));

	if (!sorted)
		return out_of_memory(diag);
	for (size_t i = 0; i < map->n; i++)
		sorted[i] = &map->pairs[i];
	qsort(sorted, map->n, sizeof(*sorted), compare_pairs);
	for (size_t i = 1; i < map->n; i++)
		if (strcmp(sorted[i - 1]->key->text, sorted[i]->key->text) == 0)
			return node_error(sorted[i]->key, diag,
					  "the key %s is already set at line %u",
					  sorted[i]->key->text, sorted[i - 1]->key->line);
	return 0;
}

static bool is_merge_key(const struct node *key)
{
	return key->plain && strcmp(key->text, "<<") == 0;
}

/* Adds the pairs of source whose keys the map does not have. */
static int merge_into(struct pool *pool, struct node *map, const struct node *source,
		      struct diag *diag)
{
	if (source->kind != NODE_MAP)
		return node_error(source, diag, "<< takes a map or a list of maps, not %s",
				  node_kind_name(source));
	struct node_pair *pairs = pool_grow(pool, map->pairs, map->n * sizeof(*pairs),
					    (map->n + source->n) * sizeof(*pairs));
	if (!pairs)
		return out_of_memory(diag);
	map->pairs = pairs;
	for (size_t i = 0; i < source->n; i++)
		if (!node_get(map, source->pairs[i].key->text))
			pairs[map->n++] = source->pairs[i];
	if (map->n > CONFIG_KEYS_MAX)
		return node_error(map, diag, "more than %d keys in one map", CONFIG_KEYS_MAX);
	return 0;
}

/* "<<": its keys are there unless the map itself or an earlier source has them. They do not merge deeper. */
static int apply_merge_key(struct pool *pool, struct node *map, struct diag *diag)
{
	size_t i = 0;

	while (i < map->n && !is_merge_key(map->pairs[i].key))
		i++;
	if (i == map->n)
		return 0;
	const struct node *source = map->pairs[i].value;
	memmove(&map->pairs[i], &map->pairs[i + 1], (map->n - i - 1) * sizeof(struct node_pair));
	map->n--;
	if (source->kind != NODE_LIST)
		return merge_into(pool, map, source, diag);
	for (size_t j = 0; j < source->n; j++) {
		int r = merge_into(pool, map, source->items[j], diag);
		if (r < 0)
			return r;
	}
	return 0;
}

int map_finish(struct pool *pool, struct node *map, struct diag *diag)
{
	int r = refuse_duplicates(map, diag);

	return r < 0 ? r : apply_merge_key(pool, map, diag);
}
