/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names: local variables of macros, variables, constants and types of the environment, and fields.
 */
#include <string.h>

#include "cel/check.h"

/*
 * Candidates for a name, the longest first: in the container "a.b" the name "x" is a.b.x, a.x or x; with a leading dot only
 * x. try() gets each.
 */
static bool each_candidate(struct checker *c, struct name name,
			   bool (*try)(struct checker *c, struct name name, void *data), void *data)
{
	const char *container = c->env->container ? c->env->container : "";
	size_t prefix = strlen(container);

	if (name.length > 0 && name.s[0] == '.')
		return try(c, (struct name){ name.s + 1, name.length - 1 }, data);
	while (prefix > 0) {
		char *joined = arena_alloc(&c->scratch, prefix + 1 + name.length);
		if (!joined)
			return false;
		memcpy(joined, container, prefix);
		joined[prefix] = '.';
		memcpy(joined + prefix + 1, name.s, name.length);
		if (try(c, (struct name){ joined, (uint32_t)(prefix + 1 + name.length) }, data))
			return true;
		while (prefix > 0 && container[--prefix] != '.')
			;
	}
	return try(c, name, data);
}

static bool try_object(struct checker *c, struct name name, void *data)
{
	for (size_t i = 0; i < c->env->n_objects; i++) {
		if (name_is(name, c->env->objects[i]->name)) {
			*(const struct cel_object_type **)data = c->env->objects[i];
			return true;
		}
	}
	return false;
}

const struct cel_object_type *check_find_object(struct checker *c, struct name name)
{
	const struct cel_object_type *object = NULL;

	each_candidate(c, name, try_object, &object);
	return object;
}

static void become_constant(struct node *n, const struct cel_type *type, struct cel_value value)
{
	n->kind = NODE_CONSTANT;
	n->type = type;
	n->value = value;
}

static bool try_global(struct checker *c, struct name name, void *data)
{
	struct node *n = data;
	const struct cel_env *env = c->env;
	const struct cel_object_type *object;
	const struct cel_type *type, *value;

	for (size_t i = 0; i < env->n_variables; i++) {
		if (name_is(name, env->variables[i].name)) {
			n->kind = NODE_VARIABLE;
			n->type = env->variables[i].type;
			n->slot = (uint32_t)i;
			c->program->uses[i].mentions++;
			return true;
		}
	}
	for (size_t i = 0; i < env->n_constants; i++) {
		if (name_is(name, env->constants[i].name)) {
			become_constant(n, env->constants[i].type, env->constants[i].value);
			return true;
		}
	}
	if (type_find(name.s, name.length, &type, &value)) {
		become_constant(n, type, (struct cel_value){ .kind = CEL_TYPE, .type = value });
		return true;
	}
	if (try_object(c, name, &object)) {
		struct cel_type *t = arena_alloc(&c->scratch, sizeof(*t));
		if (!t)
			return false;
		*t = (struct cel_type){ .kind = CEL_TYPE, .a = &object->type };
		become_constant(n, t,
				(struct cel_value){ .kind = CEL_TYPE, .type = &object->type });
		return true;
	}
	return false;
}

static const struct local *find_local(const struct checker *c, struct name name)
{
	for (uint32_t i = c->n_locals; i > 0; i--) {
		const struct local *l = &c->locals[i - 1];
		if (l->name.length == name.length && memcmp(l->name.s, name.s, name.length) == 0)
			return l;
	}
	return NULL;
}

void check_ident(struct checker *c, struct node *n)
{
	const struct local *local = find_local(c, n->name);

	if (local) {
		n->kind = NODE_LOCAL;
		n->type = local->type;
		n->slot = local->slot;
		return;
	}
	if (each_candidate(c, n->name, try_global, n))
		return;
	if (c->env->unchecked) {
		n->kind = NODE_UNKNOWN;
		return;
	}
	explain_name(c, n);
}

/* The name a.b.c of a chain of selections whose first name is no local variable; false: it is none. */
static bool qualified_name(struct checker *c, const struct node *n, struct name *ret)
{
	uint32_t length = n->name.length;
	const struct node *first = n;

	while (first->kind == NODE_SELECT) {
		if (first->test)
			return false;
		first = first->operand;
		length += first->name.length + 1;
	}
	if (first->kind != NODE_IDENT || find_local(c, first->name))
		return false;
	char *joined = arena_alloc(&c->scratch, length);
	if (!joined)
		return false;
	*ret = (struct name){ joined, length };
	for (char *end = joined + length;; n = n->operand) {
		end -= n->name.length;
		memcpy(end, n->name.s, n->name.length);
		if (n == first)
			return true;
		*--end = '.';
	}
}

static void note_field(struct checker *c, const struct node *n, const struct cel_object_type *type)
{
	if (n->operand->kind != NODE_VARIABLE)
		return;
	struct variable_use *use = &c->program->uses[n->operand->slot];
	use->selections++;
	use->fields |= UINT64_C(1) << (n->field - type->fields);
}

static void select_from(struct checker *c, struct node *n)
{
	const struct cel_type *t = check_substitute(c, n->operand->type);

	switch (t->kind) {
	case CEL_MAP:
		n->type = t->b;
		break;
	case CEL_OBJECT:
		n->field = object_field(t->object, n->name);
		if (n->field) {
			n->type = field_type(n->field);
			note_field(c, n, t->object);
		} else if (!c->error) {
			explain_field(c, n, t->object);
		}
		break;
	case CEL_PARAM:
		type_assignable(&c->unifier, &cel_dyn, t);
		n->type = &cel_dyn;
		break;
	default:
		n->type = &cel_dyn;
		if (!type_is_dyn(t))
			check_error(c, n, n->at,
				    "a value of type %s has no fields, so there is no .%.*s",
				    cel_type_name(t), (int)n->name.length, n->name.s);
	}
	if (n->test)
		n->type = &cel_bool;
}

void check_select(struct checker *c, struct node *n)
{
	struct name name;
	struct node probe = { .at = n->at };

	if (qualified_name(c, n, &name) && each_candidate(c, name, try_global, &probe)) {
		n->kind = probe.kind;
		n->type = probe.type;
		n->value = probe.value;
		if (probe.kind == NODE_VARIABLE)
			n->slot = probe.slot;
		return;
	}
	check_node(c, n->operand);
	select_from(c, n);
}
