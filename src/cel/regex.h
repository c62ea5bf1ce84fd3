/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_REGEX_H
#define LARDER_CEL_REGEX_H
/*
 * Regular expressions with the grammar of RE2 (github.com/google/re2/wiki/Syntax) as Go has it: what they refuse is refused. A pattern
 * becomes a program for a Pike machine, which looks at each character of the text once, in time linear in text and
 * program. The only answer is whether the pattern is found somewhere in the text; groups capture nothing.
 *
 *	regex_parse.c    the grammar, which writes the program as it goes
 *	regex_set.c      escapes and sets, as they are written
 *	regex_code.c     the program: appending, moving, repeating
 *	regex_class.c    sets of characters: [a-z], \d, \p{Greek}, (?i)
 *	regex_match.c    the machine
 */
#include <stdbool.h>
#include <stdint.h>

#include "cel/arena.h"

#define REGEX_PROGRAM_MAX 15000 /* instructions */
#define REGEX_REPEAT_MAX  1000	/* of a{n}, and of nested repeats multiplied */
#define REGEX_NESTING_MAX 1000	/* of groups */

enum regex_op {
	REGEX_CHAR, /* the character arg */
	REGEX_FOLD, /* arg or what differs from it by case alone */
	REGEX_ANY,  /* any character */
	REGEX_NOT_NEWLINE,
	REGEX_CLASS, /* one of the class number arg */
	REGEX_SPLIT, /* goes on here, and at arg from here */
	REGEX_JUMP,  /* goes on at arg from here */
	REGEX_TEXT_BEGIN,
	REGEX_TEXT_END,
	REGEX_LINE_BEGIN,
	REGEX_LINE_END,
	REGEX_WORD_EDGE,
	REGEX_NO_WORD_EDGE,
	REGEX_MATCH,
};

struct regex_inst {
	uint32_t op;
	int32_t arg; /* jumps are relative, so that code can be moved and repeated */
};

enum regex_item_kind {
	REGEX_RANGE,	  /* low … high */
	REGEX_SET,	  /* high: number of one of the named sets of ASCII characters */
	REGEX_CATEGORIES, /* high: bits of categories */
	REGEX_SCRIPT,	  /* high: its number */
};

struct regex_item {
	uint32_t kind : 8;
	uint32_t negated : 1;
	uint32_t low : 23;
	uint32_t high;
};

struct regex_class {
	uint32_t from, n; /* items */
	bool negated;
	bool fold;
};

struct regex {
	struct regex_inst *code;
	uint32_t n_code, code_size;
	struct regex_item *items;
	uint32_t n_items, items_size;
	struct regex_class *classes;
	uint32_t n_classes, classes_size;
};

/* NULL, or what is wrong with the pattern (a constant). Everything lives in the arena. */
const char *regex_compile(struct arena *arena, const char *pattern, uint32_t length,
			  struct regex *ret);

/* Calls charge(data, steps) as it goes; when that says false, or memory ends, *ret_error is set and the answer is false. */
struct regex_meter {
	bool (*charge)(void *data, uint32_t steps);
	void *data;
};
bool regex_match(struct arena *arena, const struct regex *regex, const char *text, uint32_t length,
		 const struct regex_meter *meter, bool *ret_error);

/* regex_class.c */
extern const char regex_out_of_memory[], regex_too_large[];

/* A class begins with regex_class_begin(), which returns its number or -1, and takes items until the next one begins. */
int32_t regex_class_begin(struct arena *arena, struct regex *r, bool fold);
bool regex_class_add(struct arena *arena, struct regex *r, struct regex_item item);
bool regex_class_has(const struct regex *r, uint32_t number, uint32_t point);

/* \d, [:alpha:], \p{Greek}: adds the set of that name; false: there is no such set (or no memory: *ret_memory). */
bool regex_add_perl(struct arena *arena, struct regex *r, char letter, bool *ret_memory);
bool regex_add_posix(struct arena *arena, struct regex *r, const char *name, uint32_t length,
		     bool *ret_memory);
bool regex_add_unicode(struct arena *arena, struct regex *r, const char *name, uint32_t length,
		       bool negated, bool *ret_memory);

/* The next character that differs from point by case alone, in a ring; point itself if there is none. */
uint32_t regex_next_fold(uint32_t point);

static inline bool regex_is_word(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_';
}

#endif
