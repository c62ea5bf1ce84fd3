/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "cel/type.h"

static bool assignable(struct unifier *u, const struct cel_type *a, const struct cel_type *b);

/* Begins one step, which leave() ends; false when there were too many, or too many within each other. */
static bool enter(struct unifier *u)
{
	if (++u->steps > TYPE_STEPS_MAX || ++u->depth > TYPE_DEPTH_MAX)
		u->exhausted = true;
	return !u->exhausted;
}

static bool leave(struct unifier *u, bool answer)
{
	u->depth--;
	return answer;
}

static const struct cel_type *make(struct unifier *u, struct cel_type type)
{
	struct cel_type *t = arena_alloc(u->arena, sizeof(*t));

	if (!t) {
		u->exhausted = true;
		return &cel_error_type;
	}
	*t = type;
	return t;
}

/* Room for one more in an array of the arena, whose old copy is left there. */
static void *grown(struct unifier *u, void *old, uint32_t n, uint32_t *size, size_t item)
{
	if (n < *size)
		return old;
	uint32_t larger = *size ? *size * 2 : 16;
	void *array = arena_alloc(u->arena, larger * item);
	if (!array) {
		u->exhausted = true;
		return NULL;
	}
	if (n > 0)
		memcpy(array, old, n * item);
	*size = larger;
	return array;
}

const struct cel_type *type_new_var(struct unifier *u)
{
	void *bound = grown(u, u->bound, u->n_vars, &u->size, sizeof(*u->bound));

	if (!bound)
		return &cel_error_type;
	u->bound = bound;
	u->bound[u->n_vars] = NULL;
	return make(u, (struct cel_type){ .kind = CEL_PARAM, .number = u->n_vars++ });
}

const struct cel_type *type_list(struct unifier *u, const struct cel_type *element)
{
	return make(u, (struct cel_type){ .kind = CEL_LIST, .a = element });
}

const struct cel_type *type_map(struct unifier *u, const struct cel_type *key,
				const struct cel_type *value)
{
	return make(u, (struct cel_type){ .kind = CEL_MAP, .a = key, .b = value });
}

static void bind(struct unifier *u, const struct cel_type *var, const struct cel_type *to)
{
	void *trail = grown(u, u->trail, u->n_trail, &u->trail_size, sizeof(*u->trail));

	if (!trail)
		return;
	u->trail = trail;
	u->trail[u->n_trail++] = (struct binding){ var->number, u->bound[var->number] };
	u->bound[var->number] = to;
}

static void undo(struct unifier *u, uint32_t n_trail)
{
	while (u->n_trail > n_trail) {
		const struct binding *b = &u->trail[--u->n_trail];
		u->bound[b->number] = b->before;
	}
}

bool type_equal(struct unifier *u, const struct cel_type *a, const struct cel_type *b)
{
	if (a == b)
		return true;
	if (a->kind != b->kind || a->number != b->number || a->object != b->object ||
	    !a->a != !b->a || !a->b != !b->b || !enter(u))
		return false;
	return leave(u,
		     (!a->a || type_equal(u, a->a, b->a)) && (!a->b || type_equal(u, a->b, b->b)));
}

/* Does the variable var not occur in t? */
static bool absent(struct unifier *u, const struct cel_type *var, const struct cel_type *t)
{
	if (t->kind == CEL_PARAM && t->number == var->number)
		return false;
	if (!enter(u))
		return false;
	if (t->kind == CEL_PARAM)
		return leave(u, !u->bound[t->number] || absent(u, var, u->bound[t->number]));
	return leave(u, (!t->a || absent(u, var, t->a)) && (!t->b || absent(u, var, t->b)));
}

/* Is a the less specific of the two, or the same? */
static bool less_specific(struct unifier *u, const struct cel_type *a, const struct cel_type *b)
{
	if (a->kind == CEL_DYN || a->kind == CEL_PARAM)
		return true;
	if (b->kind == CEL_DYN || b->kind == CEL_PARAM || a->kind != b->kind)
		return false;
	if (a->kind != CEL_LIST && a->kind != CEL_MAP)
		return a->kind == CEL_TYPE || type_equal(u, a, b);
	if (!enter(u))
		return false;
	return leave(u, less_specific(u, a->a, b->a) && (!a->b || less_specific(u, a->b, b->b)));
}

const struct cel_type *type_general(struct unifier *u, const struct cel_type *a,
				    const struct cel_type *b)
{
	return less_specific(u, a, b) ? a : b;
}

/* Can the variable var stand for t? *ret_bound: it stands for something already. */
static bool substitutes(struct unifier *u, const struct cel_type *t, const struct cel_type *var,
			bool *ret_bound)
{
	const struct cel_type *bound = u->bound[var->number];

	*ret_bound = bound != NULL;
	if (bound) {
		if (type_equal(u, t, bound))
			return true;
		if (!assignable(u, t, bound))
			return false;
		bind(u, var, type_general(u, t, bound));
		return true;
	}
	if (!absent(u, var, t))
		return false;
	bind(u, var, t);
	return true;
}

static bool nullable(const struct cel_type *t)
{
	return t->kind == CEL_NULL || t->kind == CEL_OBJECT || t->kind == CEL_TIMESTAMP ||
	       t->kind == CEL_DURATION;
}

static bool assignable_now(struct unifier *u, const struct cel_type *a, const struct cel_type *b)
{
	bool bound = false;

	if (b->kind == CEL_PARAM) {
		if (substitutes(u, a, b, &bound))
			return true;
		if (bound)
			return false;
	}
	if (a->kind == CEL_PARAM)
		return substitutes(u, b, a, &bound);
	if (type_is_dyn(a) || type_is_dyn(b))
		return true;
	if (a->kind == CEL_NULL)
		return nullable(b);
	if (b->kind == CEL_NULL)
		return nullable(a);
	if (a->kind != b->kind)
		return false;
	if (a->kind == CEL_OBJECT)
		return a->object == b->object;
	if (a->kind == CEL_LIST)
		return assignable(u, a->a, b->a);
	if (a->kind == CEL_MAP)
		return assignable(u, a->a, b->a) && assignable(u, a->b, b->b);
	return true;
}

static bool assignable(struct unifier *u, const struct cel_type *a, const struct cel_type *b)
{
	return enter(u) && leave(u, assignable_now(u, a, b));
}

bool type_assignable(struct unifier *u, const struct cel_type *a, const struct cel_type *b)
{
	return type_assignable_all(u, &a, &b, 1);
}

bool type_assignable_all(struct unifier *u, const struct cel_type *const *a,
			 const struct cel_type *const *b, size_t n)
{
	uint32_t trail = u->n_trail;

	for (size_t i = 0; i < n; i++) {
		if (!assignable(u, a[i], b[i])) {
			undo(u, trail);
			return false;
		}
	}
	return true;
}

const struct cel_type *type_substitute(struct unifier *u, const struct cel_type *t, bool to_dyn)
{
	while (t->kind == CEL_PARAM && u->bound[t->number] && !u->exhausted) {
		t = u->bound[t->number];
		u->exhausted = ++u->steps > TYPE_STEPS_MAX;
	}
	if (t->kind == CEL_PARAM)
		return to_dyn ? &cel_dyn : t;
	if (!t->a)
		return t;
	if (!enter(u))
		return &cel_error_type;
	struct cel_type copy = *t;
	copy.a = type_substitute(u, t->a, to_dyn);
	if (t->b)
		copy.b = type_substitute(u, t->b, to_dyn);
	leave(u, true);
	return copy.a == t->a && copy.b == t->b ? t : make(u, copy);
}

const struct cel_type *type_instantiate(struct unifier *u, const struct cel_type *t,
					const struct cel_type *const params[])
{
	if (t->kind == CEL_PARAM)
		return params[t->number];
	if (!t->a)
		return t;
	struct cel_type copy = *t;
	copy.a = type_instantiate(u, t->a, params);
	if (t->b)
		copy.b = type_instantiate(u, t->b, params);
	return copy.a == t->a && copy.b == t->b ? t : make(u, copy);
}
