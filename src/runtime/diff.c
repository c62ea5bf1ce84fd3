/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/diff.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

#define CONTEXT 3

struct line {
	const char *text;
	size_t length; /* without the newline */
	bool ended;    /* by a newline */
};

struct lines {
	struct line *lines;
	size_t n;
};

/* One line of the result: ' ' both have it, '-' the old one, '+' the new one. */
struct step {
	char kind;
	size_t old_line, new_line; /* how many lines of each come before */
};

static int split(const char *text, struct lines *ret)
{
	size_t n = 0;

	for (const char *c = text; c && *c; c++)
		n += *c == '\n' || c[1] == '\0';
	ret->n = 0;
	ret->lines = calloc(n + 1, sizeof(struct line));
	if (!ret->lines)
		return -ENOMEM;
	while (text && *text) {
		size_t length = strcspn(text, "\n");
		ret->lines[ret->n++] = (struct line){ text, length, text[length] == '\n' };
		text += length + (text[length] == '\n');
	}
	return 0;
}

static bool same(const struct line *a, const struct line *b)
{
	return a->length == b->length && a->ended == b->ended &&
	       memcmp(a->text, b->text, a->length) == 0;
}

/*
 * Steps of a longest common subsequence of two ranges that differ at both ends: lengths[i][j] is that of the rests from i
 * and j on.
 */
static int match_middle(const struct lines *a, const struct lines *b, size_t start, size_t a_end,
			size_t b_end, struct step *steps, size_t *n)
{
	size_t rows = a_end - start, columns = b_end - start;
	_cleanup_free_ uint16_t *lengths = NULL;
	size_t i = 0, j = 0;

	if (rows <= DIFF_LINES_MAX && columns <= DIFF_LINES_MAX) {
		lengths = calloc((rows + 1) * (columns + 1), sizeof(*lengths));
		if (!lengths)
			return -ENOMEM;
	}
#define LENGTH(x, y) lengths[(x) * (columns + 1) + (y)]
	for (size_t x = rows; lengths && x-- > 0;) {
		for (size_t y = columns; y-- > 0;) {
			uint16_t down = LENGTH(x + 1, y), right = LENGTH(x, y + 1);
			if (same(&a->lines[start + x], &b->lines[start + y]))
				LENGTH(x, y) = (uint16_t)(LENGTH(x + 1, y + 1) + 1);
			else
				LENGTH(x, y) = down > right ? down : right;
		}
	}
	while (i < rows || j < columns) {
		char kind;
		if (lengths && i < rows && j < columns &&
		    same(&a->lines[start + i], &b->lines[start + j]))
			kind = ' ';
		else if (i < rows &&
			 (j == columns || !lengths || LENGTH(i + 1, j) >= LENGTH(i, j + 1)))
			kind = '-';
		else
			kind = '+';
		steps[(*n)++] = (struct step){ kind, start + i, start + j };
		i += kind != '+';
		j += kind != '-';
	}
#undef LENGTH
	return 0;
}

static int match(const struct lines *a, const struct lines *b, struct step *steps, size_t *ret_n)
{
	size_t start = 0, n = 0, tail = 0;

	while (start < a->n && start < b->n && same(&a->lines[start], &b->lines[start])) {
		steps[n++] = (struct step){ ' ', start, start };
		start++;
	}
	while (tail < a->n - start && tail < b->n - start &&
	       same(&a->lines[a->n - tail - 1], &b->lines[b->n - tail - 1]))
		tail++;
	int r = match_middle(a, b, start, a->n - tail, b->n - tail, steps, &n);
	for (; r == 0 && tail > 0; tail--)
		steps[n++] = (struct step){ ' ', a->n - tail, b->n - tail };
	*ret_n = n;
	return r;
}

static void write_step(FILE *f, const struct lines *a, const struct lines *b,
		       const struct step *step)
{
	const struct line *line =
		step->kind == '+' ? &b->lines[step->new_line] : &a->lines[step->old_line];

	fprintf(f, "%c%.*s\n", step->kind, (int)line->length, line->text);
	if (!line->ended)
		fputs("\\ No newline at end of file\n", f);
}

/* "@@ -1,3 +1,4 @@": a range without lines names the line before it. */
static void write_hunk(FILE *f, const struct lines *a, const struct lines *b,
		       const struct step *steps, size_t from, size_t to)
{
	size_t old = 0, new = 0;

	for (size_t i = from; i < to; i++) {
		old += steps[i].kind != '+';
		new += steps[i].kind != '-';
	}
	fprintf(f, "@@ -%zu,%zu +%zu,%zu @@\n", steps[from].old_line + (old > 0), old,
		steps[from].new_line + (new > 0), new);
	for (size_t i = from; i < to; i++)
		write_step(f, a, b, &steps[i]);
}

/* The end of the hunk that begins with the change at i: changes with up to twice the context between them are one hunk. */
static size_t hunk_end(const struct step *steps, size_t n, size_t i)
{
	size_t end = i;

	for (size_t j = i; j < n && j <= end + 2 * CONTEXT; j++)
		if (steps[j].kind != ' ')
			end = j;
	return end + 1 + CONTEXT < n ? end + 1 + CONTEXT : n;
}

static void write_hunks(FILE *f, const struct lines *a, const struct lines *b,
			const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (steps[i].kind == ' ')
			continue;
		size_t from = i > CONTEXT ? i - CONTEXT : 0;
		size_t to = hunk_end(steps, n, i);
		write_hunk(f, a, b, steps, from, to);
		i = to - 1;
	}
}

int diff_write(FILE *f, const char *path, const char *old, const char *new)
{
	struct lines a = { 0 }, b = { 0 };
	_cleanup_free_ struct step *steps = NULL;
	size_t n = 0;
	int r = 0;

	if (old && new &&strcmp(old, new) == 0)
		return 0;
	if (split(old, &a) < 0 || split(new, &b) < 0)
		r = -ENOMEM;
	if (r == 0)
		steps = calloc(a.n + b.n + 1, sizeof(*steps));
	r = r == 0 && steps ? match(&a, &b, steps, &n) : -ENOMEM;
	if (r == 0) {
		fprintf(f, "--- %s%s\n+++ %s%s\n", old ? "a" : "", old ? path : "/dev/null",
			new ? "b" : "", new ? path : "/dev/null");
		write_hunks(f, &a, &b, steps, n);
	}
	free(a.lines);
	free(b.lines);
	return r;
}
