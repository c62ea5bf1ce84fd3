/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/parser.h"

#include <stdarg.h>
#include <string.h>

#include "cel/function.h"
#include "cel/literal.h"

static struct node *parse_expr(struct parser *p);

struct node *parser_error(struct parser *p, uint32_t at, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	if (p->error)
		return NULL;
	va_start(ap, format);
	if (vasprintf(&message, format, ap) < 0)
		message = NULL;
	va_end(ap);
	p->error = cel_error_at(p->diag, -EINVAL, p->program, at, "%s", message ? message : "");
	return NULL;
}

static OWN_FRAME struct node *out_of_memory(struct parser *p)
{
	if (!p->error)
		p->error = diag_set(p->diag, -ENOMEM, "out of memory");
	return NULL;
}

static void advance(struct parser *p)
{
	p->token = lexer_next(&p->lexer);
}

static bool accept(struct parser *p, enum token_kind kind)
{
	if (p->token.kind != kind)
		return false;
	advance(p);
	return true;
}

static bool token_is(const struct parser *p, const char *word)
{
	return p->token.length == strlen(word) &&
	       memcmp(p->program->text + p->token.at, word, p->token.length) == 0;
}

/* The token that is there fits nowhere; expected may be NULL. */
static OWN_FRAME struct node *unexpected(struct parser *p, const char *expected)
{
	const struct token *t = &p->token;

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
	if (token_is(p, "not"))
		return parser_error(p, t->at, "\"not\" is written ! here, before what it negates");
	return parser_error(p, t->at, "\"%.*s\" does not fit here%s%s",
			    (int)(t->length > 40 ? 40 : t->length), p->program->text + t->at,
			    expected ? "; expected " : "", expected ? expected : "");
}

static bool expect(struct parser *p, enum token_kind kind, const char *what)
{
	if (accept(p, kind))
		return true;
	unexpected(p, what);
	return false;
}

struct node *parser_node(struct parser *p, enum node_kind kind, uint32_t at)
{
	struct node *n = arena_alloc(&p->program->arena, sizeof(*n));

	if (!n)
		return out_of_memory(p);
	*n = (struct node){ .kind = (uint8_t)kind, .at = at };
	return n;
}

/* Children are collected on a stack while their number is not known: push() each, then take_children(). */
static bool push(struct parser *p, struct node *child)
{
	if (!child)
		return false;
	if (p->n_stack == p->stack_size) {
		size_t size = p->stack_size ? p->stack_size * 2 : 16;
		struct node **larger = realloc(p->stack, size * sizeof(*larger));
		if (!larger) {
			out_of_memory(p);
			return false;
		}
		p->stack = larger;
		p->stack_size = size;
	}
	p->stack[p->n_stack++] = child;
	return true;
}

/* Gives parent the children that were pushed since the stack had from of them. */
static struct node *take_children(struct parser *p, struct node *parent, size_t from)
{
	size_t n = p->n_stack - from;

	parent->args = arena_copy(&p->program->arena, n > 0 ? p->stack + from : NULL,
				  n * sizeof(*p->stack));
	if (!parent->args)
		return out_of_memory(p);
	parent->n = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		if (parent->args[i]->depth > parent->depth)
			parent->depth = parent->args[i]->depth;
	p->n_stack = from;
	return parent;
}

static OWN_FRAME struct node *too_deep(struct parser *p, uint32_t at)
{
	return parser_error(p, at, "the expression is nested more than %d levels deep",
			    CEL_NESTING_MAX);
}

/* An operator counts as one level of nesting. */
static struct node *deepen(struct parser *p, struct node *n)
{
	if (n && ++n->depth > CEL_NESTING_MAX)
		return too_deep(p, n->at);
	return n;
}

struct node *parser_call(struct parser *p, uint32_t at, const struct cel_function *function,
			 struct node *a, struct node *b)
{
	size_t from = p->n_stack;
	struct node *n = parser_node(p, NODE_CALL, at);

	if (!n || !push(p, a) || (b && !push(p, b)))
		return NULL;
	n->function = function;
	return take_children(p, n, from);
}

static struct node *binary(struct parser *p, uint32_t at, enum operator operator, struct node * a,
			   struct node *b)
{
	if (!a || !b)
		return NULL;
	return deepen(p, parser_call(p, at, &cel_operators[operator], a, b));
}

/* [a, b], f(a, b): expressions up to the closing token, which is taken; a comma may end a list. */
static bool parse_expressions(struct parser *p, enum token_kind close, bool trailing_comma)
{
	bool first = true;

	while (!accept(p, close)) {
		if (!first && !expect(p, TOKEN_COMMA,
				      close == TOKEN_RPAREN ? "\",\" or \")\"" : "\",\" or \"]\""))
			return false;
		if (trailing_comma && first && p->token.kind == TOKEN_COMMA)
			advance(p);
		if (trailing_comma && accept(p, close))
			return true;
		first = false;
		if (!push(p, parse_expr(p)))
			return false;
	}
	return true;
}

static OWN_FRAME struct node *parse_list(struct parser *p)
{
	struct node *n = parser_node(p, NODE_LIST, p->token.at);
	size_t from = p->n_stack;

	advance(p);
	if (!n || !parse_expressions(p, TOKEN_RBRACKET, true))
		return NULL;
	return take_children(p, n, from);
}

static OWN_FRAME struct node *parse_map(struct parser *p)
{
	struct node *n = parser_node(p, NODE_MAP, p->token.at);
	size_t from = p->n_stack;

	advance(p);
	if (!n)
		return NULL;
	bool first = true;
	while (!accept(p, TOKEN_RBRACE)) {
		if (!first && !expect(p, TOKEN_COMMA, "\",\" or \"}\""))
			return NULL;
		if (first && p->token.kind == TOKEN_COMMA)
			advance(p);
		if (accept(p, TOKEN_RBRACE))
			break;
		first = false;
		if (!push(p, parse_expr(p)) || !expect(p, TOKEN_COLON, "\":\"") ||
		    !push(p, parse_expr(p)))
			return NULL;
	}
	n = take_children(p, n, from);
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
		return out_of_memory(p);
	*m = (struct message){ .names = arena_alloc(arena, n_names * sizeof(*m->names)),
			       .at = arena_alloc(arena, n_names * sizeof(*m->at)),
			       .fields = arena_alloc(arena, n_names * sizeof(*m->fields)) };
	if (!m->names || !m->at || !m->fields || !take_children(p, &holder, from))
		return out_of_memory(p);
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

	advance(p);
	while (!accept(p, TOKEN_RBRACE)) {
		if (n > 0 && !expect(p, TOKEN_COMMA, "\",\" or \"}\""))
			return NULL;
		if (n == 0 && p->token.kind == TOKEN_COMMA)
			advance(p);
		if (accept(p, TOKEN_RBRACE))
			break;
		struct token *larger = realloc(names, (n + 1) * sizeof(*names));
		if (!larger)
			return out_of_memory(p);
		names = larger;
		names[n++] = p->token;
		if (!expect(p, TOKEN_IDENT, "the name of a field") ||
		    !expect(p, TOKEN_COLON, "\":\"") || !push(p, parse_expr(p)))
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
	advance(p);
	if (!parse_expressions(p, TOKEN_RPAREN, false) || !take_children(p, call, from))
		return NULL;
	return macro_expand(p, call);
}

/* A name, with the leading dot that makes it absolute, or a call of a function by its name. */
static OWN_FRAME struct node *parse_name(struct parser *p)
{
	const char *text = p->program->text;
	struct token start = p->token;
	bool dot = accept(p, TOKEN_DOT);
	struct token word = p->token;

	if (!expect(p, TOKEN_IDENT, "a name"))
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
	if (dot) {
		char *absolute = arena_alloc(&p->program->arena, word.length + 1);
		if (!absolute)
			return out_of_memory(p);
		absolute[0] = '.';
		memcpy(absolute + 1, name.s, name.length);
		n->name = (struct name){ absolute, word.length + 1 };
	}
	if (p->token.kind != TOKEN_LPAREN)
		return n;
	n->kind = NODE_CALL;
	return parse_arguments(p, n, p->n_stack);
}

static OWN_FRAME struct node *literal(struct parser *p, bool negative, uint32_t at)
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
	advance(p);
	return n;
}

static struct node *parse_parentheses(struct parser *p)
{
	advance(p);
	struct node *n = parse_expr(p);
	if (!n || !expect(p, TOKEN_RPAREN, "\")\""))
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
		return literal(p, false, p->token.at);
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
		return unexpected(p, "a value");
	}
}

/* The name of a field, where the language is to have them also in backquotes. */
static bool field_name(struct parser *p, struct name *ret)
{
	const struct token t = p->token;
	const char *s = p->program->text + t.at;

	if (t.kind == TOKEN_QUOTED_IDENT && p->program->env->as_specified) {
		*ret = (struct name){ s + 1, t.length - 2 };
		advance(p);
		return true;
	}
	*ret = (struct name){ s, t.length };
	return expect(p, TOKEN_IDENT, "the name of a field or function");
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
		return deepen(p, n);
	}
	size_t from = p->n_stack;
	n->kind = NODE_CALL;
	n->member = true;
	if (!push(p, operand))
		return NULL;
	return deepen(p, parse_arguments(p, n, from));
}

static OWN_FRAME struct node *parse_index(struct parser *p, struct node *operand)
{
	uint32_t at = p->token.at;

	advance(p);
	struct node *index = parse_expr(p);
	if (!index || !expect(p, TOKEN_RBRACKET, "\"]\""))
		return NULL;
	return binary(p, at, OPERATOR_INDEX, operand, index);
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
		return out_of_memory(p);
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
static struct node *parse_suffixes(struct parser *p, struct node *n)
{
	while (n) {
		if (accept(p, TOKEN_DOT))
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

static struct node *parse_member(struct parser *p)
{
	return parse_suffixes(p, parse_primary(p));
}

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

	advance(p);
	return parse_suffixes(p, literal(p, true, at));
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
	while (accept(p, sign))
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
		return too_deep(p, p->token.at);
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
		advance(p);
		n = binary(p, at, operator, n, parse_right(p, parse_unary, &p->calcs));
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
		advance(p);
		n = binary(p, at, operator, n, parse_right(p, parse_product, &p->calcs));
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
		advance(p);
		p->relations++; /* the rule holds itself while its right side is read */
		n = binary(p, at, operator, n, parse_right(p, parse_calc, &p->relations));
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
	if (!n || !push(p, first))
		return NULL;
	while (accept(p, token))
		if (!push(p, parse(p)))
			return NULL;
	return take_children(p, n, from);
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

	if (!condition || !accept(p, TOKEN_QUESTION))
		return condition;
	struct node *n = parser_node(p, NODE_IF, at);
	if (!n || !push(p, condition) || !push(p, parse_or(p)) ||
	    !expect(p, TOKEN_COLON, "\":\" and what holds otherwise") || !push(p, parse_expr(p)))
		return NULL;
	return deepen(p, take_children(p, n, from));
}

static struct node *parse_expr(struct parser *p)
{
	return parse_right(p, parse_conditional, &p->exprs);
}

int cel_parse(struct cel_program *program, struct diag *diag)
{
	struct parser p = { .program = program,
			    .lexer = { .text = program->text, .length = program->length },
			    .diag = diag };

	advance(&p);
	if (p.token.kind == TOKEN_END)
		parser_error(&p, 0, "the expression is empty");
	else
		program->root = parse_expr(&p);
	if (program->root && p.token.kind != TOKEN_END)
		unexpected(&p, NULL);
	free(p.stack);
	return p.error;
}
