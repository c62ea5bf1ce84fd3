/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/cleanup.h"
#include "cel/regex.h"
#include "cel/unicode_tables.h"

const char regex_out_of_memory[] = "it takes too much memory";

uint32_t regex_next_fold(uint32_t point)
{
	size_t low = 0, high = unicode_folds_n / 2;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (unicode_folds[2 * middle] == point)
			return unicode_folds[2 * middle + 1];
		if (unicode_folds[2 * middle] < point)
			low = middle + 1;
		else
			high = middle;
	}
	return point;
}

struct set {
	const char *name;
	uint32_t n; /* ranges */
	unsigned char ranges[8];
};

/* \d, \s, \w first, then those of [:name:]. */
static const struct set sets[] = {
	{ "d", 1, "09" },
	{ "s", 3, "\t\n\f\r  " },
	{ "w", 4, { '0', '9', 'A', 'Z', '_', '_', 'a', 'z' } },
	{ "alnum", 3, "09AZaz" },
	{ "alpha", 2, "AZaz" },
	{ "ascii", 1, "\0\x7f" },
	{ "blank", 2, "\t\t  " },
	{ "cntrl", 2, "\0\x1f\x7f\x7f" },
	{ "digit", 1, "09" },
	{ "graph", 1, "!~" },
	{ "lower", 1, "az" },
	{ "print", 1, " ~" },
	{ "punct", 4, { '!', '/', ':', '@', '[', '`', '{', '~' } },
	{ "space", 2, "\t\r  " },
	{ "upper", 1, "AZ" },
	{ "word", 4, { '0', '9', 'A', 'Z', '_', '_', 'a', 'z' } },
	{ "xdigit", 3, "09AFaf" },
};
#define PERL_SETS 3

static bool set_has(const struct set *set, uint32_t point)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (point >= set->ranges[2 * i] && point <= set->ranges[2 * i + 1])
			return true;
	return false;
}

/* The number of the run that holds point. */
static uint32_t run_of(const uint32_t *runs, size_t n, uint32_t point)
{
	size_t low = 0, high = n; /* the first run behind point is in (low, high] */

	while (high - low > 1) {
		size_t middle = (low + high) / 2;
		if (runs[middle] >> 8 <= point)
			low = middle;
		else
			high = middle;
	}
	return runs[low] & 0xff;
}

static bool item_has(const struct regex_item *item, uint32_t point)
{
	switch (item->kind) {
	case REGEX_RANGE:
		return point >= item->low && point <= item->high;
	case REGEX_SET:
		return set_has(&sets[item->high], point);
	case REGEX_CATEGORIES:
		return item->high >> run_of(unicode_category_runs, unicode_category_runs_n, point) &
		       1;
	default:
		return run_of(unicode_script_runs, unicode_script_runs_n, point) == item->high;
	}
}

/* With fold, a character is in a set if one that differs from it by case alone is. */
static bool folded_item_has(const struct regex_item *item, uint32_t point)
{
	uint32_t p = point;

	do {
		if (item_has(item, p))
			return true;
		p = regex_next_fold(p);
	} while (p != point);
	return false;
}

bool regex_class_has(const struct regex *r, uint32_t number, uint32_t point)
{
	const struct regex_class *class = &r->classes[number];

	for (uint32_t i = 0; i < class->n; i++) {
		const struct regex_item *item = &r->items[class->from + i];
		bool has = class->fold ? folded_item_has(item, point) : item_has(item, point);
		if (has != item->negated)
			return !class->negated;
	}
	return class->negated;
}

/* Room for one more; NULL: no memory. */
static void *grown(struct arena *arena, void *old, uint32_t n, uint32_t *size, size_t item)
{
	if (n < *size)
		return old;
	uint32_t larger = *size ? *size * 2 : 8;
	void *array = arena_alloc(arena, larger * item);
	if (!array)
		return NULL;
	if (n > 0)
		memcpy(array, old, n * item);
	*size = larger;
	return array;
}

int32_t regex_class_begin(struct arena *arena, struct regex *r, bool fold)
{
	void *classes =
		grown(arena, r->classes, r->n_classes, &r->classes_size, sizeof(*r->classes));

	if (!classes)
		return -1;
	r->classes = classes;
	r->classes[r->n_classes] = (struct regex_class){ .from = r->n_items, .fold = fold };
	return (int32_t)r->n_classes++;
}

bool regex_class_add(struct arena *arena, struct regex *r, struct regex_item item)
{
	void *items = grown(arena, r->items, r->n_items, &r->items_size, sizeof(*r->items));

	if (!items)
		return false;
	r->items = items;
	r->items[r->n_items++] = item;
	r->classes[r->n_classes - 1].n++;
	return true;
}

static bool add_set(struct arena *arena, struct regex *r, const char *name, uint32_t length,
		    size_t from, size_t to, bool negated, bool *ret_memory)
{
	for (size_t i = from; i < to; i++) {
		if (strlen(sets[i].name) == length && memcmp(sets[i].name, name, length) == 0) {
			*ret_memory = regex_class_add(arena, r,
						      (struct regex_item){ .kind = REGEX_SET,
									   .negated = negated,
									   .high = (uint32_t)i });
			return true;
		}
	}
	return false;
}

bool regex_add_perl(struct arena *arena, struct regex *r, char letter, bool *ret_memory)
{
	const char lower = (char)(letter | 0x20);

	return add_set(arena, r, &lower, 1, 0, PERL_SETS, letter != lower, ret_memory);
}

bool regex_add_posix(struct arena *arena, struct regex *r, const char *name, uint32_t length,
		     bool *ret_memory)
{
	bool negated = length > 0 && name[0] == '^';

	return add_set(arena, r, name + negated, length - negated, PERL_SETS, ARRAY_SIZE(sets),
		       negated, ret_memory);
}

/* "Lu" is one category, "L" all that begin with it. */
static uint32_t categories(const char *name, uint32_t length)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < unicode_category_names_n && length > 0 && length <= 2; i++)
		if (memcmp(unicode_category_names[i], name, length) == 0)
			bits |= 1U << i;
	return bits;
}

bool regex_add_unicode(struct arena *arena, struct regex *r, const char *name, uint32_t length,
		       bool negated, bool *ret_memory)
{
	struct regex_item item = { .negated = negated };

	if (length == 3 && memcmp(name, "Any", 3) == 0) {
		item.high = 0x10ffff;
		*ret_memory = regex_class_add(arena, r, item);
		return true;
	}
	item.kind = REGEX_CATEGORIES;
	item.high = categories(name, length);
	for (size_t i = 0; item.high == 0 && i < unicode_script_names_n; i++) {
		if (strlen(unicode_script_names[i]) == length &&
		    memcmp(unicode_script_names[i], name, length) == 0) {
			item.kind = REGEX_SCRIPT;
			item.high = (uint32_t)i;
			*ret_memory = regex_class_add(arena, r, item);
			return true;
		}
	}
	if (item.high == 0)
		return false;
	*ret_memory = regex_class_add(arena, r, item);
	return true;
}
