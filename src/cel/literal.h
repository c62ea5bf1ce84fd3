/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_LITERAL_H
#define LARDER_CEL_LITERAL_H
/*
 * Values of literals. Their form was checked by the lexer; what can still be wrong is a number out of range and an escape that is
 * no character.
 */
#include "cel/arena.h"
#include "cel/cel.h"
#include "cel/lexer.h"

/* text: the whole token; negative: a minus sign belongs to it. Return NULL, or what is wrong (a constant). */
const char *literal_int(const char *text, uint32_t length, bool negative, struct cel_value *ret);
const char *literal_uint(const char *text, uint32_t length, struct cel_value *ret);
const char *literal_double(const char *text, uint32_t length, bool negative, struct cel_value *ret);

/* Strings and bytes: a view into text if there is nothing to decode, else a copy in the arena. */
const char *literal_string(struct arena *arena, const char *text, uint32_t length, bool bytes,
			   struct cel_value *ret);

#endif
