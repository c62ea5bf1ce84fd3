/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all rules of the grammar use: the next token, errors, nodes and their children.
 */
#include <stdarg.h>
#include <string.h>

#include "cel/function.h"
#include "base/text.h"
#include "cel/parser_rules.h"

struct node *parser_error(struct parser *p, uint32_t at, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	if (p->error)
		return NULL;
	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	p->error = cel_error_at(p->diag, -EINVAL, p->program, at, "%s", message ? message : "");
	return NULL;
}

struct node *parser_out_of_memory(struct parser *p)
{
	if (!p->error)
		p->error = diag_set(p->diag, -ENOMEM, "out of memory");
	return NULL;
}

void parser_advance(struct parser *p)
{
	p->before = p->token;
	p->token = lexer_next(&p->lexer);
}

bool parser_accept(struct parser *p, enum token_kind kind)
{
	if (p->token.kind != kind)
		return false;
	parser_advance(p);
	return true;
}

static bool is_word(const struct parser *p, const struct token *t, const char *word)
{
	return t->length == strlen(word) && memcmp(p->program->text + t->at, word, t->length) == 0;
}

static bool token_is(const struct parser *p, const char *word)
{
	return is_word(p, &p->token, word);
}

/* "10GB", the commonest mistake of all: the number before the unit, in *ret_digits of its characters. */
static bool is_size_without_product(const struct parser *p, uint32_t *ret_digits)
{
	static const char *const units[] = { "kB",  "KB",  "MB",  "GB",	 "TB",	"PB", "EB",
					     "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	const struct token *b = &p->before;

	if (p->token.kind != TOKEN_IDENT || (b->kind != TOKEN_INT && b->kind != TOKEN_UINT))
		return false;
	*ret_digits = b->length - (b->kind == TOKEN_UINT);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (token_is(p, units[i]))
			return true;
	return false;
}

/* The token that is there fits nowhere; expected may be NULL. */
struct node *parser_unexpected(struct parser *p, const char *expected)
{
	const struct token *t = &p->token;
	uint32_t digits;

	if (t->kind == TOKEN_ERROR)
		return parser_error(p, t->at, "%s", t->problem);
	if (t->kind == TOKEN_END && expected)
		return parser_error(p, t->at, "the expression ends where %s should follow",
				    expected);
	if (t->kind == TOKEN_END)
		return parser_error(p, t->at, "the expression ends too early");
	if (token_is(p, "and") || token_is(p, "AND"))
		return parser_error(p, t->at, "\"and\" is written && here");
	if (token_is(p, "or") || token_is(p, "OR"))
		return parser_error(p, t->at, "\"or\" is written || here");
	if (is_size_without_product(p, &digits))
		return parser_error(p, t->at, "a size is a product here: write %.*su * %.*s",
				    (int)digits, p->program->text + p->before.at, (int)t->length,
				    p->program->text + t->at);
	if (token_is(p, "not") || (p->before.kind == TOKEN_IDENT && is_word(p, &p->before, "not")))
		return parser_error(p, t->at, "\"not\" is written ! here, before what it negates");
	return parser_error(p, t->at, "\"%.*s\" does not fit here%s%s",
			    (int)(t->length > 40 ? 40 : t->length), p->program->text + t->at,
			    expected ? "; expected " : "", expected ? expected : "");
}

bool parser_expect(struct parser *p, enum token_kind kind, const char *what)
{
	if (parser_accept(p, kind))
		return true;
	parser_unexpected(p, what);
	return false;
}

struct node *parser_node(struct parser *p, enum node_kind kind, uint32_t at)
{
	struct node *n = arena_alloc(&p->program->arena, sizeof(*n));

	if (!n)
		return parser_out_of_memory(p);
	*n = (struct node){ .kind = (uint8_t)kind, .at = at };
	return n;
}

/* Children are collected on a stack while their number is not known: parser_push() each, then parser_take_children(). */
bool parser_push(struct parser *p, struct node *child)
{
	if (!child)
		return false;
	if (p->n_stack == p->stack_size) {
		size_t size = p->stack_size ? p->stack_size * 2 : 16;
		struct node **larger = realloc(p->stack, size * sizeof(*larger));
		if (!larger) {
			parser_out_of_memory(p);
			return false;
		}
		p->stack = larger;
		p->stack_size = size;
	}
	p->stack[p->n_stack++] = child;
	return true;
}

/* Gives parent the children that were pushed since the stack had from of them. */
struct node *parser_take_children(struct parser *p, struct node *parent, size_t from)
{
	size_t n = p->n_stack - from;

	parent->args = arena_copy(&p->program->arena, n > 0 ? p->stack + from : NULL,
				  n * sizeof(*p->stack));
	if (!parent->args)
		return parser_out_of_memory(p);
	parent->n = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		if (parent->args[i]->depth > parent->depth)
			parent->depth = parent->args[i]->depth;
	p->n_stack = from;
	return parent;
}

struct node *parser_too_deep(struct parser *p, uint32_t at)
{
	return parser_error(p, at, "the expression is nested more than %d levels deep",
			    CEL_NESTING_MAX);
}

/* An operator counts as one level of nesting. */
struct node *parser_deepen(struct parser *p, struct node *n)
{
	if (n && ++n->depth > CEL_NESTING_MAX)
		return parser_too_deep(p, n->at);
	return n;
}

struct node *parser_call(struct parser *p, uint32_t at, const struct cel_function *function,
			 struct node *a, struct node *b)
{
	size_t from = p->n_stack;
	struct node *n = parser_node(p, NODE_CALL, at);

	if (!n || !parser_push(p, a) || (b && !parser_push(p, b)))
		return NULL;
	n->function = function;
	return parser_take_children(p, n, from);
}

struct node *parser_binary(struct parser *p, uint32_t at, enum operator operator, struct node * a,
			   struct node *b)
{
	if (!a || !b)
		return NULL;
	return parser_deepen(p, parser_call(p, at, &cel_operators[operator], a, b));
}
