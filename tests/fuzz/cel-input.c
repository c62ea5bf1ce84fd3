/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/cel-input.h"

#include <stdlib.h>
#include <string.h>

#include "cel/arena.h"
#include "cel/cel.h"
#include "cel/regex.h"
#include "lib/selector-sample.h"

#define REGEX_BYTES (512 * 1024)
#define REGEX_STEPS 1000000

static void must(bool truth)
{
	if (!truth)
		abort();
}

/* A failure has a message and, in an expression, a place in it. */
static void check_diag(const struct diag *d)
{
	must(d->message && d->message[0] != '\0');
	must(d->line > 0 || strstr(d->message, "longer than"));
}

static void evaluate(const struct cel_program *program)
{
	const struct cel_object disk_object = { &selector_disk_type, &sample_disk };
	const struct cel_object volume_object = { &selector_volume_type, &sample_volume };
	const struct cel_value values[SELECTOR_N_VARIABLES] = {
		[SELECTOR_VAR_DISK] = cel_value_object(&disk_object),
		[SELECTOR_VAR_SYSTEM_DISK] = { .kind = CEL_ERROR },
		[SELECTOR_VAR_VOLUME] = cel_value_object(&volume_object),
	};
	_cleanup_diag_ struct diag d = DIAG_INIT;
	struct cel_result first, second;

	if (cel_eval(program, values, &first, &d) < 0) {
		check_diag(&d);
		return;
	}
	must(first.value.kind != CEL_ERROR);
	must(cel_eval(program, values, &second, NULL) == 0);
	must(second.value.kind == first.value.kind && second.value.length == first.value.length);
	cel_result_done(&first);
	cel_result_done(&second);
}

static void expression(struct cel_env env, const char *text, size_t size)
{
	_cleanup_(cel_program_freep) struct cel_program *program = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;

	if (cel_compile(&env, text, size, NULL, &program, NULL, &d) < 0) {
		check_diag(&d);
		return;
	}
	_cleanup_free_ char *type = cel_type_format(cel_program_type(program));
	must(type != NULL);
	evaluate(program);
}

static bool charge(void *data, uint32_t steps)
{
	uint32_t *left = data;

	if (steps > *left)
		return false;
	*left -= steps;
	return true;
}

static void pattern(const char *text, size_t size)
{
	const char *newline = memchr(text, '\n', size);
	size_t length = newline ? (size_t)(newline - text) : size;
	uint32_t left = REGEX_STEPS;
	const struct regex_meter meter = { charge, &left };
	struct arena arena;
	struct regex regex;
	bool error;

	arena_init(&arena, REGEX_BYTES);
	if (!regex_compile(&arena, text, (uint32_t)length, &regex)) {
		const char *rest = newline ? newline + 1 : "";
		uint32_t rest_length = newline ? (uint32_t)(size - length - 1) : 0;
		regex_match(&arena, &regex, rest, rest_length, &meter, &error);
	}
	arena_done(&arena);
}

void cel_input(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct cel_env env = { 0 };

	if (size-- == 0)
		return;
	switch (data[0]) {
	case 'r':
		pattern(text, size);
		return;
	case 'v':
		env = *selector_env(SELECTOR_VOLUME);
		break;
	case 'e':
		break;
	case 's':
		env.as_specified = true;
		env.container = "talos.resource.definitions.block";
		env.objects = selector_env(SELECTOR_DISK)->objects;
		env.n_objects = selector_env(SELECTOR_DISK)->n_objects;
		break;
	case 'u':
		env = *selector_env(SELECTOR_VOLUME);
		env.unchecked = true;
		break;
	case 'n':
		env = *selector_env(SELECTOR_DISK);
		env.no_macros = true;
		break;
	default:
		env = *selector_env(SELECTOR_DISK);
	}
	expression(env, text, size);
}
