/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_EVAL_H
#define LARDER_CEL_EVAL_H
/*
 * One evaluation: its arena, its cost so far, the values of names. What functions need of it.
 *
 * An error is a value (CEL_ERROR with a code and the node that erred), since && || and macros go on with errors in their
 * hands. Running out of steps or memory is not: it sets stopped, and nothing absorbs it.
 */
#include "cel/ast.h"

enum cel_error {
	CEL_E_UNBOUND, /* 0: a variable whose binding says CEL_ERROR */
	CEL_E_UNKNOWN_NAME,
	CEL_E_UNKNOWN_FUNCTION,
	CEL_E_NO_OVERLOAD,
	CEL_E_DIVIDE_BY_ZERO,
	CEL_E_OVERFLOW,
	CEL_E_NAN,
	CEL_E_NO_KEY,
	CEL_E_NO_INDEX,
	CEL_E_NO_FIELD,
	CEL_E_BAD_KEY,
	CEL_E_REPEATED_KEY,
	CEL_E_NOT_ITERABLE,
	CEL_E_CONVERSION,
	CEL_E_TIME_RANGE,
	CEL_E_TIME_ZONE,
	CEL_E_REGEX,
	CEL_E_COST,
	CEL_E_MEMORY,
};

#define EVAL_LOCALS_INLINE 16

struct cel_eval {
	struct arena arena;
	const struct cel_program *program;
	const struct cel_value *values;
	struct cel_value *locals;
	struct cel_value inline_locals[EVAL_LOCALS_INLINE];
	const struct node *node; /* whose function runs */
	uint32_t cost;
	bool stopped;
	enum cel_error why_stopped;
	/* The most recent text to explain an error with, and the node it belongs to. */
	const struct node *detail_node;
	const char *detail; /* a constant, or in the arena */
	struct cel_value detail_value;
};

void eval_node(struct cel_eval *e, const struct node *n, struct cel_value *ret);

/* eval_object.c: Type{field: value}. */
void eval_message(struct cel_eval *e, const struct node *n, struct cel_value *ret);

/* *ret becomes an error of the node whose function runs. */
void cel_fail(struct cel_eval *e, struct cel_value *ret, enum cel_error code);

/* The same, with what the error is about: a value and/or a text (a constant, or in the arena). */
void cel_fail_about(struct cel_eval *e, struct cel_value *ret, enum cel_error code,
		    const struct cel_value *value, const char *text);

/* Charges steps; false: there are no more, and the evaluation ends. */
bool cel_charge(struct cel_eval *e, size_t steps);

/* Charges for so many bytes of text that are looked at or copied. */
bool cel_charge_text(struct cel_eval *e, size_t bytes);

/* From the arena; NULL: no more, and the evaluation ends. */
void *cel_alloc(struct cel_eval *e, size_t size);

/* NULL as cel_alloc(); room for capacity items, none used. */
struct cel_list *cel_new_list(struct cel_eval *e, uint32_t capacity);

/* The field of an object; presence only: *ret is whether it is set. */
void object_get(struct cel_eval *e, const struct cel_object *object, const struct cel_field *field,
		struct cel_value *ret);
bool object_has(const struct cel_object *object, const struct cel_field *field);

/* eval_explain.c: fills diag for an error that nothing absorbed; returns -EDOM. */
int eval_explain(struct cel_eval *e, const struct cel_value *error, struct diag *diag);

/* value.c */
bool value_equal(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b);
/* -1, 0, 1; false: such values have no order (CEL_E_NO_OVERLOAD or CEL_E_NAN in *ret_error). */
bool value_compare(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b,
		   int *ret, enum cel_error *ret_error);

/* The value of a key; NULL: it is not there. Numbers are found by value, whatever their type. */
const struct cel_value *map_find(struct cel_eval *e, const struct cel_value *map,
				 const struct cel_value *key);
bool map_key_allowed(const struct cel_eval *e, const struct cel_value *key);
/* n entries, to be filled with map_add(). NULL as cel_alloc(). */
struct cel_map *map_new(struct cel_eval *e, uint32_t n);
/* *n entries are there. A key that is there already gets the new value, or (env->as_specified) is refused: false. */
bool map_add(struct cel_eval *e, struct cel_map *map, uint32_t *n, const struct cel_value *key,
	     const struct cel_value *value);

#endif
