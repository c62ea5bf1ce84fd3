/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Overload resolution. Every overload of the right form is tried in order, and each that fits binds type variables; the type of the call is the common
 * result, or dyn where the results differ.
 */
#include "cel/check.h"
#include "cel/function.h"
#include "cel/regex.h"

/* a ? b : c is resolved like a function (bool, A, A) → A. */
static const struct cel_overload conditional[] = {
	{ false, 3, 1, { &cel_bool, &cel_param_a, &cel_param_a }, &cel_param_a },
};
static const struct cel_function conditional_function = { "?:", NULL, NULL, conditional, 1 };

static bool fits(struct checker *c, const struct cel_overload *o,
		 const struct cel_type *const *args, const struct cel_type **ret_result)
{
	struct unifier *u = &c->unifier;
	const struct cel_type *params[2] = { NULL, NULL }, *wanted[CEL_ARGS_MAX];

	if (o->n_params == 0) {
		*ret_result = o->result;
		return type_assignable_all(u, args, o->args, o->n_args);
	}
	for (unsigned i = 0; i < o->n_params; i++)
		params[i] = type_new_var(u);
	for (unsigned i = 0; i < o->n_args; i++)
		wanted[i] = type_instantiate(u, o->args[i], params);
	if (!type_assignable_all(u, args, wanted, o->n_args))
		return false;
	*ret_result = type_substitute(u, type_instantiate(u, o->result, params), false);
	return true;
}

/* NULL: no overload fits. */
static const struct cel_type *resolve(struct checker *c, const struct cel_function *function,
				      bool member, const struct cel_type *const *args, uint32_t n)
{
	const struct cel_type *result = NULL, *next;

	for (size_t i = 0; i < function->n_overloads; i++) {
		const struct cel_overload *o = &function->overloads[i];
		if (o->member != member || o->n_args != n || !fits(c, o, args, &next))
			continue;
		if (!result)
			result = next;
		else if (!type_is_dyn(result) && !type_equal(&c->unifier, next, result))
			result = &cel_dyn;
	}
	return result;
}

/* Without a check, what remains to be known before the evaluation is that a function takes so many arguments. */
static bool takes(const struct cel_function *function, uint32_t n)
{
	for (size_t i = 0; i < function->n_overloads; i++)
		if (function->overloads[i].n_args == n)
			return true;
	return false;
}

static bool is_plain(const struct cel_type *t)
{
	return t->kind >= CEL_NULL && t->kind <= CEL_BYTES;
}

/* It errs when it is evaluated, and only then; but who wants to know it before can. */
static void note_pattern(struct cel_program *p, const struct node *call)
{
	const struct node *pattern = call->args[1];
	struct arena arena;
	struct regex regex;

	if (call->function->call != fn_matches || pattern->kind != NODE_LITERAL ||
	    pattern->value.kind != CEL_STRING || p->pattern_problem)
		return;
	arena_init(&arena, CEL_EVAL_BYTES(p->code_points));
	p->pattern_problem = regex_compile(&arena, pattern->value.s, pattern->value.length, &regex);
	p->pattern_at = pattern->at;
	arena_done(&arena);
}

void check_call(struct checker *c, struct node *n)
{
	const struct cel_type *types[CEL_ARGS_MAX] = { NULL }, *result;
	const struct cel_function *function = &conditional_function;

	if (n->kind == NODE_CALL && !n->function)
		n->function = function_find(c->env, n->name.s, n->name.length);
	if (c->env->unchecked && n->kind == NODE_CALL && n->function && !takes(n->function, n->n))
		n->function = NULL;
	if (n->kind == NODE_CALL)
		function = n->function;
	if (!function && !c->env->unchecked) {
		explain_function(c, n);
		return;
	}
	for (uint32_t i = 0; i < n->n; i++) {
		check_node(c, n->args[i]);
		if (i < CEL_ARGS_MAX)
			types[i] = n->args[i]->type;
	}
	if (c->error || c->unifier.exhausted || !function)
		return;
	/* Comparing two values of one plain type needs no unification. */
	if ((function == &cel_operators[OPERATOR_EQ] || function == &cel_operators[OPERATOR_NE]) &&
	    types[0] == types[1] && is_plain(types[0])) {
		n->type = &cel_bool;
		return;
	}
	result = n->n <= CEL_ARGS_MAX ? resolve(c, function, n->member, types, n->n) : NULL;
	if (result)
		n->type = result;
	else if (!c->env->unchecked)
		explain_overload(c, n, function);
	if (result && n->kind == NODE_CALL && n->n == 2)
		note_pattern(c->program, n);
}

void check_message(struct checker *c, struct node *n)
{
	struct message *m = n->message;
	struct node probe = { .at = n->at };

	m->type = check_find_object(c, n->name);
	if (!m->type) {
		check_error(c, n, n->at, "%.*s{…}: there is no message type of this name",
			    (int)n->name.length, n->name.s);
		return;
	}
	for (uint32_t i = 0; i < n->n; i++) {
		check_node(c, m->values[i]);
		m->fields[i] = object_field(m->type, m->names[i]);
		if (!m->fields[i]) {
			probe.at = m->at[i];
			probe.name = m->names[i];
			if (!c->error)
				explain_field(c, &probe, m->type);
			n->type = &cel_error_type;
			return;
		}
		if (!type_assignable(&c->unifier, field_type(m->fields[i]), m->values[i]->type))
			check_error(c, n, m->at[i], "the field %s is a %s, not a %s",
				    m->fields[i]->name, cel_type_name(field_type(m->fields[i])),
				    cel_type_name(m->values[i]->type));
	}
	n->type = &m->type->type;
}
