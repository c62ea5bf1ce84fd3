/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a regular expression's program, moving and repeating pieces of it.
 */
#include <string.h>

#include "cel/regex_parser.h"

const char regex_too_large[] = "it becomes too large a program";

bool regex_fail(struct regex_parser *p, const char *error)
{
	if (!p->error)
		p->error = error;
	return false;
}

static bool reserve(struct regex_parser *p, uint32_t n)
{
	struct regex *r = p->r;

	if (n > REGEX_PROGRAM_MAX - r->n_code)
		return regex_fail(p, regex_too_large);
	if (r->n_code + n <= r->code_size)
		return true;
	uint32_t larger = r->code_size ? r->code_size * 2 : 64;
	while (larger < r->n_code + n)
		larger *= 2;
	if (larger > REGEX_PROGRAM_MAX)
		larger = REGEX_PROGRAM_MAX;
	struct regex_inst *code = arena_alloc(p->arena, larger * sizeof(*code));
	if (!code)
		return regex_fail(p, regex_out_of_memory);
	if (r->n_code > 0)
		memcpy(code, r->code, r->n_code * sizeof(*code));
	r->code = code;
	r->code_size = larger;
	return true;
}

bool regex_emit(struct regex_parser *p, enum regex_op op, int32_t arg)
{
	if (!reserve(p, 1))
		return false;
	p->r->code[p->r->n_code++] = (struct regex_inst){ op, arg };
	return true;
}

/* Puts an instruction before the code that begins at at and reaches to the end. */
bool regex_insert(struct regex_parser *p, uint32_t at, enum regex_op op, int32_t arg)
{
	struct regex *r = p->r;

	if (!reserve(p, 1))
		return false;
	memmove(r->code + at + 1, r->code + at, (r->n_code - at) * sizeof(*r->code));
	r->code[at] = (struct regex_inst){ op, arg };
	r->n_code++;
	return true;
}

/* Appends so many copies of the code from .. to. */
static bool copy(struct regex_parser *p, uint32_t from, uint32_t length, uint32_t times)
{
	if (length == 0)
		return true;
	if (times > REGEX_PROGRAM_MAX / length)
		return regex_fail(p, regex_too_large);
	if (!reserve(p, length * times))
		return false;
	for (uint32_t i = 0; i < times; i++) {
		memcpy(p->r->code + p->r->n_code, p->r->code + from, length * sizeof(*p->r->code));
		p->r->n_code += length;
	}
	return true;
}

/* Makes the code from at to the end optional, or a loop of it: x?, x*. */
static bool star(struct regex_parser *p, uint32_t at)
{
	uint32_t length = p->r->n_code - at;

	return regex_insert(p, at, REGEX_SPLIT, (int32_t)(length + 2)) &&
	       regex_emit(p, REGEX_JUMP, -(int32_t)(length + 1));
}

static bool plus(struct regex_parser *p, uint32_t at)
{
	int32_t length = (int32_t)(p->r->n_code - at);

	return regex_emit(p, REGEX_SPLIT, -length);
}

static bool optional(struct regex_parser *p, uint32_t at)
{
	return regex_insert(p, at, REGEX_SPLIT, (int32_t)(p->r->n_code - at + 1));
}

/* x{least,most}; most UINT32_MAX: any number. The x that is there is the first of them. */
bool regex_unroll(struct regex_parser *p, uint32_t least, uint32_t most)
{
	uint32_t at = p->atom, length = p->r->n_code - at;

	if (most == UINT32_MAX && least == 0)
		return star(p, at);
	if (most == 0) {
		p->r->n_code = at;
		return true;
	}
	if (most == UINT32_MAX)
		return copy(p, at, length, least - 1) && plus(p, p->r->n_code - length);
	if (least == 0) {
		if (!optional(p, at))
			return false;
		return copy(p, at, length + 1, most - 1);
	}
	if (!copy(p, at, length, least - 1))
		return false;
	if (most == least)
		return true;
	uint32_t last = p->r->n_code;
	if (!copy(p, at, length, 1) || !optional(p, last))
		return false;
	return copy(p, last, length + 1, most - least - 1);
}
