/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/lexer.h"

#include <stdbool.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The byte at an offset from here; NUL beyond the end, as the text is terminated. */
static char ahead(const struct lexer *l, uint32_t by)
{
	return l->at + by < l->length ? l->text[l->at + by] : '\0';
}

static void skip_space(struct lexer *l)
{
	while (l->at < l->length) {
		char c = l->text[l->at];
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f') {
			l->at++;
		} else if (c == '/' && ahead(l, 1) == '/') {
			while (l->at < l->length && l->text[l->at] != '\n')
				l->at++;
		} else {
			return;
		}
	}
}

static struct token take(struct lexer *l, enum token_kind kind, uint32_t length)
{
	struct token t = { .kind = kind, .at = l->at, .length = length };

	l->at += length;
	return t;
}

static struct token fail(struct lexer *l, uint32_t at, const char *problem)
{
	struct token t = { .kind = TOKEN_ERROR, .at = at, .problem = problem };

	l->at = l->length;
	return t;
}

static uint32_t digits(const struct lexer *l, uint32_t from, bool (*is)(char))
{
	uint32_t n = from;

	while (is(ahead(l, n)))
		n++;
	return n;
}

/* Length with an exponent that begins at from, or from itself. */
static uint32_t exponent(const struct lexer *l, uint32_t from)
{
	char c = ahead(l, from);
	uint32_t n = from + 1;

	if (c != 'e' && c != 'E')
		return from;
	if (ahead(l, n) == '+' || ahead(l, n) == '-')
		n++;
	return is_digit(ahead(l, n)) ? digits(l, n, is_digit) : from;
}

static struct token integer(struct lexer *l, uint32_t length)
{
	char c = ahead(l, length);

	if (c == 'u' || c == 'U')
		return take(l, TOKEN_UINT, length + 1);
	return take(l, TOKEN_INT, length);
}

static struct token number(struct lexer *l)
{
	uint32_t n = digits(l, 0, is_digit);

	if (n == 1 && ahead(l, 0) == '0' && ahead(l, 1) == 'x' && is_hex(ahead(l, 2)))
		return integer(l, digits(l, 2, is_hex));
	if (ahead(l, n) == '.' && is_digit(ahead(l, n + 1)))
		return take(l, TOKEN_DOUBLE, exponent(l, digits(l, n + 1, is_digit)));
	if (exponent(l, n) > n)
		return take(l, TOKEN_DOUBLE, exponent(l, n));
	return integer(l, n);
}

/* Length of the escape sequence whose backslash is at from; 0: there is no such sequence. */
static uint32_t escape(const struct lexer *l, uint32_t from)
{
	char c = ahead(l, from + 1);
	uint32_t hex = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;

	if (hex > 0) {
		for (uint32_t i = 0; i < hex; i++)
			if (!is_hex(ahead(l, from + 2 + i)))
				return 0;
		return 2 + hex;
	}
	if (c >= '0' && c <= '3') {
		char d = ahead(l, from + 2), e = ahead(l, from + 3);
		return d >= '0' && d <= '7' && e >= '0' && e <= '7' ? 4 : 0;
	}
	return c != '\0' && strchr("abfnrtv\"'\\?`", c) ? 2 : 0;
}

/* A string whose quotes begin prefix bytes from here. */
static struct token string(struct lexer *l, uint32_t prefix, enum token_kind kind, bool raw)
{
	char quote = ahead(l, prefix);
	bool triple = ahead(l, prefix + 1) == quote && ahead(l, prefix + 2) == quote;
	uint32_t n = prefix + (triple ? 3 : 1);

	while (l->at + n < l->length) {
		char c = ahead(l, n);
		if (c == quote && !triple)
			return take(l, kind, n + 1);
		if (c == quote && ahead(l, n + 1) == quote && ahead(l, n + 2) == quote)
			return take(l, kind, n + 3);
		if ((c == '\n' || c == '\r') && !triple)
			return fail(l, l->at + n,
				    "a string ends on its line; a longer one is written in three "
				    "quotes, \"\"\"…\"\"\"");
		if (c == '\\' && !raw) {
			uint32_t length = escape(l, n);
			if (length == 0)
				return fail(l, l->at + n,
					    "there is no such escape sequence; a backslash itself "
					    "is written \\\\, or the string raw: r'…'");
			n += length;
			continue;
		}
		n++;
	}
	return fail(l, l->at, "this string has no closing quote");
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'';
}

/* A string with a prefix: b, r or br, each also as a capital. */
static bool prefixed_string(struct lexer *l, struct token *ret)
{
	char c = ahead(l, 0), d = ahead(l, 1);
	bool bytes = c == 'b' || c == 'B';
	bool raw = c == 'r' || c == 'R';

	if ((bytes || raw) && is_quote(d)) {
		*ret = string(l, 1, bytes ? TOKEN_BYTES : TOKEN_STRING, raw);
		return true;
	}
	if (bytes && (d == 'r' || d == 'R') && is_quote(ahead(l, 2))) {
		*ret = string(l, 2, TOKEN_BYTES, true);
		return true;
	}
	return false;
}

static struct token word(struct lexer *l)
{
	const char *s = l->text + l->at;
	uint32_t n = 1;

	while (is_letter(ahead(l, n)) || is_digit(ahead(l, n)))
		n++;
	if (n == 2 && memcmp(s, "in", 2) == 0)
		return take(l, TOKEN_IN, n);
	if (n == 4 && memcmp(s, "true", 4) == 0)
		return take(l, TOKEN_TRUE, n);
	if (n == 4 && memcmp(s, "null", 4) == 0)
		return take(l, TOKEN_NULL, n);
	if (n == 5 && memcmp(s, "false", 5) == 0)
		return take(l, TOKEN_FALSE, n);
	return take(l, TOKEN_IDENT, n);
}

static struct token quoted_word(struct lexer *l)
{
	uint32_t n = 1;

	while (is_letter(ahead(l, n)) || is_digit(ahead(l, n)) ||
	       (ahead(l, n) != '\0' && strchr(".-/ ", ahead(l, n))))
		n++;
	if (n == 1 || ahead(l, n) != '`')
		return fail(l, l->at, "a name in backquotes has letters, digits and _ . - / only");
	return take(l, TOKEN_QUOTED_IDENT, n + 1);
}

static struct token either(struct lexer *l, char second, enum token_kind two, enum token_kind one,
			   const char *problem)
{
	if (ahead(l, 1) == second)
		return take(l, two, 2);
	return problem ? fail(l, l->at, problem) : take(l, one, 1);
}

static struct token sign(struct lexer *l)
{
	switch (ahead(l, 0)) {
	case '=':
		return either(l, '=', TOKEN_EQ, TOKEN_ERROR, "\"=\" alone: write == to compare");
	case '!':
		return either(l, '=', TOKEN_NE, TOKEN_NOT, NULL);
	case '<':
		return either(l, '=', TOKEN_LE, TOKEN_LT, NULL);
	case '>':
		return either(l, '=', TOKEN_GE, TOKEN_GT, NULL);
	case '&':
		return either(l, '&', TOKEN_AND, TOKEN_ERROR, "\"&\" alone: write && for and");
	case '|':
		return either(l, '|', TOKEN_OR, TOKEN_ERROR, "\"|\" alone: write || for or");
	case '+':
		return take(l, TOKEN_PLUS, 1);
	case '-':
		return take(l, TOKEN_MINUS, 1);
	case '*':
		return take(l, TOKEN_STAR, 1);
	case '/':
		return take(l, TOKEN_SLASH, 1);
	case '%':
		return take(l, TOKEN_PERCENT, 1);
	case '.':
		return take(l, TOKEN_DOT, 1);
	case ',':
		return take(l, TOKEN_COMMA, 1);
	case ':':
		return take(l, TOKEN_COLON, 1);
	case '?':
		return take(l, TOKEN_QUESTION, 1);
	case '(':
		return take(l, TOKEN_LPAREN, 1);
	case ')':
		return take(l, TOKEN_RPAREN, 1);
	case '[':
		return take(l, TOKEN_LBRACKET, 1);
	case ']':
		return take(l, TOKEN_RBRACKET, 1);
	case '{':
		return take(l, TOKEN_LBRACE, 1);
	case '}':
		return take(l, TOKEN_RBRACE, 1);
	default:
		return fail(l, l->at, "this character means nothing outside of a string");
	}
}

struct token lexer_next(struct lexer *l)
{
	struct token t;

	skip_space(l);
	if (l->at >= l->length)
		return (struct token){ .kind = TOKEN_END, .at = l->length };
	char c = ahead(l, 0);
	if (is_digit(c))
		return number(l);
	if (c == '.' && is_digit(ahead(l, 1)))
		return take(l, TOKEN_DOUBLE, exponent(l, digits(l, 1, is_digit)));
	if (is_quote(c))
		return string(l, 0, TOKEN_STRING, false);
	if (c == '`')
		return quoted_word(l);
	if (prefixed_string(l, &t))
		return t;
	return is_letter(c) ? word(l) : sign(l);
}
