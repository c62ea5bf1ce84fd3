/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "textproto.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cel/utf8.h"

struct reader {
	const char *s, *end;
	unsigned line;
};

static struct textproto *read_message(struct reader *r, char close);

static void skip(struct reader *r)
{
	for (; r->s < r->end; r->s++) {
		if (*r->s == '#')
			while (r->s < r->end && *r->s != '\n')
				r->s++;
		if (r->s == r->end || !strchr(" \t\r\n,;", *r->s))
			return;
		r->line += *r->s == '\n';
	}
}

static bool take(struct reader *r, char c)
{
	skip(r);
	if (r->s == r->end || *r->s != c)
		return false;
	r->s++;
	return true;
}

static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;
}

/* At most so many digits of a base. */
static uint32_t number(struct reader *r, unsigned base, unsigned most)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < most && r->s < r->end && digit(*r->s) < base; i++)
		value = value * base + digit(*r->s++);
	return value;
}

static char *escape(struct reader *r, char *to)
{
	static const char from[] = "abfnrtv", meaning[] = "\a\b\f\n\r\t\v";
	char c = *r->s++;
	const char *simple = c ? strchr(from, c) : NULL;

	if (simple)
		*to++ = meaning[simple - from];
	else if (c == 'x' || c == 'X')
		*to++ = (char)number(r, 16, 2);
	else if (c == 'u' || c == 'U')
		to += utf8_encode(number(r, 16, c == 'u' ? 4 : 8), to);
	else if (c >= '0' && c <= '7')
		r->s--, *to++ = (char)number(r, 8, 3);
	else
		*to++ = c;
	return to;
}

/* Adjacent strings are one. */
static bool read_string(struct reader *r, struct textproto_field *f)
{
	f->text = malloc((size_t)(r->end - r->s) + 1);
	char *to = f->text;

	while (to && r->s < r->end && (*r->s == '"' || *r->s == '\'')) {
		char quote = *r->s++;
		while (r->s < r->end && *r->s != quote) {
			if (*r->s == '\\' && r->end - r->s > 1)
				r->s++, to = escape(r, to);
			else
				*to++ = *r->s++;
		}
		if (!take(r, quote))
			return false;
		skip(r);
	}
	if (!to)
		return false;
	*to = '\0';
	f->length = (size_t)(to - f->text);
	return true;
}

static bool read_scalar(struct reader *r, struct textproto_field *f)
{
	const char *start = r->s;

	while (r->s < r->end && !strchr(" \t\r\n,;}#]", *r->s))
		r->s++;
	f->length = (size_t)(r->s - start);
	f->text = strndup(start, f->length);
	return f->text && f->length > 0;
}

static bool read_value(struct reader *r, struct textproto_field *f)
{
	take(r, ':');
	skip(r);
	if (take(r, '{'))
		return (f->message = read_message(r, '}')) != NULL;
	if (r->s < r->end && (*r->s == '"' || *r->s == '\''))
		return read_string(r, f);
	return read_scalar(r, f);
}

/* A name, or a type in brackets. */
static char *read_name(struct reader *r)
{
	const char *start = r->s;

	if (r->s < r->end && *r->s == '[') {
		while (r->s < r->end && *r->s != ']')
			r->s++;
		r->s += r->s < r->end;
	} else {
		while (r->s < r->end && !strchr(" \t\r\n:{}", *r->s))
			r->s++;
	}
	return r->s > start ? strndup(start, (size_t)(r->s - start)) : NULL;
}

static struct textproto *read_message(struct reader *r, char close)
{
	struct textproto *tp = calloc(1, sizeof(*tp));

	while (tp) {
		skip(r);
		if (close ? take(r, close) : r->s == r->end)
			return tp;
		struct textproto_field *f = calloc(1, sizeof(*f));
		if (!f)
			break;
		if (tp->last)
			tp->last->next = f;
		else
			tp->first = f;
		tp->last = f;
		f->name = read_name(r);
		if (!f->name || !read_value(r, f))
			break;
	}
	textproto_free(tp);
	return NULL;
}

struct textproto *textproto_parse(const char *text, size_t length, unsigned *ret_line)
{
	struct reader r = { text, text + length, 1 };
	struct textproto *tp = read_message(&r, '\0');

	*ret_line = r.line;
	return tp;
}

void textproto_free(struct textproto *tp)
{
	if (!tp)
		return;
	while (tp->first) {
		struct textproto_field *f = tp->first;
		tp->first = f->next;
		textproto_free(f->message);
		free(f->name);
		free(f->text);
		free(f);
	}
	free(tp);
}

const struct textproto_field *textproto_first(const struct textproto *tp, const char *name)
{
	const struct textproto_field *f = tp ? tp->first : NULL;

	while (f && strcmp(f->name, name) != 0)
		f = f->next;
	return f;
}

const struct textproto_field *textproto_next(const struct textproto_field *f)
{
	const struct textproto rest = { .first = f->next };

	return textproto_first(&rest, f->name);
}

const char *textproto_text(const struct textproto *tp, const char *name)
{
	const struct textproto_field *f = textproto_first(tp, name);

	return f ? f->text : NULL;
}

const struct textproto *textproto_message(const struct textproto *tp, const char *name)
{
	const struct textproto_field *f = textproto_first(tp, name);

	return f ? f->message : NULL;
}
