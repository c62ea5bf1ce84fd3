/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps: entries in order, with a hash index from a few on. Keys are bool, int, uint and string; a number is found by its value.
 */
#include <math.h>
#include <string.h>

#include "cel/eval.h"

#define ENTRIES_WITHOUT_INDEX 8

bool map_key_allowed(const struct cel_value *key)
{
	return key->kind == CEL_BOOL || key->kind == CEL_INT || key->kind == CEL_UINT ||
	       key->kind == CEL_STRING;
}

static uint32_t mix(uint64_t x)
{
	x *= 0x9e3779b97f4a7c15U;
	return (uint32_t)(x >> 32);
}

/* Equal keys have equal hashes: whole numbers hash by their value modulo 2^64, whatever their type. */
static uint32_t hash(const struct cel_value *key)
{
	uint64_t h = 0xcbf29ce484222325U;

	switch (key->kind) {
	case CEL_BOOL:
		return mix(key->b + 1U);
	case CEL_INT:
	case CEL_UINT:
		return mix(key->u);
	case CEL_DOUBLE:
		if (key->d >= 0 && key->d < 0x1p64)
			return mix((uint64_t)key->d);
		return key->d >= -0x1p63 && key->d < 0 ? mix((uint64_t)(int64_t)key->d) : 0;
	default:
		for (uint32_t i = 0; i < key->length; i++)
			h = (h ^ (unsigned char)key->s[i]) * 0x100000001b3U;
		return mix(h);
	}
}

static const struct cel_value *find_linear(struct cel_eval *e, const struct cel_map *map,
					   uint32_t n, const struct cel_value *key)
{
	for (uint32_t i = 0; i < n; i++)
		if (value_equal(e, &map->entries[2 * i], key))
			return &map->entries[2 * i + 1];
	return NULL;
}

/* The slot of the index that holds key, or the empty one where it belongs. */
static uint32_t find_slot(struct cel_eval *e, const struct cel_map *map,
			  const struct cel_value *key)
{
	uint32_t mask = map->slots - 1, slot = hash(key) & mask;

	while (map->index[slot] != 0 &&
	       !value_equal(e, &map->entries[2 * (map->index[slot] - 1)], key) && !e->stopped)
		slot = (slot + 1) & mask;
	return slot;
}

/* A double that is no whole number, or beyond all keys, is no key that a map can have. */
static bool can_be_key(const struct cel_value *key)
{
	if (key->kind == CEL_DOUBLE)
		return isfinite(key->d) && floor(key->d) == key->d;
	return map_key_allowed(key);
}

const struct cel_value *map_find(struct cel_eval *e, const struct cel_value *map,
				 const struct cel_value *key)
{
	if (!can_be_key(key))
		return NULL;
	if (key->kind == CEL_STRING)
		cel_charge_text(e, key->length);
	if (map->map->slots == 0)
		return find_linear(e, map->map, map->length, key);
	uint32_t slot = find_slot(e, map->map, key);
	uint32_t entry = map->map->index[slot];
	return entry && !e->stopped ? &map->map->entries[2 * (entry - 1) + 1] : NULL;
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
	if (map->slots == 0) {
		if (find_linear(e, map, *n, key))
			return false;
	} else {
		uint32_t slot = find_slot(e, map, key);
		if (map->index[slot] != 0 || e->stopped)
			return false;
		map->index[slot] = *n + 1;
	}
	map->entries[2 * *n] = *key;
	map->entries[2 * *n + 1] = *value;
	++*n;
	return true;
}
