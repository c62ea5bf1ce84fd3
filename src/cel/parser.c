/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/parser.h"

#include <stdlib.h>

#include "cel/function.h"
#include "cel/parser_rules.h"

/* -5 is a literal; so is the 5 of "!-5", the one place where a sign may follow "!". */
static OWN_FRAME bool at_negative_number(const struct parser *p)
{
	struct lexer lexer = p->lexer;

	if (p->token.kind != TOKEN_MINUS)
		return false;
	enum token_kind next = lexer_next(&lexer).kind;
	return next == TOKEN_INT || next == TOKEN_DOUBLE;
}

static OWN_FRAME struct node *parse_negative_number(struct parser *p)
{
	uint32_t at = p->token.at;

	parser_advance(p);
	return parse_suffixes(p, parse_literal(p, true, at));
}

/* One or more of the same sign; pairs cancel, whatever they stand before. */
static struct node *parse_unary(struct parser *p)
{
	enum token_kind sign = p->token.kind;
	uint32_t at = p->token.at;
	bool odd = false;

	if (sign != TOKEN_NOT && sign != TOKEN_MINUS)
		return parse_member(p);
	if (at_negative_number(p))
		return parse_negative_number(p);
	while (parser_accept(p, sign))
		odd = !odd;
	struct node *n = at_negative_number(p) ? parse_negative_number(p) : parse_member(p);
	if (!n || !odd)
		return n;
	return parser_call(
		p, at, &cel_operators[sign == TOKEN_NOT ? OPERATOR_NOT : OPERATOR_NEGATE], n, NULL);
}

/* The right side of an arithmetic operator nests the grammar's rule "calc". */
static struct node *parse_right(struct parser *p, struct node *(*parse)(struct parser *),
				unsigned *depth)
{
	if (++*depth > CEL_NESTING_MAX)
		return parser_too_deep(p, p->token.at);
	struct node *n = parse(p);
	--*depth;
	return n;
}

static struct node *parse_product(struct parser *p)
{
	struct node *n = parse_unary(p);

	while (n) {
		uint32_t at = p->token.at;
		enum operator operator;
		if (p->token.kind == TOKEN_STAR)
			operator= OPERATOR_MULTIPLY;
		else if (p->token.kind == TOKEN_SLASH)
			operator= OPERATOR_DIVIDE;
		else if (p->token.kind == TOKEN_PERCENT)
			operator= OPERATOR_MODULO;
		else
			break;
		parser_advance(p);
		n = parser_binary(p, at, operator, n, parse_right(p, parse_unary, &p->calcs));
	}
	return n;
}

static struct node *parse_sum(struct parser *p)
{
	struct node *n = parse_product(p);

	while (n && (p->token.kind == TOKEN_PLUS || p->token.kind == TOKEN_MINUS)) {
		uint32_t at = p->token.at;
		enum operator operator= p->token.kind == TOKEN_PLUS ? OPERATOR_ADD
								    : OPERATOR_SUBTRACT;
		parser_advance(p);
		n = parser_binary(p, at, operator, n, parse_right(p, parse_product, &p->calcs));
	}
	return n;
}

/* The grammar's rule "calc": sums and products. */
static struct node *parse_calc(struct parser *p)
{
	return parse_right(p, parse_sum, &p->calcs);
}

static bool relation_operator(enum token_kind kind, enum operator* ret)
{
	switch (kind) {
	case TOKEN_LT:
		*ret = OPERATOR_LT;
		return true;
	case TOKEN_LE:
		*ret = OPERATOR_LE;
		return true;
	case TOKEN_GT:
		*ret = OPERATOR_GT;
		return true;
	case TOKEN_GE:
		*ret = OPERATOR_GE;
		return true;
	case TOKEN_EQ:
		*ret = OPERATOR_EQ;
		return true;
	case TOKEN_NE:
		*ret = OPERATOR_NE;
		return true;
	case TOKEN_IN:
		*ret = OPERATOR_IN;
		return true;
	default:
		return false;
	}
}

static struct node *parse_relation(struct parser *p)
{
	enum operator operator;
	struct node *n = parse_right(p, parse_calc, &p->relations);

	while (n && relation_operator(p->token.kind, &operator)) {
		uint32_t at = p->token.at;
		parser_advance(p);
		p->relations++; /* the rule holds itself while its right side is read */
		n = parser_binary(p, at, operator, n, parse_right(p, parse_calc, &p->relations));
		p->relations--;
	}
	return n;
}

/* a && b && c, a || b || c: one node with all of them. */
static struct node *parse_logic(struct parser *p, enum token_kind token, enum node_kind kind,
				struct node *(*parse)(struct parser *))
{
	size_t from = p->n_stack;
	struct node *first = parse(p);
	uint32_t at = p->token.at;

	if (!first || p->token.kind != token)
		return first;
	struct node *n = parser_node(p, kind, at);
	if (!n || !parser_push(p, first))
		return NULL;
	while (parser_accept(p, token))
		if (!parser_push(p, parse(p)))
			return NULL;
	return parser_take_children(p, n, from);
}

static struct node *parse_and(struct parser *p)
{
	return parse_logic(p, TOKEN_AND, NODE_AND, parse_relation);
}

static struct node *parse_or(struct parser *p)
{
	return parse_logic(p, TOKEN_OR, NODE_OR, parse_and);
}

static struct node *parse_conditional(struct parser *p)
{
	struct node *condition = parse_or(p);
	uint32_t at = p->token.at;
	size_t from = p->n_stack;

	if (!condition || !parser_accept(p, TOKEN_QUESTION))
		return condition;
	struct node *n = parser_node(p, NODE_IF, at);
	if (!n || !parser_push(p, condition) || !parser_push(p, parse_or(p)) ||
	    !parser_expect(p, TOKEN_COLON, "\":\" and what holds otherwise") ||
	    !parser_push(p, parse_expr(p)))
		return NULL;
	return parser_deepen(p, parser_take_children(p, n, from));
}

struct node *parse_expr(struct parser *p)
{
	return parse_right(p, parse_conditional, &p->exprs);
}

int cel_parse(struct cel_program *program, struct diag *diag)
{
	struct parser p = { .program = program,
			    .lexer = { .text = program->text, .length = program->length },
			    .diag = diag };

	parser_advance(&p);
	if (p.token.kind == TOKEN_END)
		parser_error(&p, 0, "the expression is empty");
	else
		program->root = parse_expr(&p);
	if (program->root && p.token.kind != TOKEN_END)
		parser_unexpected(&p, NULL);
	free(p.stack);
	return p.error;
}
