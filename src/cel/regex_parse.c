/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The grammar. There is no tree and no recursion: each piece of the program is code that begins at one place and ends where the next begins, with relative
 * jumps inside, so that an operator can move it (to put a SPLIT before it) or repeat it (to unroll a{3}).
 */
#include <string.h>

#include "cel/regex.h"
#include "cel/utf8.h"

const char regex_too_large[] = "it becomes too large a program";
static const char bad_escape[] =
	"there is no such escape sequence (look-around, back-references, \\C and "
	"\\Z are not part of RE2)";
static const char bad_group[] = "there is no such group \"(?…\" (look-around is not part of RE2)";
static const char bad_repeat[] = "a repeat count is too large, or its ends are the wrong way round";
static const char nothing_to_repeat[] = "there is nothing to repeat before *, +, ? or {…}";
static const char double_repeat[] = "one repetition directly after another";
static const char open_group[] = "a \")\" is missing";
static const char open_class[] = "a \"]\" is missing";
static const char bad_range[] = "a range of characters is empty or its name is not known";

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

struct parser {
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

static bool fail(struct parser *p, const char *error)
{
	if (!p->error)
		p->error = error;
	return false;
}

static bool reserve(struct parser *p, uint32_t n)
{
	struct regex *r = p->r;

	if (n > REGEX_PROGRAM_MAX - r->n_code)
		return fail(p, regex_too_large);
	if (r->n_code + n <= r->code_size)
		return true;
	uint32_t larger = r->code_size ? r->code_size * 2 : 64;
	while (larger < r->n_code + n)
		larger *= 2;
	if (larger > REGEX_PROGRAM_MAX)
		larger = REGEX_PROGRAM_MAX;
	struct regex_inst *code = arena_alloc(p->arena, larger * sizeof(*code));
	if (!code)
		return fail(p, regex_out_of_memory);
	if (r->n_code > 0)
		memcpy(code, r->code, r->n_code * sizeof(*code));
	r->code = code;
	r->code_size = larger;
	return true;
}

static bool emit(struct parser *p, enum regex_op op, int32_t arg)
{
	if (!reserve(p, 1))
		return false;
	p->r->code[p->r->n_code++] = (struct regex_inst){ op, arg };
	return true;
}

/* Puts an instruction before the code that begins at at and reaches to the end. */
static bool insert(struct parser *p, uint32_t at, enum regex_op op, int32_t arg)
{
	struct regex *r = p->r;

	if (!reserve(p, 1))
		return false;
	memmove(r->code + at + 1, r->code + at, (r->n_code - at) * sizeof(*r->code));
	r->code[at] = (struct regex_inst){ op, arg };
	r->n_code++;
	return true;
}

static bool begin_atom(struct parser *p)
{
	p->atom = p->r->n_code;
	p->atom_weight = 1;
	p->repeated = false;
	return true;
}

static bool emit_atom(struct parser *p, enum regex_op op, int32_t arg)
{
	return begin_atom(p) && emit(p, op, arg);
}

static bool literal(struct parser *p, uint32_t c)
{
	bool fold = p->flags.fold && regex_next_fold(c) != c;

	return emit_atom(p, fold ? REGEX_FOLD : REGEX_CHAR, (int32_t)c);
}

static uint32_t next(struct parser *p)
{
	uint32_t length, c = utf8_decode(p->s, p->end, &length);

	p->s += length;
	return c;
}

static bool looking_at(const struct parser *p, const char *what)
{
	size_t n = strlen(what);

	return (size_t)(p->end - p->s) >= n && memcmp(p->s, what, n) == 0;
}

static bool is_digit(const struct parser *p, const char *s)
{
	return s < p->end && *s >= '0' && *s <= '9';
}

static bool is_octal(const struct parser *p, const char *s)
{
	return is_digit(p, s) && *s <= '7';
}

static int hex_value(const struct parser *p, const char *s)
{
	if (is_digit(p, s))
		return *s - '0';
	char c = s < p->end ? (char)(*s | 0x20) : '\0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After "\x": two digits, or any number of them in braces. */
static bool hex_escape(struct parser *p, uint32_t *ret)
{
	uint32_t value = 0, digits = 0;

	if (!looking_at(p, "{")) {
		int high = hex_value(p, p->s), low = high < 0 ? -1 : hex_value(p, p->s + 1);
		if (low < 0)
			return fail(p, bad_escape);
		*ret = (uint32_t)(high * 16 + low);
		p->s += 2;
		return true;
	}
	for (p->s++; hex_value(p, p->s) >= 0; p->s++, digits++) {
		value = value * 16 + (uint32_t)hex_value(p, p->s);
		if (value > 0x10ffff)
			return fail(p, bad_escape);
	}
	if (digits == 0 || !looking_at(p, "}"))
		return fail(p, bad_escape);
	p->s++;
	*ret = value;
	return true;
}

/* A backslash that stands for one character. */
static bool escape(struct parser *p, uint32_t *ret)
{
	static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";

	if (++p->s == p->end)
		return fail(p, "it ends with a single backslash");
	uint32_t c = next(p);
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
		return fail(p, bad_escape);
	*ret = c;
	return true;
}

/* \p{Greek}, \pL, \P{^Lu}, after which p->s stands. */
static bool unicode_set(struct parser *p)
{
	bool negated = p->s[1] == 'P', memory = true;
	const char *name;
	uint32_t length;

	p->s += 2;
	if (p->s == p->end)
		return fail(p, bad_range);
	if (*p->s == '{') {
		const char *close = memchr(p->s, '}', (size_t)(p->end - p->s));
		if (!close)
			return fail(p, bad_range);
		name = p->s + 1;
		length = (uint32_t)(close - name);
		p->s = close + 1;
	} else {
		name = p->s;
		next(p);
		length = (uint32_t)(p->s - name);
	}
	if (length > 0 && name[0] == '^') {
		negated = !negated;
		name++;
		length--;
	}
	if (!regex_add_unicode(p->arena, p->r, name, length, negated, &memory))
		return fail(p, bad_range);
	return memory || fail(p, regex_out_of_memory);
}

/* \d or \pL into the class that was begun. *ret_is: it was one of these. */
static bool escaped_set(struct parser *p, bool *ret_is)
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
	return memory || fail(p, regex_out_of_memory);
}

/* [:alpha:] within a class. */
static bool named_set(struct parser *p, bool *ret_is)
{
	bool memory = true;

	*ret_is = false;
	if (!looking_at(p, "[:"))
		return true;
	const char *close = memmem(p->s + 2, (size_t)(p->end - p->s) - 2, ":]", 2);
	if (!close)
		return true;
	*ret_is = true;
	if (!regex_add_posix(p->arena, p->r, p->s + 2, (uint32_t)(close - p->s) - 2, &memory))
		return fail(p, bad_range);
	p->s = close + 2;
	return memory || fail(p, regex_out_of_memory);
}

static bool class_char(struct parser *p, uint32_t *ret)
{
	if (p->s == p->end)
		return fail(p, open_class);
	if (*p->s == '\\')
		return escape(p, ret);
	*ret = next(p);
	return true;
}

static bool class_range(struct parser *p)
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
			return fail(p, bad_range);
	}
	return regex_class_add(p->arena, p->r, (struct regex_item){ .low = low, .high = high }) ||
	       fail(p, regex_out_of_memory);
}

static bool class_items(struct parser *p)
{
	bool first = true, is;

	for (; p->s == p->end || *p->s != ']' || first; first = false) {
		if (!named_set(p, &is) || (!is && !escaped_set(p, &is)))
			return false;
		if (!is && !class_range(p))
			return false;
	}
	p->s++;
	return true;
}

static bool class(struct parser *p)
{
	int32_t number = regex_class_begin(p->arena, p->r, p->flags.fold);

	if (number < 0)
		return fail(p, regex_out_of_memory);
	p->s++;
	if (looking_at(p, "^")) {
		p->r->classes[number].negated = true;
		p->s++;
	}
	return class_items(p) && emit_atom(p, REGEX_CLASS, number);
}

/* \Q…\E */
static bool quoted(struct parser *p)
{
	p->repeated = false;
	p->s += 2;
	while (p->s < p->end) {
		if (looking_at(p, "\\E")) {
			p->s += 2;
			return true;
		}
		if (!literal(p, next(p)))
			return false;
	}
	return true;
}

static bool backslash(struct parser *p)
{
	static const struct {
		char letter;
		enum regex_op op;
	} assertions[] = {
		{ 'A', REGEX_TEXT_BEGIN },
		{ 'z', REGEX_TEXT_END },
		{ 'b', REGEX_WORD_EDGE },
		{ 'B', REGEX_NO_WORD_EDGE },
	};
	char c = p->end - p->s >= 2 ? p->s[1] : '\0';
	uint32_t point;
	bool is;

	for (unsigned i = 0; i < sizeof(assertions) / sizeof(assertions[0]); i++) {
		if (c == assertions[i].letter) {
			p->s += 2;
			return emit_atom(p, assertions[i].op, 0);
		}
	}
	if (c == 'Q')
		return quoted(p);
	if (c != '\0' && strchr("pPdDsSwW", c)) {
		int32_t number = regex_class_begin(p->arena, p->r, p->flags.fold);
		if (number < 0)
			return fail(p, regex_out_of_memory);
		return escaped_set(p, &is) && emit_atom(p, REGEX_CLASS, number);
	}
	return escape(p, &point) && literal(p, point);
}

static bool push_group(struct parser *p)
{
	if (p->n_groups > REGEX_NESTING_MAX)
		return fail(p, "groups are nested too deep");
	if (p->n_groups == p->groups_size) {
		uint32_t size = p->groups_size ? p->groups_size * 2 : 4;
		struct group *larger = arena_alloc(p->arena, size * sizeof(*larger));
		if (!larger)
			return fail(p, regex_out_of_memory);
		if (p->n_groups > 0)
			memcpy(larger, p->groups, p->n_groups * sizeof(*larger));
		p->groups = larger;
		p->groups_size = size;
	}
	p->groups[p->n_groups++] = (struct group){
		.flags = p->flags, .start = p->r->n_code, .branch = p->r->n_code, .weight = 1
	};
	p->atom = NO_ATOM;
	p->repeated = false;
	return true;
}

static struct group *innermost(struct parser *p)
{
	return &p->groups[p->n_groups - 1];
}

/* "|": what was read so far in the group is one alternative, which ends with a JUMP behind the group. */
static bool alternative(struct parser *p)
{
	struct group *g = innermost(p);

	if (!insert(p, g->branch, REGEX_SPLIT, (int32_t)(p->r->n_code - g->branch + 2)))
		return false;
	if (!emit(p, REGEX_JUMP, (int32_t)g->jumps))
		return false;
	g->jumps = p->r->n_code; /* one more than its place, as 0 is none */
	g->branch = p->r->n_code;
	p->atom = NO_ATOM;
	p->repeated = false;
	return true;
}

/* The JUMPs of a group's alternatives get their target, its end. */
static void end_alternatives(struct parser *p, struct group *g)
{
	while (g->jumps != 0) {
		uint32_t at = g->jumps - 1;
		g->jumps = (uint32_t)p->r->code[at].arg;
		p->r->code[at].arg = (int32_t)(p->r->n_code - at);
	}
}

static bool close_group(struct parser *p)
{
	if (p->n_groups == 1)
		return fail(p, "a \"(\" is missing");
	struct group *g = innermost(p);
	end_alternatives(p, g);
	p->flags = g->flags;
	p->atom = g->start;
	p->atom_weight = g->weight;
	p->repeated = false;
	p->n_groups--;
	struct group *outer = innermost(p);
	if (g->weight > outer->weight)
		outer->weight = g->weight;
	p->s++;
	return true;
}

/* (?P<name>…) and (?<name>…): letters, digits and _. */
static bool named_group(struct parser *p, uint32_t skip)
{
	const char *start = p->s + skip;
	const char *close = memchr(start, '>', (size_t)(p->end - start));
	uint32_t length = close ? (uint32_t)(close - start) : 0;

	if (length == 0)
		return fail(p, "a group has a bad name");
	for (uint32_t i = 0; i < length; i++)
		if (!regex_is_word((unsigned char)start[i]))
			return fail(p, "a group has a bad name");
	p->s = close + 1;
	return push_group(p);
}

static bool set_flag(struct flags *flags, char c, bool to)
{
	switch (c) {
	case 'i':
		flags->fold = to;
		return true;
	case 'm':
		flags->multi_line = to;
		return true;
	case 's':
		flags->dot_all = to;
		return true;
	case 'U': /* which of several matches is found; whether there is one does not depend on it */
		return true;
	default:
		return false;
	}
}

/* After "(?": flags, then ")" or ":". */
static bool flag_group(struct parser *p)
{
	struct flags flags = p->flags;
	bool on = true, any = false;

	for (p->s += 2; p->s < p->end; p->s++) {
		char c = *p->s;
		if (c == ':' || c == ')') {
			if (!on && !any)
				return fail(p, bad_group);
			p->s++;
			p->repeated = false;
			if (c == ':' && !push_group(p))
				return false;
			p->flags = flags;
			return true;
		}
		if (c == '-' && on) {
			on = false;
			any = false;
		} else if (set_flag(&flags, c, on)) {
			any = true;
		} else {
			break;
		}
	}
	return fail(p, bad_group);
}

static bool open(struct parser *p)
{
	if (looking_at(p, "(?P<"))
		return named_group(p, 4);
	if (looking_at(p, "(?<") && !looking_at(p, "(?<=") && !looking_at(p, "(?<!"))
		return named_group(p, 3);
	if (looking_at(p, "(?"))
		return flag_group(p);
	p->s++;
	return push_group(p);
}

/* Appends so many copies of the code from .. to. */
static bool copy(struct parser *p, uint32_t from, uint32_t length, uint32_t times)
{
	if (length == 0)
		return true;
	if (times > REGEX_PROGRAM_MAX / length)
		return fail(p, regex_too_large);
	if (!reserve(p, length * times))
		return false;
	for (uint32_t i = 0; i < times; i++) {
		memcpy(p->r->code + p->r->n_code, p->r->code + from, length * sizeof(*p->r->code));
		p->r->n_code += length;
	}
	return true;
}

/* Makes the code from at to the end optional, or a loop of it: x?, x*. */
static bool star(struct parser *p, uint32_t at)
{
	uint32_t length = p->r->n_code - at;

	return insert(p, at, REGEX_SPLIT, (int32_t)(length + 2)) &&
	       emit(p, REGEX_JUMP, -(int32_t)(length + 1));
}

static bool plus(struct parser *p, uint32_t at)
{
	int32_t length = (int32_t)(p->r->n_code - at);

	return emit(p, REGEX_SPLIT, -length);
}

static bool optional(struct parser *p, uint32_t at)
{
	return insert(p, at, REGEX_SPLIT, (int32_t)(p->r->n_code - at + 1));
}

/* x{least,most}; most UINT32_MAX: any number. The x that is there is the first of them. */
static bool unroll(struct parser *p, uint32_t least, uint32_t most)
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

static bool repeat(struct parser *p, uint32_t least, uint32_t most)
{
	uint32_t count = most == UINT32_MAX ? least : most;

	if (looking_at(p, "?")) /* the shortest match first: no difference here */
		p->s++;
	if (p->repeated)
		return fail(p, double_repeat);
	if (p->atom == NO_ATOM)
		return fail(p, nothing_to_repeat);
	if (most == 0)
		p->atom_weight = 0;
	else if (count > 1)
		p->atom_weight = (p->atom_weight > 0 ? p->atom_weight : 1) * count;
	if ((least >= 2 || (most >= 2 && most != UINT32_MAX)) && p->atom_weight > REGEX_REPEAT_MAX)
		return fail(p, bad_repeat);
	struct group *g = innermost(p);
	if (p->atom_weight > g->weight)
		g->weight = p->atom_weight;
	p->repeated = true;
	return unroll(p, least, most);
}

/* Digits without a leading zero. False: there are none. Too large a number is UINT32_MAX - 1. */
static bool count(const struct parser *p, const char **s, uint32_t *ret)
{
	const char *start = *s;
	uint32_t value = 0;

	if (!is_digit(p, start) || (*start == '0' && is_digit(p, start + 1)))
		return false;
	for (; is_digit(p, *s); ++*s)
		value = value > REGEX_REPEAT_MAX ? value : value * 10 + (uint32_t)(**s - '0');
	*ret = value > REGEX_REPEAT_MAX ? UINT32_MAX - 1 : value;
	return true;
}

/* {2}, {2,}, {2,5}; anything else is a brace. */
static bool braces(struct parser *p)
{
	const char *s = p->s + 1;
	uint32_t least, most;

	if (!count(p, &s, &least))
		return literal(p, next(p));
	most = least;
	if (s < p->end && *s == ',') {
		s++;
		most = UINT32_MAX;
		if ((s == p->end || *s != '}') && !count(p, &s, &most))
			return literal(p, next(p));
	}
	if (s == p->end || *s != '}')
		return literal(p, next(p));
	p->s = s + 1;
	if (least == UINT32_MAX - 1 || most == UINT32_MAX - 1 || least > most)
		return fail(p, bad_repeat);
	return repeat(p, least, most);
}

static bool step(struct parser *p)
{
	switch (*p->s) {
	case '(':
		return open(p);
	case ')':
		return close_group(p);
	case '|':
		p->s++;
		return alternative(p);
	case '[':
		return class(p);
	case '\\':
		return backslash(p);
	case '^':
		p->s++;
		return emit_atom(p, p->flags.multi_line ? REGEX_LINE_BEGIN : REGEX_TEXT_BEGIN, 0);
	case '$':
		p->s++;
		return emit_atom(p, p->flags.multi_line ? REGEX_LINE_END : REGEX_TEXT_END, 0);
	case '.':
		p->s++;
		return emit_atom(p, p->flags.dot_all ? REGEX_ANY : REGEX_NOT_NEWLINE, 0);
	case '*':
		p->s++;
		return repeat(p, 0, UINT32_MAX);
	case '+':
		p->s++;
		return repeat(p, 1, UINT32_MAX);
	case '?':
		p->s++;
		return repeat(p, 0, 1);
	case '{':
		return braces(p);
	default:
		return literal(p, next(p));
	}
}

const char *regex_compile(struct arena *arena, const char *pattern, uint32_t length,
			  struct regex *ret)
{
	struct parser p = { .arena = arena, .r = ret, .s = pattern, .end = pattern + length };

	*ret = (struct regex){ 0 };
	if (push_group(&p))
		while (p.s < p.end && step(&p))
			;
	if (!p.error && p.n_groups > 1)
		fail(&p, open_group);
	if (p.error)
		return p.error;
	end_alternatives(&p, innermost(&p));
	emit(&p, REGEX_MATCH, 0);
	return p.error;
}
