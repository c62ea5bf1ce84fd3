/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_TYPE_H
#define LARDER_CEL_TYPE_H
/*
 * Types as the checker handles them: the names that stand for them, and unification. A type variable (CEL_PARAM) is bound at most
 * once at a time; a binding that turns out wrong is taken back by the trail.
 *
 * The rules are those of the reference implementation, since they decide which expressions are refused: what may be assigned to what
 * (null to timestamps, durations and objects; dyn to all), and which of two types is the more general one.
 */
#include "cel/arena.h"
#include "cel/cel.h"

/* Steps of one check: types can be exponentially larger than the expression they come from. */
#define TYPE_STEPS_MAX 2000000
#define TYPE_DEPTH_MAX 1000

extern const struct cel_type cel_error_type;

/* A name that stands for a type: ret_type is the type of that name, ret_value what it stands for. */
bool type_find(const char *name, size_t length, const struct cel_type **ret_type,
	       const struct cel_type **ret_value);

struct binding {
	uint32_t number;
	const struct cel_type *before;
};

struct unifier {
	struct arena *arena;
	const struct cel_type **bound; /* by the number of the variable */
	uint32_t n_vars, size;
	struct binding *trail;
	uint32_t n_trail, trail_size;
	uint32_t steps, depth;
	bool exhausted; /* out of memory or steps: everything that was answered since is wrong */
};

static inline bool type_is_dyn(const struct cel_type *t)
{
	return t->kind == CEL_DYN || t->kind == CEL_ERROR;
}

const struct cel_type *type_new_var(struct unifier *u);
const struct cel_type *type_list(struct unifier *u, const struct cel_type *element);
const struct cel_type *type_map(struct unifier *u, const struct cel_type *key,
				const struct cel_type *value);

/* May a value of type a be used where b is wanted? Binds variables; leaves them as they were if not. */
bool type_assignable(struct unifier *u, const struct cel_type *a, const struct cel_type *b);
bool type_assignable_all(struct unifier *u, const struct cel_type *const *a,
			 const struct cel_type *const *b, size_t n);

/* t with bound variables replaced; to_dyn: free ones become dyn. */
const struct cel_type *type_substitute(struct unifier *u, const struct cel_type *t, bool to_dyn);

/* t of an overload with its parameters (numbers 0 and 1) replaced by params[]. */
const struct cel_type *type_instantiate(struct unifier *u, const struct cel_type *t,
					const struct cel_type *const params[]);

bool type_equal(struct unifier *u, const struct cel_type *a, const struct cel_type *b);

/* The more general of two types, one of which may be assigned to the other. */
const struct cel_type *type_general(struct unifier *u, const struct cel_type *a,
				    const struct cel_type *b);

#endif
