/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cel-timer FILE ROUNDS: how many of the expressions in FILE (the lines that cel-run reads) are compiled and evaluated a second, as the
 * median of so many rounds over all of them, beside the documented figure of the reference evaluator.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cel/cel.h"
#include "lib/selector-sample.h"

/* Compile and evaluate a second over the same kind of file, measured once with the reference evaluator (cel-go) on one core. */
#define REFERENCE_PER_SECOND 6000
#define EXPRESSIONS_MAX	     4096
#define PASSES		     20 /* over the file in one round */

struct expression {
	const struct cel_env *env;
	char *text;
	size_t length;
	bool wants_bool;
};

static size_t read_expressions(const char *path, struct expression list[static EXPRESSIONS_MAX])
{
	static const struct cel_env empty = { 0 };
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0, n = 0;

	while (f && n < EXPRESSIONS_MAX && getline(&line, &size, f) >= 0) {
		json_t *json = json_loads(line, JSON_ALLOW_NUL, NULL);
		const json_t *text = json_object_get(json, "expr");
		const char *env = json_string_value(json_object_get(json, "env"));
		const char *type = json_string_value(json_object_get(json, "type"));
		if (json_is_string(text))
			list[n++] = (struct expression){
				.env = !env || strcmp(env, "empty") == 0
					       ? &empty
					       : selector_env(strcmp(env, "volume") == 0
								      ? SELECTOR_VOLUME
								      : SELECTOR_DISK),
				.text = strdup(json_string_value(text)),
				.length = json_string_length(text),
				.wants_bool = type && strcmp(type, "bool") == 0,
			};
		json_decref(json);
	}
	free(line);
	if (f)
		fclose(f);
	return n;
}

static void run(const struct expression *x)
{
	const struct cel_object disk_object = { &selector_disk_type, &sample_disk };
	const struct cel_object volume_object = { &selector_volume_type, &sample_volume };
	const struct cel_value values[SELECTOR_N_VARIABLES] = {
		[SELECTOR_VAR_DISK] = cel_value_object(&disk_object),
		[SELECTOR_VAR_SYSTEM_DISK] = cel_value_bool(false),
		[SELECTOR_VAR_VOLUME] = cel_value_object(&volume_object),
	};
	_cleanup_(cel_program_freep) struct cel_program *program = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;
	struct cel_result result;

	if (cel_compile(x->env, x->text, x->length, x->wants_bool ? &cel_bool : NULL, &program,
			NULL, &d) == 0 &&
	    cel_eval(program, values, &result, &d) == 0)
		cel_result_done(&result);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char *argv[])
{
	static struct expression list[EXPRESSIONS_MAX];
	size_t n = argc > 1 ? read_expressions(argv[1], list) : 0;
	int rounds = argc > 2 ? atoi(argv[2]) : 21;
	double rates[1000];

	if (n == 0 || rounds < 1 || rounds > 1000) {
		fprintf(stderr, "cel-timer FILE ROUNDS: no expressions in %s\n",
			argc > 1 ? argv[1] : "no file");
		return 2;
	}
	for (int r = 0; r < rounds; r++) {
		double start = now();
		for (int pass = 0; pass < PASSES; pass++)
			for (size_t i = 0; i < n; i++)
				run(&list[i]);
		rates[r] = (double)n * PASSES / (now() - start);
	}
	qsort(rates, (size_t)rounds, sizeof(rates[0]), compare);
	printf("%zu expressions, %d rounds: %.0f compiled and evaluated a second (median; %.0f to %.0f)\n",
	       n, rounds, rates[rounds / 2], rates[0], rates[rounds - 1]);
	printf("%.1f times the reference evaluator, which does %d\n",
	       rates[rounds / 2] / REFERENCE_PER_SECOND, REFERENCE_PER_SECOND);
	for (size_t i = 0; i < n; i++)
		free(list[i].text);
	return 0;
}
