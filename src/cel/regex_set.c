/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Escapes, and sets of characters as patterns write them.
 */
#include <string.h>

#include "cel/regex_parser.h"
#include "cel/utf8.h"

static const char open_class[] = "a \"]\" is missing";
static const char bad_escape[] =
	"there is no such escape sequence (look-around, back-references, \\C and \\Z "
	"are not part of RE2)";
static const char bad_range[] = "a range of characters is empty or its name is not known";

uint32_t regex_next(struct regex_parser *p)
{
	uint32_t length, c = utf8_decode(p->s, p->end, &length);

	p->s += length;
	return c;
}

bool regex_looking_at(const struct regex_parser *p, const char *what)
{
	size_t n = strlen(what);

	return (size_t)(p->end - p->s) >= n && memcmp(p->s, what, n) == 0;
}

bool regex_is_digit(const struct regex_parser *p, const char *s)
{
	return s < p->end && *s >= '0' && *s <= '9';
}

static bool is_octal(const struct regex_parser *p, const char *s)
{
	return regex_is_digit(p, s) && *s <= '7';
}

static int hex_value(const struct regex_parser *p, const char *s)
{
	if (regex_is_digit(p, s))
		return *s - '0';
	char c = s < p->end ? (char)(*s | 0x20) : '\0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After "\x": two digits, or any number of them in braces. */
static bool hex_escape(struct regex_parser *p, uint32_t *ret)
{
	uint32_t value = 0, digits = 0;

	if (!regex_looking_at(p, "{")) {
		int high = hex_value(p, p->s), low = high < 0 ? -1 : hex_value(p, p->s + 1);
		if (low < 0)
			return regex_fail(p, bad_escape);
		*ret = (uint32_t)(high * 16 + low);
		p->s += 2;
		return true;
	}
	for (p->s++; hex_value(p, p->s) >= 0; p->s++, digits++) {
		value = value * 16 + (uint32_t)hex_value(p, p->s);
		if (value > 0x10ffff)
			return regex_fail(p, bad_escape);
	}
	if (digits == 0 || !regex_looking_at(p, "}"))
		return regex_fail(p, bad_escape);
	p->s++;
	*ret = value;
	return true;
}

/* A backslash that stands for one character. */
bool regex_escape(struct regex_parser *p, uint32_t *ret)
{
	static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";

	if (++p->s == p->end)
		return regex_fail(p, "it ends with a single backslash");
	uint32_t c = regex_next(p);
	const char *simple = c < 0x80 && c != 0 ? strchr(from, (int)c) : NULL;
	if (simple) {
		*ret = (uint32_t)to[simple - from];
		return true;
	}
	if (c == 'x')
		return hex_escape(p, ret);
	if (c == '0' || (c >= '1' && c <= '7' && is_octal(p, p->s))) {
		*ret = c - '0';
		for (unsigned i = 1; i < 3 && is_octal(p, p->s); i++)
			*ret = *ret * 8 + (uint32_t)(*p->s++ - '0');
		return true;
	}
	if (c >= 0x80 || (regex_is_word(c) && c != '_'))
		return regex_fail(p, bad_escape);
	*ret = c;
	return true;
}

/* \p{Greek}, \pL, \P{^Lu}, after which p->s stands. */
static bool unicode_set(struct regex_parser *p)
{
	bool negated = p->s[1] == 'P', memory = true;
	const char *name;
	uint32_t length;

	p->s += 2;
	if (p->s == p->end)
		return regex_fail(p, bad_range);
	if (*p->s == '{') {
		const char *close = memchr(p->s, '}', (size_t)(p->end - p->s));
		if (!close)
			return regex_fail(p, bad_range);
		name = p->s + 1;
		length = (uint32_t)(close - name);
		p->s = close + 1;
	} else {
		name = p->s;
		regex_next(p);
		length = (uint32_t)(p->s - name);
	}
	if (length > 0 && name[0] == '^') {
		negated = !negated;
		name++;
		length--;
	}
	if (!regex_add_unicode(p->arena, p->r, name, length, negated, &memory))
		return regex_fail(p, bad_range);
	return memory || regex_fail(p, regex_out_of_memory);
}

/* \d or \pL into the class that was begun. *ret_is: it was one of these. */
bool regex_escaped_set(struct regex_parser *p, bool *ret_is)
{
	bool memory = true;
	char c = p->end - p->s >= 2 && p->s[0] == '\\' ? p->s[1] : '\0';

	*ret_is = true;
	if (c == 'p' || c == 'P')
		return unicode_set(p);
	*ret_is = c != '\0' && strchr("dDsSwW", c);
	if (*ret_is) {
		regex_add_perl(p->arena, p->r, c, &memory);
		p->s += 2;
	}
	return memory || regex_fail(p, regex_out_of_memory);
}

/* [:alpha:] within a class. */
static bool named_set(struct regex_parser *p, bool *ret_is)
{
	bool memory = true;

	*ret_is = false;
	if (!regex_looking_at(p, "[:"))
		return true;
	const char *close = memmem(p->s + 2, (size_t)(p->end - p->s) - 2, ":]", 2);
	if (!close)
		return true;
	*ret_is = true;
	if (!regex_add_posix(p->arena, p->r, p->s + 2, (uint32_t)(close - p->s) - 2, &memory))
		return regex_fail(p, bad_range);
	p->s = close + 2;
	return memory || regex_fail(p, regex_out_of_memory);
}

static bool class_char(struct regex_parser *p, uint32_t *ret)
{
	if (p->s == p->end)
		return regex_fail(p, open_class);
	if (*p->s == '\\')
		return regex_escape(p, ret);
	*ret = regex_next(p);
	return true;
}

static bool class_range(struct regex_parser *p)
{
	uint32_t low, high;

	if (!class_char(p, &low))
		return false;
	high = low;
	if (p->end - p->s >= 2 && p->s[0] == '-' && p->s[1] != ']') {
		p->s++;
		if (!class_char(p, &high))
			return false;
		if (high < low)
			return regex_fail(p, bad_range);
	}
	return regex_class_add(p->arena, p->r, (struct regex_item){ .low = low, .high = high }) ||
	       regex_fail(p, regex_out_of_memory);
}

bool regex_class_items(struct regex_parser *p)
{
	bool first = true, is;

	for (; p->s == p->end || *p->s != ']' || first; first = false) {
		if (!named_set(p, &is) || (!is && !regex_escaped_set(p, &is)))
			return false;
		if (!is && !class_range(p))
			return false;
	}
	p->s++;
	return true;
}
