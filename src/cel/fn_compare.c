/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * == != < <= > >=, in, [], size().
 */
#include <math.h>

#include "cel/eval.h"
#include "cel/function.h"
#include "cel/utf8.h"

void fn_eq(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)n;
	*ret = cel_value_bool(value_equal(e, &args[0], &args[1]));
}

void fn_ne(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)n;
	*ret = cel_value_bool(!value_equal(e, &args[0], &args[1]));
}

/* True: *ret_order is the order of the two; else *ret is an error. */
static bool order(struct cel_eval *e, const struct cel_value *args, int *ret_order,
		  struct cel_value *ret)
{
	enum cel_error error = CEL_E_NO_OVERLOAD;

	if (value_compare(e, &args[0], &args[1], ret_order, &error))
		return true;
	cel_fail(e, ret, error);
	return false;
}

void fn_lt(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	int is = 0;

	(void)n;
	if (order(e, args, &is, ret))
		*ret = cel_value_bool(is < 0);
}

void fn_le(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	int is = 0;

	(void)n;
	if (order(e, args, &is, ret))
		*ret = cel_value_bool(is <= 0);
}

void fn_gt(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	int is = 0;

	(void)n;
	if (order(e, args, &is, ret))
		*ret = cel_value_bool(is > 0);
}

void fn_ge(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	int is = 0;

	(void)n;
	if (order(e, args, &is, ret))
		*ret = cel_value_bool(is >= 0);
}

void fn_in(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct cel_value *in = &args[1];
	bool found = false;

	(void)n;
	if (in->kind == CEL_MAP) {
		*ret = cel_value_bool(map_find(e, in, &args[0]));
		return;
	}
	if (in->kind != CEL_LIST) {
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
		return;
	}
	for (uint32_t i = 0; i < in->length && !found && !e->stopped; i++)
		found = value_equal(e, &in->list->items[i], &args[0]);
	*ret = cel_value_bool(found);
}

/* A whole number of any type, as the index of a list. */
static bool to_index(const struct cel_value *v, int64_t *ret)
{
	switch (v->kind) {
	case CEL_INT:
		*ret = v->i;
		return true;
	case CEL_UINT:
		*ret = v->u > INT64_MAX ? INT64_MAX : v->i;
		return true;
	case CEL_DOUBLE:
		if (!(v->d >= -0x1p63 && v->d < 0x1p63) || floor(v->d) != v->d)
			return false;
		*ret = (int64_t)v->d;
		return true;
	default:
		return false;
	}
}

static void index_list(struct cel_eval *e, const struct cel_value *list,
		       const struct cel_value *key, struct cel_value *ret)
{
	int64_t index;

	if (!to_index(key, &index))
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
	else if (index < 0 || index >= list->length)
		cel_fail_about(e, ret, CEL_E_NO_INDEX, key, NULL);
	else
		*ret = list->list->items[index];
}

static void index_object(struct cel_eval *e, const struct cel_value *object,
			 const struct cel_value *key, struct cel_value *ret)
{
	const struct cel_object_type *type = object->object->type;

	for (size_t i = 0; key->kind == CEL_STRING && i < type->n_fields; i++) {
		if (name_is((struct name){ key->s, key->length }, type->fields[i].name)) {
			object_get(e, object->object, &type->fields[i], ret);
			return;
		}
	}
	cel_fail_about(e, ret, CEL_E_NO_KEY, key, NULL);
}

void fn_index(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct cel_value *found;

	(void)n;
	switch (args[0].kind) {
	case CEL_LIST:
		index_list(e, &args[0], &args[1], ret);
		break;
	case CEL_MAP:
		found = map_find(e, &args[0], &args[1]);
		if (found)
			*ret = *found;
		else
			cel_fail_about(e, ret, CEL_E_NO_KEY, &args[1], NULL);
		break;
	case CEL_OBJECT:
		index_object(e, &args[0], &args[1], ret);
		break;
	default:
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
	}
}

void fn_size(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	int64_t size;

	(void)n;
	switch (args[0].kind) {
	case CEL_STRING:
		cel_charge_text(e, args[0].length);
		size = utf8_count(args[0].s, args[0].length);
		break;
	case CEL_BYTES:
	case CEL_LIST:
	case CEL_MAP:
		size = args[0].length;
		break;
	default:
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
		return;
	}
	*ret = (struct cel_value){ .kind = CEL_INT, .i = size };
}
