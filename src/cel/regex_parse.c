/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The grammar of regular expressions.
 */
#include <string.h>

#include "cel/regex_parser.h"

static const char bad_group[] = "there is no such group \"(?…\" (look-around is not part of RE2)";
static const char bad_repeat[] = "a repeat count is too large, or its ends are the wrong way round";
static const char nothing_to_repeat[] = "there is nothing to repeat before *, +, ? or {…}";
static const char double_repeat[] = "one repetition directly after another";
static const char open_group[] = "a \")\" is missing";

static bool begin_atom(struct regex_parser *p)
{
	p->atom = p->r->n_code;
	p->atom_weight = 1;
	p->repeated = false;
	return true;
}

static bool emit_atom(struct regex_parser *p, enum regex_op op, int32_t arg)
{
	return begin_atom(p) && regex_emit(p, op, arg);
}

static bool literal(struct regex_parser *p, uint32_t c)
{
	bool fold = p->flags.fold && regex_next_fold(c) != c;

	return emit_atom(p, fold ? REGEX_FOLD : REGEX_CHAR, (int32_t)c);
}

static bool class(struct regex_parser *p)
{
	int32_t number = regex_class_begin(p->arena, p->r, p->flags.fold);

	if (number < 0)
		return regex_fail(p, regex_out_of_memory);
	p->s++;
	if (regex_looking_at(p, "^")) {
		p->r->classes[number].negated = true;
		p->s++;
	}
	return regex_class_items(p) && emit_atom(p, REGEX_CLASS, number);
}

/* \Q…\E */
static bool quoted(struct regex_parser *p)
{
	p->repeated = false;
	p->s += 2;
	while (p->s < p->end) {
		if (regex_looking_at(p, "\\E")) {
			p->s += 2;
			return true;
		}
		if (!literal(p, regex_next(p)))
			return false;
	}
	return true;
}

static bool backslash(struct regex_parser *p)
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
			return regex_fail(p, regex_out_of_memory);
		return regex_escaped_set(p, &is) && emit_atom(p, REGEX_CLASS, number);
	}
	return regex_escape(p, &point) && literal(p, point);
}

static bool push_group(struct regex_parser *p)
{
	if (p->n_groups > REGEX_NESTING_MAX)
		return regex_fail(p, "groups are nested too deep");
	if (p->n_groups == p->groups_size) {
		uint32_t size = p->groups_size ? p->groups_size * 2 : 4;
		struct group *larger = arena_alloc(p->arena, size * sizeof(*larger));
		if (!larger)
			return regex_fail(p, regex_out_of_memory);
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

static struct group *innermost(struct regex_parser *p)
{
	return &p->groups[p->n_groups - 1];
}

/* "|": what was read so far in the group is one alternative, which ends with a JUMP behind the group. */
static bool alternative(struct regex_parser *p)
{
	struct group *g = innermost(p);

	if (!regex_insert(p, g->branch, REGEX_SPLIT, (int32_t)(p->r->n_code - g->branch + 2)))
		return false;
	if (!regex_emit(p, REGEX_JUMP, (int32_t)g->jumps))
		return false;
	g->jumps = p->r->n_code; /* one more than its place, as 0 is none */
	g->branch = p->r->n_code;
	p->atom = NO_ATOM;
	p->repeated = false;
	return true;
}

/* The JUMPs of a group's alternatives get their target, its end. */
static void end_alternatives(struct regex_parser *p, struct group *g)
{
	while (g->jumps != 0) {
		uint32_t at = g->jumps - 1;
		g->jumps = (uint32_t)p->r->code[at].arg;
		p->r->code[at].arg = (int32_t)(p->r->n_code - at);
	}
}

static bool close_group(struct regex_parser *p)
{
	if (p->n_groups == 1)
		return regex_fail(p, "a \"(\" is missing");
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
static bool named_group(struct regex_parser *p, uint32_t skip)
{
	const char *start = p->s + skip;
	const char *close = memchr(start, '>', (size_t)(p->end - start));
	uint32_t length = close ? (uint32_t)(close - start) : 0;

	if (length == 0)
		return regex_fail(p, "a group has a bad name");
	for (uint32_t i = 0; i < length; i++)
		if (!regex_is_word((unsigned char)start[i]))
			return regex_fail(p, "a group has a bad name");
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
static bool flag_group(struct regex_parser *p)
{
	struct flags flags = p->flags;
	bool on = true, any = false;

	for (p->s += 2; p->s < p->end; p->s++) {
		char c = *p->s;
		if (c == ':' || c == ')') {
			if (!on && !any)
				return regex_fail(p, bad_group);
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
	return regex_fail(p, bad_group);
}

static bool open(struct regex_parser *p)
{
	if (regex_looking_at(p, "(?P<"))
		return named_group(p, 4);
	if (regex_looking_at(p, "(?<") && !regex_looking_at(p, "(?<=") &&
	    !regex_looking_at(p, "(?<!"))
		return named_group(p, 3);
	if (regex_looking_at(p, "(?"))
		return flag_group(p);
	p->s++;
	return push_group(p);
}

static bool repeat(struct regex_parser *p, uint32_t least, uint32_t most)
{
	uint32_t count = most == UINT32_MAX ? least : most;

	if (regex_looking_at(p, "?")) /* the shortest match first: no difference here */
		p->s++;
	if (p->repeated)
		return regex_fail(p, double_repeat);
	if (p->atom == NO_ATOM)
		return regex_fail(p, nothing_to_repeat);
	if (most == 0)
		p->atom_weight = 0;
	else if (count > 1)
		p->atom_weight = (p->atom_weight > 0 ? p->atom_weight : 1) * count;
	if ((least >= 2 || (most >= 2 && most != UINT32_MAX)) && p->atom_weight > REGEX_REPEAT_MAX)
		return regex_fail(p, bad_repeat);
	struct group *g = innermost(p);
	if (p->atom_weight > g->weight)
		g->weight = p->atom_weight;
	p->repeated = true;
	return regex_unroll(p, least, most);
}

/* Digits without a leading zero. False: there are none. Too large a number is UINT32_MAX - 1. */
static bool count(const struct regex_parser *p, const char **s, uint32_t *ret)
{
	const char *start = *s;
	uint32_t value = 0;

	if (!regex_is_digit(p, start) || (*start == '0' && regex_is_digit(p, start + 1)))
		return false;
	for (; regex_is_digit(p, *s); ++*s)
		value = value > REGEX_REPEAT_MAX ? value : value * 10 + (uint32_t)(**s - '0');
	*ret = value > REGEX_REPEAT_MAX ? UINT32_MAX - 1 : value;
	return true;
}

/* {2}, {2,}, {2,5}; anything else is a brace. */
static bool braces(struct regex_parser *p)
{
	const char *s = p->s + 1;
	uint32_t least, most;

	if (!count(p, &s, &least))
		return literal(p, regex_next(p));
	most = least;
	if (s < p->end && *s == ',') {
		s++;
		most = UINT32_MAX;
		if ((s == p->end || *s != '}') && !count(p, &s, &most))
			return literal(p, regex_next(p));
	}
	if (s == p->end || *s != '}')
		return literal(p, regex_next(p));
	p->s = s + 1;
	if (least == UINT32_MAX - 1 || most == UINT32_MAX - 1 || least > most)
		return regex_fail(p, bad_repeat);
	return repeat(p, least, most);
}

static bool step(struct regex_parser *p)
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
		return literal(p, regex_next(p));
	}
}

const char *regex_compile(struct arena *arena, const char *pattern, uint32_t length,
			  struct regex *ret)
{
	struct regex_parser p = { .arena = arena, .r = ret, .s = pattern, .end = pattern + length };

	*ret = (struct regex){ 0 };
	if (push_group(&p))
		while (p.s < p.end && step(&p))
			;
	if (!p.error && p.n_groups > 1)
		regex_fail(&p, open_group);
	if (p.error)
		return p.error;
	end_alternatives(&p, innermost(&p));
	regex_emit(&p, REGEX_MATCH, 0);
	return p.error;
}
