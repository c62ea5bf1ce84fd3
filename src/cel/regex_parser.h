/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_REGEX_PARSER_H
#define LARDER_CEL_REGEX_PARSER_H
/*
 * Between the files of the regular expressions' parser: regex_parse.c has the grammar, regex_set.c escapes and sets of characters,
 * regex_code.c writes the program. There is no tree and no recursion: each piece of the program is code that begins at one place and ends
 * where the next begins, with relative jumps inside, so that an operator can move it (to put a SPLIT before it) or repeat it (to unroll
 * a{3}). Functions return false when something is wrong, and then p->error says what.
 */
#include <stdbool.h>

#include "cel/regex.h"

struct flags {
	bool fold, multi_line, dot_all;
};

/* A "(" that is open, and the whole pattern as the outermost. */
struct group {
	struct flags flags; /* to be restored */
	uint32_t start;	    /* of its code */
	uint32_t branch;    /* start of the alternative that is being read */
	uint32_t jumps;	    /* last JUMP to its end, whose arg leads to the one before; 0: none */
	uint32_t weight;    /* largest product of nested repeat counts in it */
};

#define NO_ATOM UINT32_MAX

struct regex_parser {
	struct arena *arena;
	struct regex *r;
	const char *s, *end;
	struct flags flags;
	struct group *groups;
	uint32_t n_groups, groups_size;
	uint32_t atom; /* where the code of what can be repeated begins; NO_ATOM: nothing can */
	uint32_t atom_weight; /* largest product of repeat counts in it */
	bool repeated;	      /* the last thing was a repetition */
	const char *error;
};

/* The first error counts; always false. */
bool regex_fail(struct regex_parser *p, const char *error);

bool regex_emit(struct regex_parser *p, enum regex_op op, int32_t arg);

/* Puts an instruction before the code that begins at at and reaches to the end. */
bool regex_insert(struct regex_parser *p, uint32_t at, enum regex_op op, int32_t arg);

/* x{least,most}; most UINT32_MAX: any number. The x that is there (p->atom, to the end) is the first of them. */
bool regex_unroll(struct regex_parser *p, uint32_t least, uint32_t most);

/* The next character, which is taken; is what comes next this text?; is this a digit? */
uint32_t regex_next(struct regex_parser *p);
bool regex_looking_at(const struct regex_parser *p, const char *what);
bool regex_is_digit(const struct regex_parser *p, const char *s);

/* A backslash that stands for one character. */
bool regex_escape(struct regex_parser *p, uint32_t *ret);

/* \d or \pL into the class that was begun. *ret_is: it was one of these. */
bool regex_escaped_set(struct regex_parser *p, bool *ret_is);

/* What stands in [ ], up to the closing one. */
bool regex_class_items(struct regex_parser *p);

#endif
