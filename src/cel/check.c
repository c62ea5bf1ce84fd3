/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/check.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "cel/function.h"

void check_error(struct checker *c, struct node *n, uint32_t at, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	n->type = &cel_error_type;
	if (c->error)
		return;
	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	c->error = cel_error_at(c->diag, -EINVAL, c->program, at, "%s", message ? message : "");
}

const struct cel_field *object_field(const struct cel_object_type *type, struct name name)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (name_is(name, type->fields[i].name))
			return &type->fields[i];
	return NULL;
}

const struct cel_type *field_type(const struct cel_field *field)
{
	switch (field->kind) {
	case CEL_FIELD_BOOL:
		return &cel_bool;
	case CEL_FIELD_UINT:
		return &cel_uint;
	case CEL_FIELD_STRING:
		return &cel_string;
	default:
		return &cel_list_string;
	}
}

/* The type of a list or map with one more element. */
static const struct cel_type *join(struct checker *c, const struct cel_type *so_far,
				   const struct cel_type *next)
{
	if (!so_far)
		return next;
	if (type_assignable(&c->unifier, so_far, next))
		return type_general(&c->unifier, so_far, next);
	return &cel_dyn;
}

static OWN_FRAME void check_list(struct checker *c, struct node *n)
{
	const struct cel_type *element = NULL;

	for (uint32_t i = 0; i < n->n; i++) {
		check_node(c, n->args[i]);
		element = join(c, element, n->args[i]->type);
	}
	n->type = type_list(&c->unifier, element ? element : type_new_var(&c->unifier));
}

static OWN_FRAME void check_map(struct checker *c, struct node *n)
{
	const struct cel_type *key = NULL, *value = NULL;

	for (uint32_t i = 0; i < n->n; i++) {
		check_node(c, n->args[2 * i]);
		key = join(c, key, n->args[2 * i]->type);
		check_node(c, n->args[2 * i + 1]);
		value = join(c, value, n->args[2 * i + 1]->type);
	}
	if (!key) {
		key = type_new_var(&c->unifier);
		value = type_new_var(&c->unifier);
	}
	n->type = type_map(&c->unifier, key, value);
}

static OWN_FRAME void check_logic(struct checker *c, struct node *n)
{
	n->type = &cel_bool;
	for (uint32_t i = 0; i < n->n; i++) {
		check_node(c, n->args[i]);
		if (!c->error && !type_assignable(&c->unifier, n->args[i]->type, &cel_bool))
			explain_not_bool(c, n->args[i], n, i);
	}
}

static uint32_t declare(struct checker *c, struct name name, const struct cel_type *type)
{
	if (c->n_locals == c->locals_size) {
		uint32_t size = c->locals_size ? c->locals_size * 2 : 8;
		struct local *larger = arena_alloc(&c->scratch, size * sizeof(*larger));
		if (!larger) {
			c->unifier.exhausted = true;
			return 0;
		}
		if (c->n_locals > 0)
			memcpy(larger, c->locals, c->n_locals * sizeof(*larger));
		c->locals = larger;
		c->locals_size = size;
	}
	uint32_t slot = c->n_locals;
	c->locals[c->n_locals++] = (struct local){ name, type, slot };
	if (c->n_locals > c->program->n_slots)
		c->program->n_slots = c->n_locals;
	return slot;
}

static const struct cel_type *element_type(struct checker *c, struct node *range, const char *macro)
{
	const struct cel_type *t = check_substitute(c, range->type);

	switch (t->kind) {
	case CEL_LIST:
	case CEL_MAP:
		return t->a;
	case CEL_PARAM:
		type_assignable(&c->unifier, &cel_dyn, t);
		return &cel_dyn;
	default:
		if (!type_is_dyn(t))
			check_error(
				c, range, range->at,
				"%s() goes through a list or the keys of a map, and this is a %s",
				macro, cel_type_name(t));
		return &cel_dyn;
	}
}

static OWN_FRAME void check_fold(struct checker *c, struct node *n)
{
	struct fold *f = n->fold;
	uint32_t outside = c->n_locals;

	check_node(c, f->range);
	check_node(c, f->init);
	const struct cel_type *accu = f->init->type;
	const struct cel_type *element = element_type(c, f->range, f->macro);
	f->accu_slot = declare(c, (struct name){ "@result", 7 }, accu);
	f->iter_slot = declare(c, f->iter, element);
	if (c->unifier.exhausted)
		return;
	if (f->condition)
		check_node(c, f->condition);
	check_node(c, f->step);
	if (!type_assignable(&c->unifier, accu, f->step->type))
		check_error(c, f->step, f->step->at,
			    "the elements that %s() makes have no common type", f->macro);
	c->n_locals = outside + 1;
	check_node(c, f->result);
	c->n_locals = outside;
	n->type = check_substitute(c, f->result->type);
}

void check_node(struct checker *c, struct node *n)
{
	if (c->error || c->unifier.exhausted) {
		n->type = &cel_error_type;
		return;
	}
	switch ((enum node_kind)n->kind) {
	case NODE_LITERAL: {
		static const struct cel_type *const types[] = {
			[CEL_NULL] = &cel_null,	    [CEL_BOOL] = &cel_bool,
			[CEL_INT] = &cel_int,	    [CEL_UINT] = &cel_uint,
			[CEL_DOUBLE] = &cel_double, [CEL_STRING] = &cel_string,
			[CEL_BYTES] = &cel_bytes,
		};
		n->type = types[n->value.kind];
		break;
	}
	case NODE_IDENT:
		check_ident(c, n);
		break;
	case NODE_SELECT:
		check_select(c, n);
		break;
	case NODE_CALL:
	case NODE_IF:
		check_call(c, n);
		break;
	case NODE_AND:
	case NODE_OR:
		check_logic(c, n);
		break;
	case NODE_LIST:
		check_list(c, n);
		break;
	case NODE_MAP:
		check_map(c, n);
		break;
	case NODE_MESSAGE:
		check_message(c, n);
		break;
	case NODE_FOLD:
		check_fold(c, n);
		break;
	default: /* checked already */
		break;
	}
	if (c->error || c->unifier.exhausted || !n->type)
		n->type = &cel_error_type;
	if (c->env->unchecked)
		n->type = &cel_dyn;
}

/* A copy of t that does not live in the scratch arena. */
static const struct cel_type *keep(struct arena *arena, const struct cel_type *t, unsigned *budget)
{
	struct cel_type *copy;

	if (!t->a)
		return t;
	if (*budget == 0 || !(copy = arena_alloc(arena, sizeof(*copy))))
		return &cel_dyn;
	--*budget;
	*copy = *t;
	copy->a = keep(arena, t->a, budget);
	if (t->b)
		copy->b = keep(arena, t->b, budget);
	return copy;
}

#define KEPT_TYPES_MAX 1000

int cel_check(struct cel_program *program, struct diag *diag)
{
	struct checker c = { .program = program, .env = program->env, .diag = diag };
	unsigned budget = KEPT_TYPES_MAX;

	arena_init(&c.scratch, CEL_PROGRAM_BYTES(program->code_points));
	c.unifier.arena = &c.scratch;
	check_node(&c, program->root);
	const struct cel_type *type = &cel_dyn;
	if (!c.error && program->root->type)
		type = type_substitute(&c.unifier, program->root->type, true);
	if (!c.error && c.unifier.exhausted)
		c.error = cel_error_at(diag, -EINVAL, program, 0,
				       "the types of this expression are too large to be checked");
	program->type = keep(&program->arena, type, &budget);
	arena_done(&c.scratch);
	return c.error;
}
