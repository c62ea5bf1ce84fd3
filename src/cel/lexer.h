/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_LEXER_H
#define LARDER_CEL_LEXER_H
/*
 * Tokens of an expression: the longest match at each place, as the grammar of the cel-spec repository has it. What is in a literal
 * is decoded by cel/literal.h; here its form is checked, escapes included.
 */
#include <stddef.h>
#include <stdint.h>

enum token_kind {
	TOKEN_END,
	TOKEN_ERROR, /* problem says what */
	TOKEN_IDENT,
	TOKEN_QUOTED_IDENT, /* `a-b`, the quotes included */
	TOKEN_INT,
	TOKEN_UINT,
	TOKEN_DOUBLE,
	TOKEN_STRING,
	TOKEN_BYTES,
	TOKEN_TRUE,
	TOKEN_FALSE,
	TOKEN_NULL,
	TOKEN_IN,
	TOKEN_EQ,
	TOKEN_NE,
	TOKEN_LT,
	TOKEN_LE,
	TOKEN_GT,
	TOKEN_GE,
	TOKEN_AND,
	TOKEN_OR,
	TOKEN_NOT,
	TOKEN_PLUS,
	TOKEN_MINUS,
	TOKEN_STAR,
	TOKEN_SLASH,
	TOKEN_PERCENT,
	TOKEN_DOT,
	TOKEN_COMMA,
	TOKEN_COLON,
	TOKEN_QUESTION,
	TOKEN_LPAREN,
	TOKEN_RPAREN,
	TOKEN_LBRACKET,
	TOKEN_RBRACKET,
	TOKEN_LBRACE,
	TOKEN_RBRACE,
};

struct token {
	enum token_kind kind;
	uint32_t at, length; /* bytes */
	const char *problem; /* TOKEN_ERROR; a constant */
};

struct lexer {
	const char *text; /* terminated, and may hold NUL bytes within length */
	uint32_t length;
	uint32_t at;
};

/* The next token; at the end TOKEN_END again and again. */
struct token lexer_next(struct lexer *l);

#endif
