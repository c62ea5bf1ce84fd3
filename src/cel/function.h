/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_FUNCTION_H
#define LARDER_CEL_FUNCTION_H
/*
 * The standard functions and operators: their declarations (overloads in the order in which the reference implementation tries
 * them, as the order decides the type of a call on dyn) and where they are implemented.
 */
#include "cel/ast.h"

enum operator{
	OPERATOR_ADD,
	OPERATOR_SUBTRACT,
	OPERATOR_MULTIPLY,
	OPERATOR_DIVIDE,
	OPERATOR_MODULO,
	OPERATOR_NEGATE,
	OPERATOR_NOT,
	OPERATOR_EQ,
	OPERATOR_NE,
	OPERATOR_LT,
	OPERATOR_LE,
	OPERATOR_GT,
	OPERATOR_GE,
	OPERATOR_IN,
	OPERATOR_INDEX,
	OPERATOR_APPEND, /* list + [element], made by macros */
	OPERATOR_NOT_STRICTLY_FALSE,
};

extern const struct cel_function cel_operators[];
extern const struct cel_function cel_functions[];
extern const size_t cel_n_functions;

/* Of the environment or a standard one; NULL: there is none. */
const struct cel_function *function_find(const struct cel_env *env, const char *name,
					 uint32_t length);

/* The types a and b of overloads that are generic. */
extern const struct cel_type cel_param_a, cel_param_b;

/* fn_arithmetic.c */
cel_call fn_add, fn_subtract, fn_multiply, fn_divide, fn_modulo, fn_negate, fn_not;
/* fn_compare.c */
cel_call fn_eq, fn_ne, fn_lt, fn_le, fn_gt, fn_ge;
/* fn_container.c */
cel_call fn_in, fn_index, fn_append, fn_size;
/* fn_string.c */
cel_call fn_contains, fn_starts_with, fn_ends_with, fn_matches;
/* fn_convert.c */
cel_call fn_type, fn_dyn, fn_bool, fn_bytes, fn_double, fn_int, fn_uint, fn_string;
/* fn_time.c */
cel_call fn_timestamp, fn_duration;
cel_call fn_full_year, fn_month, fn_day_of_year, fn_day_of_month, fn_date, fn_day_of_week, fn_hours,
	fn_minutes, fn_seconds, fn_milliseconds;

#endif
