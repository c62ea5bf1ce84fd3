/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * + - * / % and the signs. Integers that overflow are an error; doubles follow IEEE 754.
 */
#include <string.h>

#include "cel/eval.h"
#include "cel/function.h"
#include "cel/time.h"

enum arithmetic {
	ADD,
	SUBTRACT,
	MULTIPLY,
	DIVIDE,
	MODULO,
};

static bool overflows_int(enum arithmetic what, int64_t a, int64_t b, int64_t *ret)
{
	switch (what) {
	case ADD:
		return __builtin_add_overflow(a, b, ret);
	case SUBTRACT:
		return __builtin_sub_overflow(a, b, ret);
	case MULTIPLY:
		return __builtin_mul_overflow(a, b, ret);
	default:
		if (a == INT64_MIN && b == -1)
			return true;
		*ret = what == DIVIDE ? a / b : a % b;
		return false;
	}
}

static bool overflows_uint(enum arithmetic what, uint64_t a, uint64_t b, uint64_t *ret)
{
	switch (what) {
	case ADD:
		return __builtin_add_overflow(a, b, ret);
	case SUBTRACT:
		return __builtin_sub_overflow(a, b, ret);
	case MULTIPLY:
		return __builtin_mul_overflow(a, b, ret);
	default:
		*ret = what == DIVIDE ? a / b : a % b;
		return false;
	}
}

static double of_doubles(enum arithmetic what, double a, double b)
{
	switch (what) {
	case ADD:
		return a + b;
	case SUBTRACT:
		return a - b;
	case MULTIPLY:
		return a * b;
	default:
		return a / b;
	}
}

/* False: these are not two numbers of one type. */
static bool numbers(struct cel_eval *e, enum arithmetic what, const struct cel_value *a,
		    const struct cel_value *b, struct cel_value *ret)
{
	if (a->kind != b->kind)
		return false;
	*ret = (struct cel_value){ .kind = a->kind };
	switch (a->kind) {
	case CEL_INT:
	case CEL_UINT:
		if (what >= DIVIDE && b->u == 0)
			cel_fail(e, ret, CEL_E_DIVIDE_BY_ZERO);
		else if (a->kind == CEL_INT ? overflows_int(what, a->i, b->i, &ret->i)
					    : overflows_uint(what, a->u, b->u, &ret->u))
			cel_fail(e, ret, CEL_E_OVERFLOW);
		return true;
	case CEL_DOUBLE:
		if (what == MODULO)
			return false;
		ret->d = of_doubles(what, a->d, b->d);
		return true;
	default:
		return false;
	}
}

static void concatenate(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b,
			struct cel_value *ret)
{
	size_t length = (size_t)a->length + b->length;
	char *s = length < UINT32_MAX && cel_charge_text(e, length) ? cel_alloc(e, length) : NULL;

	if (!s) {
		cel_fail(e, ret, CEL_E_MEMORY);
		return;
	}
	memcpy(s, a->s, a->length);
	memcpy(s + a->length, b->s, b->length);
	*ret = (struct cel_value){ .kind = a->kind, .length = (uint32_t)length, .s = s };
}

/*
 * The items of a with room for n more behind them. Lists never change, but what lies behind the items of a list may be taken by one that
 * continues it, so that building a list element by element costs no copy of it each time.
 */
static struct cel_list *extend(struct cel_eval *e, const struct cel_value *a, uint32_t n)
{
	struct cel_list *list = (struct cel_list *)a->list;

	if (list->used == a->length && list->capacity - list->used >= n)
		return list;
	if (!cel_charge(e, ((size_t)a->length + n) / 4))
		return NULL;
	list = cel_new_list(e, (a->length + n) * 2);
	if (!list)
		return NULL;
	memcpy(list->items, a->list->items, a->length * sizeof(list->items[0]));
	list->used = a->length;
	return list;
}

static void join_lists(struct cel_eval *e, const struct cel_value *a, const struct cel_value *items,
		       uint32_t n, struct cel_value *ret)
{
	struct cel_list *list = n < CEL_COST_MAX && cel_charge(e, n) ? extend(e, a, n) : NULL;

	if (!list) {
		cel_fail(e, ret, CEL_E_MEMORY);
		return;
	}
	memmove(list->items + list->used, items, n * sizeof(list->items[0]));
	list->used += n;
	*ret = (struct cel_value){ .kind = CEL_LIST, .length = list->used, .list = list };
}

void fn_append(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)n;
	if (args[0].kind == CEL_LIST)
		join_lists(e, &args[0], &args[1], 1, ret);
	else
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
}

void fn_add(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct cel_value *a = &args[0], *b = &args[1];

	(void)n;
	if (numbers(e, ADD, a, b, ret) || time_add(e, a, b, ret))
		return;
	if (a->kind == b->kind && (a->kind == CEL_STRING || a->kind == CEL_BYTES))
		concatenate(e, a, b, ret);
	else if (a->kind == CEL_LIST && b->kind == CEL_LIST)
		join_lists(e, a, b->list->items, b->length, ret);
	else
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
}

void fn_subtract(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)n;
	if (!numbers(e, SUBTRACT, &args[0], &args[1], ret) &&
	    !time_subtract(e, &args[0], &args[1], ret))
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
}

static void arithmetic(struct cel_eval *e, enum arithmetic what, const struct cel_value *args,
		       struct cel_value *ret)
{
	if (!numbers(e, what, &args[0], &args[1], ret))
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
}

void fn_multiply(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)n;
	arithmetic(e, MULTIPLY, args, ret);
}

void fn_divide(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)n;
	arithmetic(e, DIVIDE, args, ret);
}

void fn_modulo(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)n;
	arithmetic(e, MODULO, args, ret);
}

void fn_negate(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct cel_value *a = &args[0];

	(void)n;
	*ret = *a;
	if (a->kind == CEL_DOUBLE)
		ret->d = -a->d;
	else if (a->kind != CEL_INT && a->kind != CEL_DURATION)
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
	else if (a->i == INT64_MIN)
		cel_fail(e, ret, CEL_E_OVERFLOW);
	else
		ret->i = -a->i;
}

void fn_not(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)n;
	if (args[0].kind == CEL_BOOL)
		*ret = cel_value_bool(!args[0].b);
	else
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
}
