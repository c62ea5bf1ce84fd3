/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Words, blanks, signs and whole quoted texts are the tokens. Texts are compared line by line, and what differs then token by
 * token, so that a piece is exactly what was put into a line, or the lines that took the place of others.
 */
#include "runtime/unmerge.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

#define NOWHERE SIZE_MAX

struct token {
	const char *text;
	size_t length;
};

/* A text as tokens; lines[i] is the first token of line i, lines[n_lines] behind the last. */
struct tokens {
	struct token *tokens;
	size_t n;
	size_t *lines;
	size_t n_lines;
};

static void tokens_done(struct tokens *t)
{
	free(t->tokens);
	free(t->lines);
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || strchr("_-./*", c);
}

static size_t token_length(const char *text)
{
	size_t length = 1;

	if (*text == ' ' || *text == '\t')
		return strspn(text, " \t");
	if (*text == '"' || *text == '\'') {
		size_t inside = 1;
		while (text[inside] && text[inside] != '\n' && text[inside] != *text)
			inside += text[inside] == '\\' && *text == '"' && text[inside + 1] &&
						  text[inside + 1] != '\n'
					  ? 2
					  : 1;
		return text[inside] == *text ? inside + 1 : 1;
	}
	if (*text != '\0' && is_word(*text))
		while (text[length] && is_word(text[length]))
			length++;
	return length;
}

static int split(const char *text, struct tokens *ret)
{
	size_t size = text ? strlen(text) : 0;
	bool line = true;

	ret->tokens = calloc(size + 1, sizeof(*ret->tokens));
	ret->lines = calloc(size + 2, sizeof(*ret->lines));
	if (!ret->tokens || !ret->lines)
		return -ENOMEM;
	while (size > 0 && *text) {
		if (line)
			ret->lines[ret->n_lines++] = ret->n;
		size_t length = token_length(text);
		line = *text == '\n';
		ret->tokens[ret->n++] = (struct token){ text, length };
		text += length;
	}
	ret->lines[ret->n_lines] = ret->n;
	return 0;
}

static bool same_token(const struct tokens *a, size_t i, const struct tokens *b, size_t j)
{
	const struct token *x = &a->tokens[i], *y = &b->tokens[j];

	return x->length == y->length && memcmp(x->text, y->text, x->length) == 0;
}

static bool same_line(const struct tokens *a, size_t i, const struct tokens *b, size_t j)
{
	size_t n = a->lines[i + 1] - a->lines[i];

	if (n != b->lines[j + 1] - b->lines[j])
		return false;
	for (size_t k = 0; k < n; k++)
		if (!same_token(a, a->lines[i] + k, b, b->lines[j] + k))
			return false;
	return true;
}

typedef bool (*same_item)(const struct tokens *a, size_t i, const struct tokens *b, size_t j);

/* Items of two texts from one place to another. */
struct range {
	size_t a, a_end, b, b_end;
};

/* A longest common subsequence of what differs at both ends: to[i - r.a] is the item of b. */
static int match_middle(const struct tokens *a, const struct tokens *b, struct range r,
			same_item same, size_t *to)
{
	size_t rows = r.a_end - r.a, columns = r.b_end - r.b;

	if (rows == 0 || columns == 0 || rows + 1 > UNMERGE_CELLS_MAX / (columns + 1))
		return 0;
	_cleanup_free_ uint32_t *lengths = calloc((rows + 1) * (columns + 1), sizeof(*lengths));
	if (!lengths)
		return -ENOMEM;
#define LENGTH(x, y) lengths[(x) * (columns + 1) + (y)]
	for (size_t x = rows; x-- > 0;)
		for (size_t y = columns; y-- > 0;) {
			uint32_t down = LENGTH(x + 1, y), right = LENGTH(x, y + 1);
			LENGTH(x, y) = same(a, r.a + x, b, r.b + y) ? LENGTH(x + 1, y + 1) + 1
				       : down > right		    ? down
								    : right;
		}
	for (size_t x = 0, y = 0; x < rows && y < columns;) {
		if (same(a, r.a + x, b, r.b + y))
			to[x++] = r.b + y++;
		else if (LENGTH(x + 1, y) >= LENGTH(x, y + 1))
			x++;
		else
			y++;
	}
#undef LENGTH
	return 0;
}

/* to[i] of each item of a in the range: its like in b, or NOWHERE. */
static int match(const struct tokens *a, const struct tokens *b, struct range r, same_item same,
		 size_t *to)
{
	for (size_t i = r.a; i < r.a_end; i++)
		to[i] = NOWHERE;
	while (r.a < r.a_end && r.b < r.b_end && same(a, r.a, b, r.b))
		to[r.a++] = r.b++;
	while (r.a < r.a_end && r.b < r.b_end && same(a, r.a_end - 1, b, r.b_end - 1))
		to[--r.a_end] = --r.b_end;
	return match_middle(a, b, r, same, to + r.a);
}

/* Tokens of a piece of lines that has no like. */
typedef int (*match_piece)(const struct tokens *a, const struct tokens *b, struct range lines,
			   size_t *to);

/* to[i] of each token of a: its like in b, or NOWHERE. */
static int match_texts(const struct tokens *a, const struct tokens *b, match_piece piece,
		       size_t *to)
{
	_cleanup_free_ size_t *lines = calloc(a->n_lines + 1, sizeof(*lines));
	struct range all = { 0, a->n_lines, 0, b->n_lines };
	size_t start = 0, b_start = 0;
	int r = lines ? match(a, b, all, same_line, lines) : -ENOMEM;

	for (size_t i = 0; i < a->n; i++)
		to[i] = NOWHERE;
	for (size_t i = 0; r == 0 && i <= a->n_lines; i++) {
		size_t like = i < a->n_lines ? lines[i] : b->n_lines;
		if (like == NOWHERE)
			continue;
		r = piece(a, b, (struct range){ start, i, b_start, like }, to);
		for (size_t k = 0; i < a->n_lines && k < a->lines[i + 1] - a->lines[i]; k++)
			to[a->lines[i] + k] = b->lines[like] + k;
		start = i + 1;
		b_start = like + 1;
	}
	return r;
}

/* What a user made of lines: any of their words may be elsewhere. */
static int match_edited(const struct tokens *a, const struct tokens *b, struct range lines,
			size_t *to)
{
	return match(a, b,
		     (struct range){ a->lines[lines.a], a->lines[lines.a_end], b->lines[lines.b],
				     b->lines[lines.b_end] },
		     same_token, to);
}

/* What larder made of lines: it only adds to one, or puts others in its place. */
static int match_added(const struct tokens *a, const struct tokens *b, struct range lines,
		       size_t *to)
{
	size_t j = lines.b;
	int r = 0;

	for (size_t i = lines.a; r == 0 && i < lines.a_end; i++) {
		for (size_t k = j; r == 0 && k < lines.b_end; k++) {
			bool all = true;
			r = match_edited(a, b, (struct range){ i, i + 1, k, k + 1 }, to);
			for (size_t n = a->lines[i]; n < a->lines[i + 1]; n++)
				all = all && to[n] != NOWHERE;
			if (all) {
				j = k + 1;
				break;
			}
			for (size_t n = a->lines[i]; n < a->lines[i + 1]; n++)
				to[n] = NOWHERE;
		}
	}
	return r;
}

struct merger {
	struct tokens original, written, edited;
	size_t *in_written; /* of the original's tokens */
	size_t *in_edited;  /* of the written ones */
	bool *drop;	    /* of the edited ones */
	size_t *back; /* before an edited token (or at the end): the first of the original's that come back */
	size_t *back_end;
};

/* Tokens written[from, to) are a piece of larder's in the place of original[lost, lost_end): do they stand whole? */
static void take_piece(struct merger *m, size_t from, size_t to, size_t lost, size_t lost_end)
{
	size_t at = from < to ? m->in_edited[from] : NOWHERE;

	if (at == NOWHERE)
		return;
	for (size_t i = from; i < to; i++)
		if (m->in_edited[i] != at + (i - from))
			return;
	for (size_t i = from; i < to; i++)
		m->drop[at + (i - from)] = true;
	m->back[at] = lost;
	m->back_end[at] = lost_end;
}

static void take_pieces(struct merger *m)
{
	size_t from = 0, lost = 0;

	for (size_t o = 0; o <= m->original.n; o++) {
		size_t to = o < m->original.n ? m->in_written[o] : m->written.n;
		if (to == NOWHERE)
			continue;
		take_piece(m, from, to, lost, o);
		from = to + 1;
		lost = o + 1;
	}
}

static void write_token(FILE *f, const struct token *t, bool *line_start)
{
	fwrite(t->text, 1, t->length, f);
	*line_start = *t->text == '\n';
}

static int write_rest(const struct merger *m, char **ret)
{
	_cleanup_free_ char *text = NULL;
	bool line_start = true;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < m->edited.n; i++) {
		for (size_t o = m->back[i]; o < m->back_end[i]; o++)
			write_token(f, &m->original.tokens[o], &line_start);
		if (m->drop[i])
			continue;
		/* The original had no newline at its end: what was written behind larder's lines still is a line. */
		if (!line_start && i > 0 && m->drop[i - 1] && *m->edited.tokens[i - 1].text == '\n')
			fputc('\n', f);
		write_token(f, &m->edited.tokens[i], &line_start);
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	*ret = TAKE_PTR(text);
	return 0;
}

static void merger_done(struct merger *m)
{
	tokens_done(&m->original);
	tokens_done(&m->written);
	tokens_done(&m->edited);
	free(m->in_written);
	free(m->in_edited);
	free(m->drop);
	free(m->back);
	free(m->back_end);
}

static int allocate(struct merger *m)
{
	size_t n = m->edited.n + 1;

	m->in_written = calloc(m->original.n + 1, sizeof(size_t));
	m->in_edited = calloc(m->written.n + 1, sizeof(size_t));
	m->drop = calloc(n, sizeof(bool));
	m->back = calloc(n, sizeof(size_t));
	m->back_end = calloc(n, sizeof(size_t));
	return m->in_written && m->in_edited && m->drop && m->back && m->back_end ? 0 : -ENOMEM;
}

int unmerge(const char *original, const char *written, const char *edited, char **ret)
{
	_cleanup_(merger_done) struct merger m = { 0 };
	int r = split(original, &m.original);

	if (r == 0)
		r = split(written, &m.written);
	if (r == 0)
		r = split(edited, &m.edited);
	if (r == 0)
		r = allocate(&m);
	if (r == 0)
		r = match_texts(&m.original, &m.written, match_added, m.in_written);
	if (r == 0)
		r = match_texts(&m.written, &m.edited, match_edited, m.in_edited);
	if (r < 0)
		return r;
	take_pieces(&m);
	return write_rest(&m, ret);
}
