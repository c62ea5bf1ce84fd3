/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_TEXTPROTO_H
#define LARDER_TESTS_TEXTPROTO_H
/*
 * Protobuf's text format, as far as test vectors need it: fields in order, each with a scalar or a message. Nothing is known of
 * the messages' types.
 *
 *	tp = textproto_parse(text);
 *	for (f = textproto_first(tp, "section"); f; f = textproto_next(f)) … textproto_text(f->message, "name") …
 */
#include <stddef.h>

struct textproto_field {
	char *name;
	struct textproto *message; /* or */
	char *text; /* a scalar; of a string its decoded bytes, with a NUL behind them */
	size_t length;
	struct textproto_field *next;
};

struct textproto {
	struct textproto_field *first, *last;
};

/* NULL: it is not well-formed (*ret_line says where), or there is no memory. */
struct textproto *textproto_parse(const char *text, size_t length, unsigned *ret_line);
void textproto_free(struct textproto *tp);

/* The first field of that name; the next one of the same name. NULL: none. tp may be NULL. */
const struct textproto_field *textproto_first(const struct textproto *tp, const char *name);
const struct textproto_field *textproto_next(const struct textproto_field *f);

/* Of the first field of that name; NULL: there is none. */
const char *textproto_text(const struct textproto *tp, const char *name);
const struct textproto *textproto_message(const struct textproto *tp, const char *name);

#endif
