/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps: entries in order, with a hash index from a few on. A whole number is found by its value, whatever its type.
 */
#include <math.h>
#include <string.h>

#include "cel/eval.h"

#define ENTRIES_WITHOUT_INDEX 8

bool map_key_allowed(const struct cel_eval *e, const struct cel_value *key)
{
	if (!e->program->env->as_specified)
		return key->kind != CEL_BYTES;
	return key->kind == CEL_BOOL || key->kind == CEL_INT || key->kind == CEL_UINT ||
	       key->kind == CEL_STRING;
}

static uint32_t mix(uint64_t x)
{
	x *= 0x9e3779b97f4a7c15U;
	return (uint32_t)(x >> 32);
}

static uint32_t hash(const struct cel_value *key)
{
	uint64_t h = 0xcbf29ce484222325U;

	switch (key->kind) {
	case CEL_BOOL:
		return mix(key->b + 1U);
	case CEL_INT:
	case CEL_UINT:
	case CEL_TIMESTAMP:
	case CEL_DURATION:
		return mix(key->u);
	case CEL_DOUBLE:
		return key->d == 0 ? 0 : mix(key->u); /* 0.0 and -0.0 are equal */
	case CEL_STRING:
		for (uint32_t i = 0; i < key->length; i++)
			h = (h ^ (unsigned char)key->s[i]) * 0x100000001b3U;
		return mix(h);
	default:
		return 0;
	}
}

/* The same key: of the same type, and equal; a list, a map or an object only if it is this very one. */
static bool same_key(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b)
{
	if (a->kind != b->kind) {
		cel_charge(e, 1);
		return false;
	}
	if (a->kind == CEL_LIST || a->kind == CEL_MAP || a->kind == CEL_OBJECT)
		return a->u == b->u && a->length == b->length;
	return value_equal(e, a, b);
}

/* The slot of the index that holds key, or the empty one where it belongs. */
static uint32_t find_slot(struct cel_eval *e, const struct cel_map *map,
			  const struct cel_value *key)
{
	uint32_t mask = map->slots - 1, slot = hash(key) & mask;

	while (map->index[slot] != 0 && !e->stopped &&
	       !same_key(e, &map->entries[2 * (map->index[slot] - 1)], key))
		slot = (slot + 1) & mask;
	return slot;
}

/* The value of exactly this key. */
static struct cel_value *find_same(struct cel_eval *e, const struct cel_map *map, uint32_t n,
				   const struct cel_value *key)
{
	struct cel_value *entries = (struct cel_value *)map->entries;

	if (map->slots > 0) {
		uint32_t entry = map->index[find_slot(e, map, key)];
		return entry && !e->stopped ? &entries[2 * (entry - 1) + 1] : NULL;
	}
	for (uint32_t i = 0; i < n && !e->stopped; i++)
		if (same_key(e, &entries[2 * i], key))
			return &entries[2 * i + 1];
	return NULL;
}

/* The same whole number as an int or a uint. False: it is none. */
static bool number_as(const struct cel_value *v, enum cel_kind kind, struct cel_value *ret)
{
	*ret = (struct cel_value){ .kind = (uint8_t)kind, .u = v->u };
	if (v->kind == CEL_INT)
		return kind == CEL_UINT && v->i >= 0;
	if (v->kind == CEL_UINT)
		return kind == CEL_INT && v->u <= INT64_MAX;
	if (v->kind != CEL_DOUBLE || floor(v->d) != v->d)
		return false;
	if (kind == CEL_INT && v->d >= -0x1p63 && v->d < 0x1p63)
		ret->i = (int64_t)v->d;
	else if (kind == CEL_UINT && v->d >= 0 && v->d < 0x1p64)
		ret->u = (uint64_t)v->d;
	else
		return false;
	return true;
}

static struct cel_value *find(struct cel_eval *e, const struct cel_map *map, uint32_t n,
			      const struct cel_value *key)
{
	struct cel_value *found = find_same(e, map, n, key), number;

	if (key->kind == CEL_STRING)
		cel_charge_text(e, key->length);
	if (!found && number_as(key, CEL_INT, &number))
		found = find_same(e, map, n, &number);
	if (!found && number_as(key, CEL_UINT, &number))
		found = find_same(e, map, n, &number);
	return found;
}

const struct cel_value *map_find(struct cel_eval *e, const struct cel_value *map,
				 const struct cel_value *key)
{
	return find(e, map->map, map->length, key);
}

struct cel_map *map_new(struct cel_eval *e, uint32_t n)
{
	struct cel_map *map = cel_alloc(e, sizeof(*map) + 2 * (size_t)n * sizeof(struct cel_value));
	uint32_t slots = 2 * ENTRIES_WITHOUT_INDEX;

	if (!map)
		return NULL;
	map->slots = 0;
	if (n <= ENTRIES_WITHOUT_INDEX)
		return map;
	while (slots < 2 * n)
		slots *= 2;
	map->index = cel_alloc(e, slots * sizeof(*map->index));
	if (!map->index)
		return NULL;
	memset(map->index, 0, slots * sizeof(*map->index));
	map->slots = slots;
	return map;
}

bool map_add(struct cel_eval *e, struct cel_map *map, uint32_t *n, const struct cel_value *key,
	     const struct cel_value *value)
{
	const bool strict = e->program->env->as_specified;
	struct cel_value *there = strict ? find(e, map, *n, key) : find_same(e, map, *n, key);

	if (there && strict)
		return false;
	if (there) {
		*there = *value;
		return true;
	}
	if (map->slots > 0)
		map->index[find_slot(e, map, key)] = *n + 1;
	map->entries[2 * *n] = *key;
	map->entries[2 * *n + 1] = *value;
	++*n;
	return true;
}
