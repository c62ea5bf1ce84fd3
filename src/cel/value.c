/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Equality and order of values. Numbers are equal by value across int, uint and double; values of other different types are
 * not equal, which is no error.
 */
#include <math.h>
#include <string.h>

#include "cel/eval.h"

struct cel_value cel_value_string(const char *s)
{
	return cel_value_text(s, strlen(s));
}

struct cel_value cel_value_object(const struct cel_object *object)
{
	return (struct cel_value){ .kind = CEL_OBJECT, .object = object };
}

static int three_way(bool less, bool greater)
{
	return greater - less;
}

static int compare_doubles(double a, double b)
{
	return three_way(a<b, a> b);
}

static int compare_double_int(double d, int64_t i)
{
	if (d < -0x1p63)
		return -1;
	if (d > 0x1p63)
		return 1;
	return compare_doubles(d, (double)i);
}

static int compare_double_uint(double d, uint64_t u)
{
	if (d < 0)
		return -1;
	if (d > 0x1p64)
		return 1;
	return compare_doubles(d, (double)u);
}

static int compare_int_uint(int64_t i, uint64_t u)
{
	if (i < 0 || u > INT64_MAX)
		return -1;
	return three_way((uint64_t)i<u, (uint64_t)i> u);
}

static bool is_number(const struct cel_value *v)
{
	return v->kind == CEL_INT || v->kind == CEL_UINT || v->kind == CEL_DOUBLE;
}

static bool is_nan(const struct cel_value *v)
{
	return v->kind == CEL_DOUBLE && isnan(v->d);
}

/* Neither is NaN. */
static int compare_numbers(const struct cel_value *a, const struct cel_value *b)
{
	if (a->kind == CEL_DOUBLE && b->kind == CEL_DOUBLE)
		return compare_doubles(a->d, b->d);
	if (a->kind == CEL_INT && b->kind == CEL_INT)
		return three_way(a->i<b->i, a->i> b->i);
	if (a->kind == CEL_UINT && b->kind == CEL_UINT)
		return three_way(a->u<b->u, a->u> b->u);
	if (a->kind == CEL_DOUBLE)
		return b->kind == CEL_INT ? compare_double_int(a->d, b->i)
					  : compare_double_uint(a->d, b->u);
	if (b->kind == CEL_DOUBLE)
		return -compare_numbers(b, a);
	return a->kind == CEL_INT ? compare_int_uint(a->i, b->u) : -compare_int_uint(b->i, a->u);
}

static int compare_texts(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b)
{
	uint32_t shorter = a->length < b->length ? a->length : b->length;
	int order = shorter > 0 ? memcmp(a->s, b->s, shorter) : 0;

	cel_charge_text(e, shorter);
	return order != 0 ? three_way(order<0, order> 0)
			  : three_way(a->length<b->length, a->length> b->length);
}

static int compare_times(const struct cel_value *a, const struct cel_value *b)
{
	return a->i != b->i ? three_way(a->i<b->i, a->i> b->i)
			    : three_way(a->length<b->length, a->length> b->length);
}

bool value_compare(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b,
		   int *ret, enum cel_error *ret_error)
{
	if (is_number(a) && is_number(b)) {
		*ret_error = CEL_E_NAN;
		if (is_nan(a) || is_nan(b))
			return false;
		*ret = compare_numbers(a, b);
		return true;
	}
	*ret_error = CEL_E_NO_OVERLOAD;
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case CEL_BOOL:
		*ret = a->b - b->b;
		return true;
	case CEL_STRING:
	case CEL_BYTES:
		*ret = compare_texts(e, a, b);
		return true;
	case CEL_TIMESTAMP:
		*ret = compare_times(a, b);
		return true;
	case CEL_DURATION:
		*ret = three_way(a->i<b->i, a->i> b->i);
		return true;
	default:
		return false;
	}
}

static bool lists_equal(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b)
{
	if (a->length != b->length)
		return false;
	for (uint32_t i = 0; i < a->length; i++)
		if (!value_equal(e, &a->list->items[i], &b->list->items[i]))
			return false;
	return true;
}

static bool maps_equal(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b)
{
	if (a->length != b->length)
		return false;
	for (uint32_t i = 0; i < a->length; i++) {
		const struct cel_value *other = map_find(e, b, &a->map->entries[2 * i]);
		if (!other || !value_equal(e, &a->map->entries[2 * i + 1], other))
			return false;
	}
	return true;
}

static bool objects_equal(struct cel_eval *e, const struct cel_object *a,
			  const struct cel_object *b)
{
	struct cel_value of_a, of_b;

	if (a->type != b->type)
		return false;
	if (a->data == b->data)
		return true;
	for (size_t i = 0; i < a->type->n_fields; i++) {
		object_get(e, a, &a->type->fields[i], &of_a);
		object_get(e, b, &b->type->fields[i], &of_b);
		if (!value_equal(e, &of_a, &of_b))
			return false;
	}
	return true;
}

bool value_equal(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b)
{
	if (!cel_charge(e, 1))
		return false;
	if (is_number(a) && is_number(b))
		return !is_nan(a) && !is_nan(b) && compare_numbers(a, b) == 0;
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case CEL_NULL:
		return true;
	case CEL_BOOL:
		return a->b == b->b;
	case CEL_STRING:
	case CEL_BYTES:
		return a->length == b->length && compare_texts(e, a, b) == 0;
	case CEL_LIST:
		return lists_equal(e, a, b);
	case CEL_MAP:
		return maps_equal(e, a, b);
	case CEL_TYPE:
		return strcmp(cel_type_name(a->type), cel_type_name(b->type)) == 0;
	case CEL_TIMESTAMP:
		return compare_times(a, b) == 0;
	case CEL_DURATION:
		return a->i == b->i;
	case CEL_OBJECT:
		return objects_equal(e, a->object, b->object);
	default:
		return false;
	}
}
