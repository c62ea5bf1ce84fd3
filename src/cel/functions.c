/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/function.h"

#include <string.h>

const struct cel_type cel_param_a = { CEL_PARAM, 0, NULL, NULL, NULL };
const struct cel_type cel_param_b = { CEL_PARAM, 1, NULL, NULL, NULL };
static const struct cel_type list_a = { CEL_LIST, 0, &cel_param_a, NULL, NULL };
static const struct cel_type map_ab = { CEL_MAP, 0, &cel_param_a, &cel_param_b, NULL };
static const struct cel_type type_a = { CEL_TYPE, 0, &cel_param_a, NULL, NULL };

#define A     &cel_param_a
#define LIST  &list_a
#define MAP   &map_ab
#define BOOL  &cel_bool
#define INT   &cel_int
#define UINT  &cel_uint
#define DBL   &cel_double
#define STR   &cel_string
#define BYTES &cel_bytes
#define TIME  &cel_timestamp
#define DUR   &cel_duration

#define UNARY(a, result)                                                                           \
	{                                                                                          \
		false, 1, 0, { a }, result                                                         \
	}
#define BINARY(a, b, result)                                                                       \
	{                                                                                          \
		false, 2, 0, { a, b }, result                                                      \
	}
#define MEMBER(a, result)                                                                          \
	{                                                                                          \
		true, 1, 0, { a }, result                                                          \
	}
#define MEMBER2(a, b, result)                                                                      \
	{                                                                                          \
		true, 2, 0, { a, b }, result                                                       \
	}
#define GENERIC(params, a, result)                                                                 \
	{                                                                                          \
		false, 1, params, { a }, result                                                    \
	}
#define GENERIC2(params, a, b, result)                                                             \
	{                                                                                          \
		false, 2, params, { a, b }, result                                                 \
	}
#define GENERIC_MEMBER(params, a, result)                                                          \
	{                                                                                          \
		true, 1, params, { a }, result                                                     \
	}

static const struct cel_overload add[] = {
	BINARY(BYTES, BYTES, BYTES),   BINARY(DBL, DBL, DBL),	BINARY(DUR, DUR, DUR),
	BINARY(DUR, TIME, TIME),       BINARY(TIME, DUR, TIME), BINARY(INT, INT, INT),
	GENERIC2(1, LIST, LIST, LIST), BINARY(STR, STR, STR),	BINARY(UINT, UINT, UINT),
};
static const struct cel_overload subtract[] = {
	BINARY(DBL, DBL, DBL),	 BINARY(DUR, DUR, DUR),	  BINARY(INT, INT, INT),
	BINARY(TIME, DUR, TIME), BINARY(TIME, TIME, DUR), BINARY(UINT, UINT, UINT),
};
static const struct cel_overload multiply[] = { BINARY(DBL, DBL, DBL), BINARY(INT, INT, INT),
						BINARY(UINT, UINT, UINT) };
static const struct cel_overload modulo[] = { BINARY(INT, INT, INT), BINARY(UINT, UINT, UINT) };
static const struct cel_overload negate[] = { UNARY(DBL, DBL), UNARY(INT, INT) };
static const struct cel_overload not [] = { UNARY(BOOL, BOOL) };
static const struct cel_overload equal[] = { GENERIC2(1, A, A, BOOL) };
static const struct cel_overload order[] = {
	BINARY(BOOL, BOOL, BOOL), BINARY(INT, INT, BOOL), BINARY(UINT, UINT, BOOL),
	BINARY(DBL, DBL, BOOL),	  BINARY(STR, STR, BOOL), BINARY(BYTES, BYTES, BOOL),
	BINARY(TIME, TIME, BOOL), BINARY(DUR, DUR, BOOL),
};
static const struct cel_overload in[] = { GENERIC2(1, A, LIST, BOOL), GENERIC2(2, A, MAP, BOOL) };
static const struct cel_overload index_of[] = { GENERIC2(1, LIST, INT, A),
						GENERIC2(2, MAP, A, &cel_param_b) };
static const struct cel_overload append[] = { GENERIC2(1, LIST, A, LIST) };

#define FUNCTION(name, usage, call, overloads)                                                     \
	{                                                                                          \
		name, usage, call, overloads, ARRAY_SIZE(overloads)                                \
	}

const struct cel_function cel_operators[] = {
	[OPERATOR_ADD] = FUNCTION("+", NULL, fn_add, add),
	[OPERATOR_SUBTRACT] = FUNCTION("-", NULL, fn_subtract, subtract),
	[OPERATOR_MULTIPLY] = FUNCTION("*", NULL, fn_multiply, multiply),
	[OPERATOR_DIVIDE] = FUNCTION("/", NULL, fn_divide, multiply),
	[OPERATOR_MODULO] = FUNCTION("%", NULL, fn_modulo, modulo),
	[OPERATOR_NEGATE] = FUNCTION("-", NULL, fn_negate, negate),
	[OPERATOR_NOT] = FUNCTION("!", NULL, fn_not, not ),
	[OPERATOR_EQ] = FUNCTION("==", NULL, fn_eq, equal),
	[OPERATOR_NE] = FUNCTION("!=", NULL, fn_ne, equal),
	[OPERATOR_LT] = FUNCTION("<", NULL, fn_lt, order),
	[OPERATOR_LE] = FUNCTION("<=", NULL, fn_le, order),
	[OPERATOR_GT] = FUNCTION(">", NULL, fn_gt, order),
	[OPERATOR_GE] = FUNCTION(">=", NULL, fn_ge, order),
	[OPERATOR_IN] = FUNCTION("in", NULL, fn_in, in),
	[OPERATOR_INDEX] = FUNCTION("[]", NULL, fn_index, index_of),
	[OPERATOR_APPEND] = FUNCTION("append", NULL, fn_append, append),
	[OPERATOR_NOT_STRICTLY_FALSE] = FUNCTION("not_strictly_false", NULL, NULL, not ),
};

static const struct cel_overload size[] = {
	UNARY(BYTES, INT),     MEMBER(BYTES, INT),
	GENERIC(1, LIST, INT), GENERIC_MEMBER(1, LIST, INT),
	GENERIC(2, MAP, INT),  GENERIC_MEMBER(2, MAP, INT),
	UNARY(STR, INT),       MEMBER(STR, INT),
};
static const struct cel_overload type[] = { GENERIC(1, A, &type_a) };
static const struct cel_overload dyn[] = { GENERIC(1, A, &cel_dyn) };
static const struct cel_overload to_bool[] = { UNARY(BOOL, BOOL), UNARY(STR, BOOL) };
static const struct cel_overload to_bytes[] = { UNARY(BYTES, BYTES), UNARY(STR, BYTES) };
static const struct cel_overload to_double[] = { UNARY(DBL, DBL), UNARY(INT, DBL), UNARY(STR, DBL),
						 UNARY(UINT, DBL) };
static const struct cel_overload to_duration[] = { UNARY(DUR, DUR), UNARY(INT, DUR),
						   UNARY(STR, DUR) };
static const struct cel_overload to_int[] = { UNARY(INT, INT), UNARY(DBL, INT),	 UNARY(DUR, INT),
					      UNARY(STR, INT), UNARY(TIME, INT), UNARY(UINT, INT) };
static const struct cel_overload to_string[] = {
	UNARY(STR, STR), UNARY(BOOL, STR), UNARY(BYTES, STR), UNARY(DBL, STR),
	UNARY(DUR, STR), UNARY(INT, STR),  UNARY(TIME, STR),  UNARY(UINT, STR),
};
static const struct cel_overload to_timestamp[] = { UNARY(TIME, TIME), UNARY(INT, TIME),
						    UNARY(STR, TIME) };
static const struct cel_overload to_uint[] = { UNARY(UINT, UINT), UNARY(DBL, UINT),
					       UNARY(INT, UINT), UNARY(STR, UINT) };
static const struct cel_overload two_strings[] = { MEMBER2(STR, STR, BOOL) };
static const struct cel_overload matches[] = { BINARY(STR, STR, BOOL), MEMBER2(STR, STR, BOOL) };
static const struct cel_overload of_time[] = { MEMBER(TIME, INT), MEMBER2(TIME, STR, INT) };
static const struct cel_overload of_time_or_duration[] = { MEMBER(TIME, INT),
							   MEMBER2(TIME, STR, INT),
							   MEMBER(DUR, INT) };

/* Sorted by name. */
const struct cel_function cel_functions[] = {
	FUNCTION("bool", "bool(value)", fn_bool, to_bool),
	FUNCTION("bytes", "bytes(value)", fn_bytes, to_bytes),
	FUNCTION("contains", "text.contains(part)", fn_contains, two_strings),
	FUNCTION("double", "double(value)", fn_double, to_double),
	FUNCTION("duration", "duration('1h30m')", fn_duration, to_duration),
	FUNCTION("dyn", "dyn(value)", fn_dyn, dyn),
	FUNCTION("endsWith", "text.endsWith(end)", fn_ends_with, two_strings),
	FUNCTION("getDate", "time.getDate()", fn_date, of_time),
	FUNCTION("getDayOfMonth", "time.getDayOfMonth()", fn_day_of_month, of_time),
	FUNCTION("getDayOfWeek", "time.getDayOfWeek()", fn_day_of_week, of_time),
	FUNCTION("getDayOfYear", "time.getDayOfYear()", fn_day_of_year, of_time),
	FUNCTION("getFullYear", "time.getFullYear()", fn_full_year, of_time),
	FUNCTION("getHours", "time.getHours()", fn_hours, of_time_or_duration),
	FUNCTION("getMilliseconds", "time.getMilliseconds()", fn_milliseconds, of_time_or_duration),
	FUNCTION("getMinutes", "time.getMinutes()", fn_minutes, of_time_or_duration),
	FUNCTION("getMonth", "time.getMonth()", fn_month, of_time),
	FUNCTION("getSeconds", "time.getSeconds()", fn_seconds, of_time_or_duration),
	FUNCTION("int", "int(value)", fn_int, to_int),
	FUNCTION("matches", "text.matches(pattern)", fn_matches, matches),
	FUNCTION("size", "size(value)", fn_size, size),
	FUNCTION("startsWith", "text.startsWith(start)", fn_starts_with, two_strings),
	FUNCTION("string", "string(value)", fn_string, to_string),
	FUNCTION("timestamp", "timestamp('2025-01-31T12:00:00Z')", fn_timestamp, to_timestamp),
	FUNCTION("type", "type(value)", fn_type, type),
	FUNCTION("uint", "uint(value)", fn_uint, to_uint),
};
const size_t cel_n_functions = ARRAY_SIZE(cel_functions);

static int compare(const char *name, uint32_t length, const char *with)
{
	int order_of = strncmp(name, with, length);

	return order_of != 0 ? order_of : -(with[length] != '\0');
}

const struct cel_function *function_find(const struct cel_env *env, const char *name,
					 uint32_t length)
{
	size_t low = 0, high = cel_n_functions;

	for (size_t i = 0; i < env->n_functions; i++)
		if (compare(name, length, env->functions[i].name) == 0)
			return &env->functions[i];
	while (low < high) {
		size_t middle = (low + high) / 2;
		int c = compare(name, length, cel_functions[middle].name);
		if (c == 0)
			return &cel_functions[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
