/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * type(), dyn() and the conversions between plain types. What does not convert is an error, never a guess.
 */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "cel/eval.h"
#include "cel/function.h"
#include "cel/number.h"
#include "cel/time.h"
#include "cel/utf8.h"

void fn_dyn(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)e;
	(void)n;
	*ret = args[0];
}

static const struct cel_type *type_of(const struct cel_value *v)
{
	static const struct cel_type *const types[] = {
		[CEL_NULL] = &cel_null,
		[CEL_BOOL] = &cel_bool,
		[CEL_INT] = &cel_int,
		[CEL_UINT] = &cel_uint,
		[CEL_DOUBLE] = &cel_double,
		[CEL_STRING] = &cel_string,
		[CEL_BYTES] = &cel_bytes,
		[CEL_LIST] = &cel_list_dyn,
		[CEL_MAP] = &cel_map_dyn,
		[CEL_TYPE] = &cel_type_type,
		[CEL_TIMESTAMP] = &cel_timestamp,
		[CEL_DURATION] = &cel_duration,
	};

	return v->kind == CEL_OBJECT ? &v->object->type->type : types[v->kind];
}

void fn_type(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)e;
	(void)n;
	*ret = (struct cel_value){ .kind = CEL_TYPE, .type = type_of(&args[0]) };
}

/* v cannot be converted: because of its type, or because of what it is. */
static void refuse(struct cel_eval *e, const struct cel_value *v, bool of_type,
		   struct cel_value *ret)
{
	if (of_type)
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
	else
		cel_fail_about(e, ret, CEL_E_CONVERSION, v, NULL);
}

void fn_bool(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };
	struct name text = { args[0].s, args[0].length };

	(void)n;
	*ret = args[0];
	if (args[0].kind == CEL_BOOL)
		return;
	for (size_t i = 0; args[0].kind == CEL_STRING && i < ARRAY_SIZE(yes); i++) {
		bool is = name_is(text, yes[i]);
		if (is || name_is(text, no[i])) {
			*ret = cel_value_bool(is);
			return;
		}
	}
	refuse(e, &args[0], args[0].kind != CEL_STRING, ret);
}

void fn_bytes(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	(void)n;
	*ret = args[0];
	if (args[0].kind == CEL_STRING)
		ret->kind = CEL_BYTES;
	else if (args[0].kind != CEL_BYTES)
		refuse(e, &args[0], true, ret);
}

void fn_double(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct cel_value *v = &args[0];
	double d;

	(void)n;
	*ret = (struct cel_value){ .kind = CEL_DOUBLE };
	switch (v->kind) {
	case CEL_DOUBLE:
		ret->d = v->d;
		break;
	case CEL_INT:
		ret->d = (double)v->i;
		break;
	case CEL_UINT:
		ret->d = (double)v->u;
		break;
	case CEL_STRING:
		if (number_parse_double(v->s, v->length, &d))
			ret->d = d;
		else
			refuse(e, v, false, ret);
		break;
	default:
		refuse(e, v, true, ret);
	}
}

void fn_int(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct cel_value *v = &args[0];
	int64_t i;

	(void)n;
	*ret = (struct cel_value){ .kind = CEL_INT };
	switch (v->kind) {
	case CEL_INT:
	case CEL_DURATION:
	case CEL_TIMESTAMP:
		ret->i = v->i;
		break;
	case CEL_UINT:
		ret->i = v->i;
		if (v->u > INT64_MAX)
			cel_fail(e, ret, CEL_E_OVERFLOW);
		break;
	case CEL_DOUBLE:
		if (v->d > -0x1p63 && v->d < 0x1p63)
			ret->i = (int64_t)v->d;
		else
			cel_fail(e, ret, CEL_E_OVERFLOW);
		break;
	case CEL_STRING:
		if (number_parse_int(v->s, v->length, &i))
			ret->i = i;
		else
			refuse(e, v, false, ret);
		break;
	default:
		refuse(e, v, true, ret);
	}
}

void fn_uint(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct cel_value *v = &args[0];
	uint64_t u;

	(void)n;
	*ret = (struct cel_value){ .kind = CEL_UINT };
	switch (v->kind) {
	case CEL_UINT:
		ret->u = v->u;
		break;
	case CEL_INT:
		ret->u = v->u;
		if (v->i < 0)
			cel_fail(e, ret, CEL_E_OVERFLOW);
		break;
	case CEL_DOUBLE:
		if (v->d >= 0 && v->d < 0x1p64)
			ret->u = (uint64_t)v->d;
		else
			cel_fail(e, ret, CEL_E_OVERFLOW);
		break;
	case CEL_STRING:
		if (number_parse_uint(v->s, v->length, &u))
			ret->u = u;
		else
			refuse(e, v, false, ret);
		break;
	default:
		refuse(e, v, true, ret);
	}
}

static void copy_text(struct cel_eval *e, const char *s, size_t length, struct cel_value *ret)
{
	char *copy = cel_alloc(e, length);

	if (!copy) {
		cel_fail(e, ret, CEL_E_MEMORY);
		return;
	}
	memcpy(copy, s, length);
	*ret = cel_value_text(copy, length);
}

static bool is_utf8(const struct cel_value *v)
{
	const char *end = v->s + v->length;
	uint32_t step;

	for (const char *s = v->s; s < end; s += step)
		if (utf8_decode(s, end, &step) == UTF8_REPLACEMENT && step == 1)
			return false;
	return true;
}

/* The text of a value that has one, in buffer; 0: it has none. */
static size_t format(const struct cel_value *v, char buffer[static NUMBER_TEXT_MAX])
{
	switch (v->kind) {
	case CEL_BOOL:
		return (size_t)sprintf(buffer, "%s", v->b ? "true" : "false");
	case CEL_INT:
		return (size_t)sprintf(buffer, "%lld", (long long)v->i);
	case CEL_UINT:
		return (size_t)sprintf(buffer, "%llu", (unsigned long long)v->u);
	case CEL_DOUBLE:
		return number_format_double(v->d, false, buffer);
	case CEL_DURATION: {
		uint32_t length = number_format_double((double)(v->i / NANOSECONDS) +
							       (double)(v->i % NANOSECONDS) / 1e9,
						       true, buffer);
		buffer[length] = 's';
		return length + 1;
	}
	case CEL_TIMESTAMP:
		cel_timestamp_format(v, false, buffer);
		return strlen(buffer);
	default:
		return 0;
	}
}

void fn_string(struct cel_eval *e, const struct cel_value *args, size_t n, struct cel_value *ret)
{
	const struct cel_value *v = &args[0];
	char buffer[NUMBER_TEXT_MAX];
	size_t length;

	(void)n;
	*ret = *v;
	if (v->kind == CEL_STRING)
		return;
	if (v->kind == CEL_BYTES) {
		ret->kind = CEL_STRING;
		if (!cel_charge_text(e, v->length) || !is_utf8(v))
			refuse(e, v, false, ret);
		return;
	}
	length = format(v, buffer);
	if (length > 0)
		copy_text(e, buffer, length, ret);
	else
		refuse(e, v, true, ret);
}
