/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/eval.h"

#include <string.h>

#include "cel/check.h"
#include "cel/function.h"

void cel_fail(struct cel_eval *e, struct cel_value *ret, enum cel_error code)
{
	*ret = (struct cel_value){ .kind = CEL_ERROR, .code = (uint8_t)code, .node = e->node };
}

void cel_fail_about(struct cel_eval *e, struct cel_value *ret, enum cel_error code,
		    const struct cel_value *value, const char *text)
{
	cel_fail(e, ret, code);
	e->detail_node = e->node;
	e->detail = text;
	e->detail_value = value ? *value : (struct cel_value){ .kind = CEL_ERROR };
}

static void stop(struct cel_eval *e, enum cel_error why)
{
	if (!e->stopped)
		e->why_stopped = why;
	e->stopped = true;
}

bool cel_charge(struct cel_eval *e, size_t steps)
{
	if (steps > CEL_COST_MAX - e->cost) {
		stop(e, CEL_E_COST);
		return false;
	}
	e->cost += (uint32_t)steps;
	return true;
}

bool cel_charge_text(struct cel_eval *e, size_t bytes)
{
	return cel_charge(e, bytes / 16);
}

void *cel_alloc(struct cel_eval *e, size_t size)
{
	void *p = arena_alloc(&e->arena, size);

	if (!p)
		stop(e, CEL_E_MEMORY);
	return p;
}

struct cel_list *cel_new_list(struct cel_eval *e, uint32_t capacity)
{
	struct cel_list *list =
		cel_alloc(e, sizeof(*list) + (size_t)capacity * sizeof(struct cel_value));

	if (list)
		*list = (struct cel_list){ .capacity = capacity };
	return list;
}

static OWN_FRAME void eval_and_or(struct cel_eval *e, const struct node *n, struct cel_value *ret)
{
	const bool decides = n->kind == NODE_OR;
	struct cel_value v, error = { .kind = CEL_BOOL };

	for (uint32_t i = 0; i < n->n; i++) {
		eval_node(e, n->args[i], &v);
		if (v.kind == CEL_BOOL && v.b == decides) {
			*ret = v;
			return;
		}
		if (v.kind == CEL_BOOL || error.kind == CEL_ERROR)
			continue;
		e->node = n;
		if (v.kind == CEL_ERROR)
			error = v;
		else
			cel_fail(e, &error, CEL_E_NO_OVERLOAD);
	}
	*ret = error.kind == CEL_ERROR ? error : cel_value_bool(!decides);
}

static const struct node *eval_if(struct cel_eval *e, const struct node *n, struct cel_value *ret)
{
	eval_node(e, n->args[0], ret);
	if (ret->kind == CEL_BOOL)
		return n->args[ret->b ? 1 : 2];
	e->node = n;
	if (ret->kind != CEL_ERROR)
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
	return NULL;
}

static OWN_FRAME void eval_call(struct cel_eval *e, const struct node *n, struct cel_value *ret)
{
	struct cel_value args[CEL_ARGS_MAX];

	for (uint32_t i = 0; i < n->n; i++) {
		struct cel_value *arg = &args[i < CEL_ARGS_MAX ? i : CEL_ARGS_MAX - 1];
		eval_node(e, n->args[i], arg);
		if (arg->kind != CEL_ERROR)
			continue;
		if (n->function == &cel_operators[OPERATOR_NOT_STRICTLY_FALSE])
			*ret = cel_value_bool(true);
		else
			*ret = *arg;
		return;
	}
	e->node = n;
	if (n->function == &cel_operators[OPERATOR_NOT_STRICTLY_FALSE])
		*ret = cel_value_bool(args[0].kind != CEL_BOOL || args[0].b);
	else if (!n->function)
		cel_fail(e, ret, CEL_E_UNKNOWN_FUNCTION);
	else if (n->n > CEL_ARGS_MAX)
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
	else
		n->function->call(e, args, n->n, ret);
}

static OWN_FRAME void eval_list(struct cel_eval *e, const struct node *n, struct cel_value *ret)
{
	struct cel_list *list = cel_new_list(e, n->n);

	if (!list)
		return;
	for (uint32_t i = 0; i < n->n; i++) {
		eval_node(e, n->args[i], ret);
		if (ret->kind == CEL_ERROR)
			return;
		list->items[i] = *ret;
	}
	list->used = n->n;
	*ret = (struct cel_value){ .kind = CEL_LIST, .length = n->n, .list = list };
}

static OWN_FRAME void eval_map(struct cel_eval *e, const struct node *n, struct cel_value *ret)
{
	struct cel_map *map = map_new(e, n->n);
	struct cel_value key, value;
	uint32_t used = 0;

	if (!map)
		return;
	for (uint32_t i = 0; i < n->n; i++) {
		eval_node(e, n->args[2 * i], &key);
		eval_node(e, n->args[2 * i + 1], &value);
		e->node = n->args[2 * i];
		if (key.kind == CEL_ERROR)
			*ret = key;
		else if (value.kind == CEL_ERROR)
			*ret = value;
		else if (!map_key_allowed(e, &key))
			cel_fail_about(e, ret, CEL_E_BAD_KEY, &key, NULL);
		else if (!map_add(e, map, &used, &key, &value))
			cel_fail_about(e, ret, CEL_E_REPEATED_KEY, &key, NULL);
		else
			continue;
		return;
	}
	*ret = (struct cel_value){ .kind = CEL_MAP, .length = used, .map = map };
}

static void select_field(struct cel_eval *e, const struct node *n, struct cel_value *ret)
{
	const struct cel_object *object = ret->object;
	const struct cel_field *field = n->field ? n->field : object_field(object->type, n->name);

	if (!field)
		cel_fail(e, ret, CEL_E_NO_FIELD);
	else if (n->test)
		*ret = cel_value_bool(object_has(object, field));
	else
		object_get(e, object, field, ret);
}

static OWN_FRAME void eval_select(struct cel_eval *e, const struct node *n, struct cel_value *ret)
{
	const struct cel_value key = cel_value_text(n->name.s, n->name.length), *found;

	eval_node(e, n->operand, ret);
	e->node = n;
	switch (ret->kind) {
	case CEL_ERROR:
		break;
	case CEL_OBJECT:
		select_field(e, n, ret);
		break;
	case CEL_MAP:
		found = map_find(e, ret, &key);
		if (n->test)
			*ret = cel_value_bool(found);
		else if (found)
			*ret = *found;
		else
			cel_fail_about(e, ret, CEL_E_NO_KEY, &key, NULL);
		break;
	default:
		if (n->test && ret->kind != CEL_LIST)
			*ret = cel_value_bool(false);
		else
			cel_fail(e, ret, CEL_E_NO_FIELD);
	}
}

static OWN_FRAME void eval_fold(struct cel_eval *e, const struct node *n, struct cel_value *ret)
{
	const struct fold *f = n->fold;
	struct cel_value range, keep;

	eval_node(e, f->range, &range);
	if (range.kind == CEL_ERROR) {
		*ret = range;
		return;
	}
	e->node = n;
	if (range.kind != CEL_LIST && range.kind != CEL_MAP) {
		cel_fail(e, ret, CEL_E_NOT_ITERABLE);
		return;
	}
	eval_node(e, f->init, &e->locals[f->accu_slot]);
	for (uint32_t i = 0; i < range.length && cel_charge(e, 1); i++) {
		e->locals[f->iter_slot] =
			range.kind == CEL_LIST ? range.list->items[i] : range.map->entries[2 * i];
		if (f->condition) {
			eval_node(e, f->condition, &keep);
			if (keep.kind == CEL_BOOL && !keep.b)
				break;
		}
		eval_node(e, f->step, &keep);
		e->locals[f->accu_slot] = keep;
	}
	eval_node(e, f->result, ret);
}

static void eval_variable(struct cel_eval *e, const struct node *n, struct cel_value *ret)
{
	*ret = e->values[n->slot];
	if (ret->kind == CEL_ERROR) {
		e->node = n;
		cel_fail(e, ret, CEL_E_UNBOUND);
	}
}

void eval_node(struct cel_eval *e, const struct node *n, struct cel_value *ret)
{
again:
	e->node = n;
	cel_fail(e, ret, CEL_E_COST); /* what a function leaves that had to stop */
	if (e->stopped || !cel_charge(e, 1))
		return;
	switch ((enum node_kind)n->kind) {
	case NODE_LITERAL:
	case NODE_CONSTANT:
		*ret = n->value;
		break;
	case NODE_VARIABLE:
		eval_variable(e, n, ret);
		break;
	case NODE_LOCAL:
		*ret = e->locals[n->slot];
		break;
	case NODE_SELECT:
		eval_select(e, n, ret);
		break;
	case NODE_CALL:
		eval_call(e, n, ret);
		break;
	case NODE_AND:
	case NODE_OR:
		eval_and_or(e, n, ret);
		break;
	case NODE_IF:
		n = eval_if(e, n, ret);
		if (n)
			goto again;
		break;
	case NODE_LIST:
		eval_list(e, n, ret);
		break;
	case NODE_MAP:
		eval_map(e, n, ret);
		break;
	case NODE_MESSAGE:
		eval_message(e, n, ret);
		break;
	case NODE_FOLD:
		eval_fold(e, n, ret);
		break;
	default:
		cel_fail(e, ret, CEL_E_UNKNOWN_NAME);
	}
	if (e->stopped)
		cel_fail(e, ret, e->why_stopped);
}
