/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules for values: literals, lists, maps, names, calls, and what may follow a value.
 */
#include <string.h>

#include "cel/function.h"
#include "cel/literal.h"
#include "cel/parser_rules.h"

/* [a, b], f(a, b): expressions up to the closing token, which is taken; a comma may end a list. */
static bool parse_expressions(struct parser *p, enum token_kind close, bool trailing_comma)
{
	bool first = true;

	while (!parser_accept(p, close)) {
		if (!first &&
		    !parser_expect(p, TOKEN_COMMA,
				   close == TOKEN_RPAREN ? "\",\" or \")\"" : "\",\" or \"]\""))
			return false;
		if (trailing_comma && first && p->token.kind == TOKEN_COMMA)
			parser_advance(p);
		if (trailing_comma && parser_accept(p, close))
			return true;
		first = false;
		if (!parser_push(p, parse_expr(p)))
			return false;
	}
	return true;
}

static OWN_FRAME struct node *parse_list(struct parser *p)
{
	struct node *n = parser_node(p, NODE_LIST, p->token.at);
	size_t from = p->n_stack;

	parser_advance(p);
	if (!n || !parse_expressions(p, TOKEN_RBRACKET, true))
		return NULL;
	return parser_take_children(p, n, from);
}

static OWN_FRAME struct node *parse_map(struct parser *p)
{
	struct node *n = parser_node(p, NODE_MAP, p->token.at);
	size_t from = p->n_stack;

	parser_advance(p);
	if (!n)
		return NULL;
	bool first = true;
	while (!parser_accept(p, TOKEN_RBRACE)) {
		if (!first && !parser_expect(p, TOKEN_COMMA, "\",\" or \"}\""))
			return NULL;
		if (first && p->token.kind == TOKEN_COMMA)
			parser_advance(p);
		if (parser_accept(p, TOKEN_RBRACE))
			break;
		first = false;
		if (!parser_push(p, parse_expr(p)) || !parser_expect(p, TOKEN_COLON, "\":\"") ||
		    !parser_push(p, parse_expr(p)))
			return NULL;
	}
	n = parser_take_children(p, n, from);
	if (n)
		n->n /= 2;
	return n;
}

static OWN_FRAME struct node *make_message(struct parser *p, struct node *type,
					   const struct token *names, size_t n_names, size_t from)
{
	struct arena *arena = &p->program->arena;
	struct message *m = arena_alloc(arena, sizeof(*m));
	struct node holder = { 0 };

	if (!m)
		return parser_out_of_memory(p);
	*m = (struct message){ .names = arena_alloc(arena, n_names * sizeof(*m->names)),
			       .at = arena_alloc(arena, n_names * sizeof(*m->at)),
			       .fields = arena_alloc(arena, n_names * sizeof(*m->fields)) };
	if (!m->names || !m->at || !m->fields || !parser_take_children(p, &holder, from))
		return parser_out_of_memory(p);
	m->values = holder.args;
	for (size_t i = 0; i < n_names; i++) {
		m->names[i] = (struct name){ p->program->text + names[i].at, names[i].length };
		m->at[i] = names[i].at;
	}
	type->kind = NODE_MESSAGE;
	type->message = m;
	type->n = (uint32_t)n_names;
	type->depth = holder.depth;
	return type;
}

/* a.b.C{field: value}: type is the name in front, a NODE_IDENT whose name is the whole "a.b.C". */
static OWN_FRAME struct node *parse_message(struct parser *p, struct node *type)
{
	_cleanup_free_ struct token *names = NULL;
	size_t n = 0, from = p->n_stack;

	parser_advance(p);
	while (!parser_accept(p, TOKEN_RBRACE)) {
		if (n > 0 && !parser_expect(p, TOKEN_COMMA, "\",\" or \"}\""))
			return NULL;
		if (n == 0 && p->token.kind == TOKEN_COMMA)
			parser_advance(p);
		if (parser_accept(p, TOKEN_RBRACE))
			break;
		struct token *larger = realloc(names, (n + 1) * sizeof(*names));
		if (!larger)
			return parser_out_of_memory(p);
		names = larger;
		names[n++] = p->token;
		if (!parser_expect(p, TOKEN_IDENT, "the name of a field") ||
		    !parser_expect(p, TOKEN_COLON, "\":\"") || !parser_push(p, parse_expr(p)))
			return NULL;
	}
	return make_message(p, type, names, n, from);
}

static const char *const reserved[] = {
	"as",  "break", "const",     "continue", "else",   "for", "function", "if",    "import",
	"let", "loop",	"namespace", "package",	 "return", "var", "void",     "while",
};

static bool is_reserved(struct name name)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (name_is(name, reserved[i]))
			return true;
	return false;
}

/* Is what follows the name of a message type and then "{"? Looks ahead only. */
static bool message_follows(const struct parser *p)
{
	struct lexer lexer = p->lexer;
	struct token t = p->token;

	while (t.kind == TOKEN_DOT) {
		t = lexer_next(&lexer);
		if (t.kind != TOKEN_IDENT)
			return false;
		t = lexer_next(&lexer);
	}
	return t.kind == TOKEN_LBRACE;
}

static OWN_FRAME struct node *parse_arguments(struct parser *p, struct node *call, size_t from)
{
	parser_advance(p);
	if (!parse_expressions(p, TOKEN_RPAREN, false) || !parser_take_children(p, call, from))
		return NULL;
	return macro_expand(p, call);
}

/* A name, with the leading dot that makes it absolute, or a call of a function by its name. */
static OWN_FRAME struct node *parse_name(struct parser *p)
{
	const char *text = p->program->text;
	struct token start = p->token;
	bool dot = parser_accept(p, TOKEN_DOT);
	struct token word = p->token;

	if (!parser_expect(p, TOKEN_IDENT, "a name"))
		return NULL;
	struct name name = { text + word.at, word.length };
	if (is_reserved(name) && !message_follows(p))
		return parser_error(p, word.at,
				    "\"%.*s\" is a word that the language keeps for itself",
				    (int)name.length, name.s);
	struct node *n = parser_node(p, NODE_IDENT, start.at);
	if (!n)
		return NULL;
	n->name = name;
	/* Functions are global anyway; but .has() is no macro, and so nothing at all. */
	if (dot && (p->token.kind != TOKEN_LPAREN || name_is(name, "has"))) {
		char *absolute = arena_alloc(&p->program->arena, word.length + 1);
		if (!absolute)
			return parser_out_of_memory(p);
		absolute[0] = '.';
		memcpy(absolute + 1, name.s, name.length);
		n->name = (struct name){ absolute, word.length + 1 };
	}
	if (p->token.kind != TOKEN_LPAREN)
		return n;
	n->kind = NODE_CALL;
	return parse_arguments(p, n, p->n_stack);
}

OWN_FRAME struct node *parse_literal(struct parser *p, bool negative, uint32_t at)
{
	const struct token t = p->token;
	const char *s = p->program->text + t.at, *problem = NULL;
	struct node *n = parser_node(p, NODE_LITERAL, at);

	if (!n)
		return NULL;
	switch (t.kind) {
	case TOKEN_INT:
		problem = literal_int(s, t.length, negative, &n->value);
		break;
	case TOKEN_UINT:
		problem = literal_uint(s, t.length, &n->value);
		break;
	case TOKEN_DOUBLE:
		problem = literal_double(s, t.length, negative, &n->value);
		break;
	case TOKEN_STRING:
	case TOKEN_BYTES:
		problem = literal_string(&p->program->arena, s, t.length, t.kind == TOKEN_BYTES,
					 &n->value);
		break;
	case TOKEN_TRUE:
	case TOKEN_FALSE:
		n->value = cel_value_bool(t.kind == TOKEN_TRUE);
		break;
	default:
		n->value = (struct cel_value){ .kind = CEL_NULL };
	}
	if (problem)
		return parser_error(p, t.at, "%s", problem);
	parser_advance(p);
	return n;
}

static struct node *parse_parentheses(struct parser *p)
{
	parser_advance(p);
	struct node *n = parse_expr(p);
	if (!n || !parser_expect(p, TOKEN_RPAREN, "\")\""))
		return NULL;
	n->nested = true;
	return n;
}

static struct node *parse_primary(struct parser *p)
{
	switch (p->token.kind) {
	case TOKEN_INT:
	case TOKEN_UINT:
	case TOKEN_DOUBLE:
	case TOKEN_STRING:
	case TOKEN_BYTES:
	case TOKEN_TRUE:
	case TOKEN_FALSE:
	case TOKEN_NULL:
		return parse_literal(p, false, p->token.at);
	case TOKEN_IDENT:
	case TOKEN_DOT:
		return parse_name(p);
	case TOKEN_LPAREN:
		return parse_parentheses(p);
	case TOKEN_LBRACKET:
		return parse_list(p);
	case TOKEN_LBRACE:
		return parse_map(p);
	default:
		return parser_unexpected(p, "a value");
	}
}

/* The name of a field, where the language is to have them also in backquotes. */
static bool field_name(struct parser *p, struct name *ret)
{
	const struct token t = p->token;
	const char *s = p->program->text + t.at;

	if (t.kind == TOKEN_QUOTED_IDENT && p->program->env->as_specified) {
		*ret = (struct name){ s + 1, t.length - 2 };
		parser_advance(p);
		return true;
	}
	*ret = (struct name){ s, t.length };
	return parser_expect(p, TOKEN_IDENT, "the name of a field or function");
}

/* After "a." */
static OWN_FRAME struct node *parse_field(struct parser *p, struct node *operand)
{
	struct token word = p->token;
	struct node *n = parser_node(p, NODE_SELECT, word.at);

	if (!n || !field_name(p, &n->name))
		return NULL;
	if (p->token.kind != TOKEN_LPAREN || word.kind == TOKEN_QUOTED_IDENT) {
		n->operand = operand;
		n->depth = operand->depth;
		return parser_deepen(p, n);
	}
	size_t from = p->n_stack;
	n->kind = NODE_CALL;
	n->member = true;
	if (!parser_push(p, operand))
		return NULL;
	return parser_deepen(p, parse_arguments(p, n, from));
}

static OWN_FRAME struct node *parse_index(struct parser *p, struct node *operand)
{
	uint32_t at = p->token.at;

	parser_advance(p);
	struct node *index = parse_expr(p);
	if (!index || !parser_expect(p, TOKEN_RBRACKET, "\"]\""))
		return NULL;
	return parser_binary(p, at, OPERATOR_INDEX, operand, index);
}

/* Is n a plain chain of names, a.b.c, that can be the name of a type? */
static bool is_name_chain(const struct node *n)
{
	while (n->kind == NODE_SELECT && !n->nested && !n->test)
		n = n->operand;
	return n->kind == NODE_IDENT && !n->nested;
}

/* The chain as one name. */
static OWN_FRAME struct node *join_names(struct parser *p, struct node *chain)
{
	uint32_t length = chain->name.length;

	if (chain->kind == NODE_IDENT)
		return chain;
	for (struct node *n = chain->operand;; n = n->operand) {
		length += n->name.length + 1;
		if (n->kind == NODE_IDENT)
			break;
	}
	char *joined = arena_alloc(&p->program->arena, length), *end = joined + length;
	if (!joined)
		return parser_out_of_memory(p);
	for (struct node *n = chain;; n = n->operand) {
		end -= n->name.length;
		memcpy(end, n->name.s, n->name.length);
		if (n->kind == NODE_IDENT)
			break;
		*--end = '.';
	}
	chain->name = (struct name){ joined, length };
	return chain;
}

/* What may stand after a value: .field, .function(…), [index], and {…} after the name of a type. */
struct node *parse_suffixes(struct parser *p, struct node *n)
{
	while (n) {
		if (parser_accept(p, TOKEN_DOT))
			n = parse_field(p, n);
		else if (p->token.kind == TOKEN_LBRACKET)
			n = parse_index(p, n);
		else if (p->token.kind == TOKEN_LBRACE && is_name_chain(n))
			return (n = join_names(p, n)) && (n = parse_message(p, n))
				       ? parse_suffixes(p, n)
				       : NULL;
		else
			break;
	}
	return n;
}

struct node *parse_member(struct parser *p)
{
	return parse_suffixes(p, parse_primary(p));
}
