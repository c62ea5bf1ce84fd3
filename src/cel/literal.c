/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/literal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cel/utf8.h"

static unsigned hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	return (unsigned)((c | 0x20) - 'a') + 10;
}

/* False: more than 64 bits. */
static bool magnitude(const char *text, uint32_t length, uint64_t *ret)
{
	bool hex = length > 2 && text[1] == 'x';
	uint64_t value = 0;

	for (uint32_t i = hex ? 2 : 0; i < length; i++) {
		if (__builtin_mul_overflow(value, hex ? 16U : 10U, &value) ||
		    __builtin_add_overflow(value, hex_value(text[i]), &value))
			return false;
	}
	*ret = value;
	return true;
}

const char *literal_int(const char *text, uint32_t length, bool negative, struct cel_value *ret)
{
	uint64_t value;

	if (!magnitude(text, length, &value) || value > (uint64_t)INT64_MAX + negative)
		return "this number does not fit into an int (64 bits); a size in bytes is "
		       "a uint and is written with a u: 10u";
	*ret = (struct cel_value){ .kind = CEL_INT };
	ret->u = negative ? -value : value;
	return NULL;
}

const char *literal_uint(const char *text, uint32_t length, struct cel_value *ret)
{
	uint64_t value;

	if (!magnitude(text, length - 1, &value))
		return "this number does not fit into a uint (64 bits)";
	*ret = cel_value_uint(value);
	return NULL;
}

const char *literal_double(const char *text, uint32_t length, bool negative, struct cel_value *ret)
{
	char *end;
	double value = strtod(text, &end);

	if (end != text + length || !isfinite(value))
		return "this number does not fit into a double";
	*ret = (struct cel_value){ .kind = CEL_DOUBLE, .d = negative ? -value : value };
	return NULL;
}

/* Reads n digits of a base. */
static uint32_t read_digits(const char *s, unsigned n, unsigned base)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < n; i++)
		value = value * base + hex_value(s[i]);
	return value;
}

struct escape {
	uint32_t point;
	uint32_t length; /* of the sequence */
	bool byte;	 /* in bytes: one byte, not the encoding of a character */
};

static struct escape read_escape(const char *s)
{
	static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
	const char *simple;

	switch (s[1]) {
	case 'x':
	case 'X':
		return (struct escape){ read_digits(s + 2, 2, 16), 4, true };
	case 'u':
		return (struct escape){ read_digits(s + 2, 4, 16), 6, false };
	case 'U':
		return (struct escape){ read_digits(s + 2, 8, 16), 10, false };
	case '0':
	case '1':
	case '2':
	case '3':
		return (struct escape){ read_digits(s + 1, 3, 8), 4, true };
	default:
		simple = strchr(from, s[1]);
		return (struct escape){ (unsigned char)(simple ? to[simple - from] : s[1]), 2,
					true };
	}
}

static const char *decode(const char *s, const char *end, bool raw, bool bytes, char *to,
			  uint32_t *ret_length)
{
	char *start = to;

	while (s < end) {
		if (*s == '\r') { /* line ends are \n, however they were written */
			*to++ = '\n';
			s += s + 1 < end && s[1] == '\n' ? 2 : 1;
			continue;
		}
		if (*s != '\\' || raw) {
			*to++ = *s++;
			continue;
		}
		struct escape e = read_escape(s);
		if (bytes && !e.byte)
			return "\\u and \\U are characters, and this is a string of bytes: write "
			       "\\x";
		if (bytes)
			*to++ = (char)e.point;
		else if (e.point > 0x10ffff || (e.point >= 0xd800 && e.point <= 0xdfff))
			return "there is no such Unicode character";
		else
			to += utf8_encode(e.point, to);
		s += e.length;
	}
	*ret_length = (uint32_t)(to - start);
	return NULL;
}

const char *literal_string(struct arena *arena, const char *text, uint32_t length, bool bytes,
			   struct cel_value *ret)
{
	const char *end = text + length;
	bool raw = false;

	while (*text != '"' && *text != '\'') {
		raw = raw || *text == 'r' || *text == 'R';
		text++;
	}
	uint32_t quotes = end - text >= 6 && text[1] == text[0] && text[2] == text[0] ? 3 : 1;
	text += quotes;
	end -= quotes;
	length = (uint32_t)(end - text);
	*ret = (struct cel_value){ .kind = bytes ? CEL_BYTES : CEL_STRING,
				   .s = text,
				   .length = length };
	if ((raw || !memchr(text, '\\', length)) && !memchr(text, '\r', length))
		return NULL;
	char *decoded = arena_alloc(arena, length); /* no escape is longer when decoded */
	if (!decoded)
		return "out of memory";
	ret->s = decoded;
	return decode(text, end, raw, bytes, decoded, &ret->length);
}
