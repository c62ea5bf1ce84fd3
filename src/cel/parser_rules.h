/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_PARSER_RULES_H
#define LARDER_CEL_PARSER_RULES_H
/*
 * Between the files of the parser: parser.c has the rules for operators, parse_value.c those for values, parser_base.c what both
 * use. Whatever returns a node returns NULL when something went wrong, and then p->error is set.
 */
#include "cel/function.h"
#include "cel/parser.h"

void parser_advance(struct parser *p);

/* Is the next token of that kind? Then it is taken. */
bool parser_accept(struct parser *p, enum token_kind kind);

/* The same, and else an error that what (a text such as "a name") should be here. */
bool parser_expect(struct parser *p, enum token_kind kind, const char *what);

/* The token that is there fits nowhere; expected may be NULL. */
struct node *parser_unexpected(struct parser *p, const char *expected);
struct node *parser_out_of_memory(struct parser *p);
struct node *parser_too_deep(struct parser *p, uint32_t at);

/* Children are collected on a stack while their number is not known: push each, then take all since it had from of them. */
bool parser_push(struct parser *p, struct node *child);
struct node *parser_take_children(struct parser *p, struct node *parent, size_t from);

/* An operator counts as one level of nesting. */
struct node *parser_deepen(struct parser *p, struct node *n);
struct node *parser_binary(struct parser *p, uint32_t at, enum operator operator, struct node * a,
			   struct node *b);

struct node *parse_expr(struct parser *p);
struct node *parse_member(struct parser *p);
struct node *parse_suffixes(struct parser *p, struct node *n);

/* The literal that is the next token; negative: a minus sign at at belongs to it. */
struct node *parse_literal(struct parser *p, bool negative, uint32_t at);

#endif
