/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/cel.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "cel/check.h"
#include "cel/eval.h"
#include "cel/parser.h"
#include "cel/utf8.h"

#define EXCERPT_BYTES_MAX 400 /* of the one line that is shown */

static void locate(const char *text, uint32_t at, unsigned *ret_line, unsigned *ret_column,
		   uint32_t *ret_start)
{
	uint32_t start = 0;

	*ret_line = 1;
	for (uint32_t i = 0; i < at; i++) {
		if (text[i] == '\n') {
			start = i + 1;
			++*ret_line;
		}
	}
	*ret_column = utf8_count(text + start, at - start) + 1;
	*ret_start = start;
}

/* The line around the place; of a very long one only the part nearby, so that a person sees the caret. */
static void excerpt(struct diag *d, const struct cel_program *p, uint32_t start, uint32_t at)
{
	char line[EXCERPT_BYTES_MAX + 1];
	uint32_t from = start, length = 0;

	if (at - start > EXCERPT_BYTES_MAX / 2) {
		from = at - EXCERPT_BYTES_MAX / 4;
		while (from < at && (p->text[from] & 0xc0) == 0x80)
			from++;
	}
	while (from + length < p->length && length < EXCERPT_BYTES_MAX &&
	       p->text[from + length] != '\n' && p->text[from + length] != '\0')
		length++;
	while (length > 0 && from + length < p->length && (p->text[from + length] & 0xc0) == 0x80)
		length--;
	memcpy(line, p->text + from, length);
	line[length] = '\0';
	diag_set_excerpt(d, line, 1, utf8_count(p->text + from, at - from) + 1);
}

int cel_error_at(struct diag *d, int err, const struct cel_program *p, uint32_t at,
		 const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	unsigned line, column;
	uint32_t start;
	va_list ap;

	if (!d)
		return err;
	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	locate(p->text, at, &line, &column, &start);
	diag_set_at(d, err, NULL, line, column, "%s", message ? message : "out of memory");
	excerpt(d, p, start, at);
	return err;
}

void cel_program_free(struct cel_program *p)
{
	if (!p)
		return;
	arena_done(&p->arena);
	free(p);
}

/* A program with its text and nothing else yet. */
static int program_new(const struct cel_env *env, const char *text, size_t length,
		       struct cel_program **ret, struct diag *diag)
{
	uint32_t code_points;

	if (length > 4 * (size_t)CEL_CODE_POINTS_MAX ||
	    (code_points = utf8_count(text, (uint32_t)length)) > CEL_CODE_POINTS_MAX)
		return diag_set(diag, -EINVAL, "the expression is longer than %d characters",
				CEL_CODE_POINTS_MAX);
	_cleanup_(cel_program_freep) struct cel_program *p = malloc(sizeof(*p));
	if (!p)
		return diag_set(diag, -ENOMEM, "out of memory");
	*p = (struct cel_program){ .env = env,
				   .length = (uint32_t)length,
				   .code_points = code_points };
	arena_init(&p->arena, CEL_PROGRAM_BYTES(code_points));
	p->text = arena_alloc(&p->arena, length + 1);
	p->uses = arena_alloc(&p->arena, env->n_variables * sizeof(*p->uses));
	if (!p->text || !p->uses)
		return diag_set(diag, -ENOMEM, "out of memory");
	memcpy(p->text, text, length);
	p->text[length] = '\0';
	memset(p->uses, 0, env->n_variables * sizeof(*p->uses));
	*ret = TAKE_PTR(p);
	return 0;
}

static bool is_expected(const struct cel_type *type, const struct cel_type *expected)
{
	return !expected || type->kind == expected->kind;
}

int cel_compile(const struct cel_env *env, const char *text, size_t length,
		const struct cel_type *expected, struct cel_program **ret,
		enum cel_phase *ret_phase, struct diag *diag)
{
	_cleanup_(cel_program_freep) struct cel_program *p = NULL;
	enum cel_phase phase = CEL_PHASE_PARSE;

	int r = program_new(env, text, length, &p, diag);
	if (r == 0)
		r = cel_parse(p, diag);
	if (r == 0) {
		phase = CEL_PHASE_CHECK;
		r = cel_check(p, diag);
	}
	if (r == 0 && !is_expected(p->type, expected)) {
		phase = CEL_PHASE_TYPE;
		explain_result(p, expected, diag);
		r = -EINVAL;
	}
	if (ret_phase)
		*ret_phase = phase;
	if (r == 0 || (phase == CEL_PHASE_TYPE && ret_phase))
		*ret = TAKE_PTR(p);
	return r;
}

const char *cel_program_text(const struct cel_program *p)
{
	return p->text;
}

const struct cel_type *cel_program_type(const struct cel_program *p)
{
	return p->type;
}

int cel_program_check_patterns(const struct cel_program *p, struct diag *diag)
{
	return p->pattern_problem ? cel_error_at(diag, -EINVAL, p, p->pattern_at,
						 "the pattern is not valid: %s", p->pattern_problem)
				  : 0;
}

bool cel_program_uses(const struct cel_program *p, size_t variable)
{
	return variable < p->env->n_variables && p->uses[variable].mentions > 0;
}

uint64_t cel_program_fields(const struct cel_program *p, size_t variable)
{
	const struct variable_use *use = &p->uses[variable];

	return use->mentions > use->selections ? UINT64_MAX : use->fields;
}

void cel_result_done(struct cel_result *result)
{
	arena_free_chunks(result->chunks);
	result->chunks = NULL;
}

int cel_eval(const struct cel_program *p, const struct cel_value *values, struct cel_result *ret,
	     struct diag *diag)
{
	struct cel_eval e;
	struct cel_value value;

	arena_init(&e.arena, CEL_EVAL_BYTES(p->code_points));
	e.program = p;
	e.values = values;
	e.cost = 0;
	e.stopped = false;
	e.detail_node = NULL;
	e.locals = e.inline_locals;
	e.node = p->root;
	if (p->n_slots > EVAL_LOCALS_INLINE)
		e.locals = cel_alloc(&e, p->n_slots * sizeof(*e.locals));
	eval_node(&e, p->root, &value);
	if (value.kind == CEL_ERROR) {
		int r = eval_explain(&e, &value, diag);
		arena_done(&e.arena);
		return r;
	}
	*ret = (struct cel_result){ .value = value, .chunks = e.arena.chunks };
	return 0;
}
