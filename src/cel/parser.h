/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_PARSER_H
#define LARDER_CEL_PARSER_H
/*
 * Text to tree: recursive descent, one function per rule of the grammar (cel-spec, doc/langdef.md). The C stack
 * it takes is bounded, as no rule nests more than CEL_NESTING_MAX deep.
 */
#include "cel/ast.h"
#include "cel/lexer.h"

struct parser {
	struct cel_program *program;
	struct lexer lexer;
	struct token token;  /* the one to look at */
	struct token before; /* the one before it, for messages */
	struct diag *diag;
	int error;			  /* of what went wrong first; 0: nothing */
	unsigned exprs, relations, calcs; /* how deep these rules are nested now */
	struct node **stack;		  /* children of unfinished nodes */
	size_t n_stack, stack_size;
};

/* Fills program->root. -EINVAL with diag, -ENOMEM. */
int cel_parse(struct cel_program *program, struct diag *diag);

/* For macros (cel/macro.c). All return NULL when something went wrong, and then p->error is set. */
struct node *parser_error(struct parser *p, uint32_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
struct node *parser_node(struct parser *p, enum node_kind kind, uint32_t at);
struct node *parser_call(struct parser *p, uint32_t at, const struct cel_function *function,
			 struct node *a, struct node *b);

/*
 * Expands call (a NODE_CALL that has a name, with its arguments) if it is a macro, else returns it as it is.
 */
struct node *macro_expand(struct parser *p, struct node *call);

#endif
