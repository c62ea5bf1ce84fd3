/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Pike machine: a set of threads, each at one instruction, that all look at the same character. A thread that comes to an instruction
 * where another one is already, ends; so no step costs more than the program has instructions.
 */
#include <string.h>

#include "cel/regex.h"
#include "cel/utf8.h"

/* Threads in no order; dense[sparse[i]] == i says that i is in the set, without either being cleared ever. */
struct threads {
	uint16_t *dense, *sparse;
	uint32_t n;
};

struct machine {
	const struct regex *regex;
	struct threads now, then;
	uint16_t *stack;
	bool matched;
};

/* What is before and after the place between two characters. */
struct place {
	bool begin, end;
	uint32_t before, after; /* undefined at the ends */
};

static bool holds(enum regex_op op, const struct place *at)
{
	bool word_before = !at->begin && regex_is_word(at->before);
	bool word_after = !at->end && regex_is_word(at->after);

	switch (op) {
	case REGEX_TEXT_BEGIN:
		return at->begin;
	case REGEX_TEXT_END:
		return at->end;
	case REGEX_LINE_BEGIN:
		return at->begin || at->before == '\n';
	case REGEX_LINE_END:
		return at->end || at->after == '\n';
	case REGEX_WORD_EDGE:
		return word_before != word_after;
	default:
		return word_before == word_after;
	}
}

static bool insert(struct threads *t, uint32_t pc)
{
	if (t->sparse[pc] < t->n && t->dense[t->sparse[pc]] == pc)
		return false;
	t->sparse[pc] = (uint16_t)t->n;
	t->dense[t->n++] = (uint16_t)pc;
	return true;
}

/* Adds a thread, and all that it leads to without looking at a character. */
static void add(struct machine *m, struct threads *t, uint32_t start, const struct place *at)
{
	uint32_t n_stack = 0;

	if (insert(t, start))
		m->stack[n_stack++] = (uint16_t)start;
	while (n_stack > 0) {
		uint32_t pc = m->stack[--n_stack];
		const struct regex_inst *i = &m->regex->code[pc];
		uint32_t target = pc + 1;
		switch ((enum regex_op)i->op) {
		case REGEX_SPLIT:
			if (insert(t, pc + (uint32_t)i->arg))
				m->stack[n_stack++] = (uint16_t)(pc + (uint32_t)i->arg);
			break;
		case REGEX_JUMP:
			target = pc + (uint32_t)i->arg;
			break;
		case REGEX_TEXT_BEGIN:
		case REGEX_TEXT_END:
		case REGEX_LINE_BEGIN:
		case REGEX_LINE_END:
		case REGEX_WORD_EDGE:
		case REGEX_NO_WORD_EDGE:
			if (!holds(i->op, at))
				continue;
			break;
		case REGEX_MATCH:
			m->matched = true;
			continue;
		default:
			continue;
		}
		if (insert(t, target))
			m->stack[n_stack++] = (uint16_t)target;
	}
}

static bool fold_equal(uint32_t a, uint32_t b)
{
	uint32_t c = a;

	do {
		if (c == b)
			return true;
		c = regex_next_fold(c);
	} while (c != a);
	return false;
}

static bool takes(const struct regex *r, const struct regex_inst *i, uint32_t c)
{
	switch ((enum regex_op)i->op) {
	case REGEX_CHAR:
		return (uint32_t)i->arg == c;
	case REGEX_FOLD:
		return fold_equal(c, (uint32_t)i->arg);
	case REGEX_ANY:
		return true;
	case REGEX_NOT_NEWLINE:
		return c != '\n';
	case REGEX_CLASS:
		return regex_class_has(r, (uint32_t)i->arg, c);
	default:
		return false;
	}
}

/* What one step costs: the instructions looked at, and the items of classes. */
static uint32_t cost(const struct machine *m)
{
	uint32_t steps = m->now.n / 4;

	for (uint32_t t = 0; t < m->now.n; t++) {
		const struct regex_inst *i = &m->regex->code[m->now.dense[t]];
		if (i->op == REGEX_CLASS)
			steps += m->regex->classes[i->arg].n / 4;
	}
	return steps + 1;
}

static bool prepare(struct arena *arena, struct machine *m, const struct regex *regex)
{
	uint32_t n = regex->n_code;
	uint16_t *room = arena_alloc(arena, 5 * (size_t)n * sizeof(*room));

	if (!room)
		return false;
	memset(room, 0, 5 * (size_t)n * sizeof(*room));
	*m = (struct machine){ .regex = regex,
			       .now = { room, room + n, 0 },
			       .then = { room + 2 * (size_t)n, room + 3 * (size_t)n, 0 },
			       .stack = room + 4 * (size_t)n };
	return true;
}

bool regex_match(struct arena *arena, const struct regex *regex, const char *text, uint32_t length,
		 const struct regex_meter *meter, bool *ret_error)
{
	const char *s = text, *end = text + length;
	struct place at = { .begin = true, .end = length == 0 };
	struct machine m;
	uint32_t step = 0, after_step;

	*ret_error = !prepare(arena, &m, regex);
	if (*ret_error)
		return false;
	if (!at.end)
		at.after = utf8_decode(s, end, &step);
	for (;;) {
		add(&m, &m.now, 0, &at); /* a match may begin anywhere */
		if (m.matched || at.end)
			return m.matched;
		if (!meter->charge(meter->data, cost(&m))) {
			*ret_error = true;
			return false;
		}
		uint32_t c = at.after;
		s += step;
		at = (struct place){ .end = s == end, .before = c };
		if (!at.end) {
			at.after = utf8_decode(s, end, &after_step);
			step = after_step;
		}
		for (uint32_t t = 0; t < m.now.n; t++)
			if (takes(regex, &regex->code[m.now.dense[t]], c))
				add(&m, &m.then, m.now.dense[t] + 1U, &at);
		struct threads spare = m.now;
		m.now = m.then;
		m.then = spare;
		m.then.n = 0;
	}
}
