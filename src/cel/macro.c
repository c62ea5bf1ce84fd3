/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Macros: has(a.b), and all, exists, exists_one, map, filter, which become folds. The fold is the definition of what a macro means when an
 * element errs: all and exists go on to look for an element that decides, the others fail.
 */
#include "cel/function.h"
#include "cel/parser.h"

static const struct name accumulator = { "@result", 7 };

static struct node *literal(struct parser *p, uint32_t at, struct cel_value value)
{
	struct node *n = parser_node(p, NODE_LITERAL, at);

	if (n)
		n->value = value;
	return n;
}

static struct node *accu(struct parser *p, uint32_t at)
{
	struct node *n = parser_node(p, NODE_IDENT, at);

	if (n)
		n->name = accumulator;
	return n;
}

static struct node *children(struct parser *p, uint32_t at, enum node_kind kind, struct node *a,
			     struct node *b, struct node *c)
{
	struct node *n = parser_node(p, kind, at);

	if (!n || !a || !b || (kind == NODE_IF && !c))
		return NULL;
	n->args = arena_alloc(&p->program->arena, 3 * sizeof(*n->args));
	if (!n->args)
		return parser_error(p, at, "out of memory");
	n->args[0] = a;
	n->args[1] = b;
	n->args[2] = c;
	n->n = c ? 3 : 2;
	return n;
}

static struct node *empty_list(struct parser *p, uint32_t at)
{
	struct node *n = parser_node(p, NODE_LIST, at);

	if (n)
		n->args = NULL;
	return n;
}

static struct node *not_strictly_false(struct parser *p, uint32_t at, struct node *n)
{
	return n ? parser_call(p, at, &cel_operators[OPERATOR_NOT_STRICTLY_FALSE], n, NULL) : NULL;
}

/* accu && predicate, until it is false. */
static void make_all(struct parser *p, struct fold *f, uint32_t at, struct node **args)
{
	f->init = literal(p, at, cel_value_bool(true));
	f->condition = not_strictly_false(p, at, accu(p, at));
	f->step = children(p, at, NODE_AND, accu(p, at), args[2], NULL);
	f->result = accu(p, at);
	if (f->step)
		f->step->macro_argument = 2;
}

/* accu || predicate, until it is true. */
static void make_exists(struct parser *p, struct fold *f, uint32_t at, struct node **args)
{
	struct node *a = accu(p, at);
	struct node *is_false =
		a ? parser_call(p, at, &cel_operators[OPERATOR_NOT], a, NULL) : NULL;

	f->init = literal(p, at, cel_value_bool(false));
	f->condition = not_strictly_false(p, at, is_false);
	f->step = children(p, at, NODE_OR, accu(p, at), args[2], NULL);
	f->result = accu(p, at);
	if (f->step)
		f->step->macro_argument = 2;
}

/* Counts; every element is looked at. */
static void make_exists_one(struct parser *p, struct fold *f, uint32_t at, struct node **args)
{
	struct cel_value zero = { .kind = CEL_INT, .i = 0 }, one = { .kind = CEL_INT, .i = 1 };
	struct node *a = accu(p, at), *b = accu(p, at);
	struct node *one_more = literal(p, at, one), *one_result = literal(p, at, one);

	if (!a || !b || !one_more || !one_result)
		return;
	f->init = literal(p, at, zero);
	f->step = children(p, at, NODE_IF, args[2],
			   parser_call(p, at, &cel_operators[OPERATOR_ADD], a, one_more),
			   accu(p, at));
	f->result = parser_call(p, at, &cel_operators[OPERATOR_EQ], b, one_result);
	if (f->step)
		f->step->macro_argument = 2;
}

/* map(x, transform), map(x, predicate, transform), filter(x, predicate). */
static void make_list(struct parser *p, struct fold *f, uint32_t at, struct node *predicate,
		      struct node *transform)
{
	struct node *a = accu(p, at);

	f->init = empty_list(p, at);
	f->result = accu(p, at);
	if (!a || !transform)
		return;
	f->step = parser_call(p, at, &cel_operators[OPERATOR_APPEND], a, transform);
	if (predicate && f->step) {
		f->step = children(p, at, NODE_IF, predicate, f->step, accu(p, at));
		if (f->step)
			f->step->macro_argument = 2;
	}
}

static struct node *element(struct parser *p, const struct node *variable)
{
	struct node *n = parser_node(p, NODE_IDENT, variable->at);

	if (n)
		n->name = variable->name;
	return n;
}

static struct node *make_fold(struct parser *p, struct node *call, const char *macro)
{
	struct node **args = call->args, *variable = args[1];
	struct fold *f = arena_alloc(&p->program->arena, sizeof(*f));

	if (!f)
		return parser_error(p, call->at, "out of memory");
	if (variable->kind != NODE_IDENT)
		return parser_error(p, variable->at,
				    "%s() wants a plain name for the element first: "
				    "list.%s(x, … x …)",
				    macro, macro);
	if (name_is(variable->name, "__result__") || name_is(variable->name, "@result"))
		return parser_error(
			p, variable->at,
			"this name is the language's own; give the element another one");
	*f = (struct fold){ .range = args[0], .iter = variable->name, .macro = macro };
	if (macro[0] == 'a')
		make_all(p, f, call->at, args);
	else if (macro[0] == 'f')
		make_list(p, f, call->at, args[2], element(p, variable));
	else if (macro[0] == 'm')
		make_list(p, f, call->at, call->n == 4 ? args[2] : NULL, args[call->n - 1]);
	else if (macro[6] == '\0')
		make_exists(p, f, call->at, args);
	else
		make_exists_one(p, f, call->at, args);
	if (!f->init || !f->step || !f->result)
		return NULL;
	call->kind = NODE_FOLD;
	call->fold = f;
	return call;
}

static struct node *make_has(struct parser *p, struct node *call)
{
	struct node *select = call->args[0];

	if (select->kind != NODE_SELECT || select->test)
		return parser_error(p, select->at,
				    "has() wants a field, as in has(disk.serial), to say whether "
				    "it is set");
	select->test = true;
	return select;
}

struct node *macro_expand(struct parser *p, struct node *call)
{
	static const struct {
		const char *name;
		uint32_t least, most; /* arguments with the receiver */
	} folds[] = {
		{ "all", 3, 3 },       { "exists", 3, 3 }, { "exists_one", 3, 3 },
		{ "existsOne", 3, 3 }, { "map", 3, 4 },	   { "filter", 3, 3 },
	};

	if (p->program->env->no_macros)
		return call;
	if (!call->member)
		return call->n == 1 && name_is(call->name, "has") ? make_has(p, call) : call;
	for (size_t i = 0; i < ARRAY_SIZE(folds); i++)
		if (call->n >= folds[i].least && call->n <= folds[i].most &&
		    name_is(call->name, folds[i].name))
			return make_fold(p, call, folds[i].name);
	return call;
}
