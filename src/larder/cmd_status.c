/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder status: what the last boot came to, and what the registry answers now, on one screen. */
#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/text.h"
#include "boot/describe.h"
#include "boot/status.h"
#include "larder/commands.h"
#include "larder/output.h"
#include "larder/status_now.h"
#include "store/parts.h"

static const char *string_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

#define STATE_WIDTH 11

static void print_line(const char *what, const char *state, const char *detail)
{
	if (!*state)
		state = "-";
	printf("  %-9s ", what);
	int width = output_escaped(stdout, state, strlen(state));
	if (*detail)
		printf("%*s ", width < STATE_WIDTH ? STATE_WIDTH - width : 0, "");
	output_escaped(stdout, detail, strlen(detail));
	putchar('\n');
}

/* Lines below the first, as a place in the config and its caret, are indented: none can stand for one of larder's own. */
static void print_text(const char *text)
{
	for (;;) {
		size_t length = strcspn(text, "\n");
		output_escaped(stdout, text, length);
		putchar('\n');
		if (!text[length])
			return;
		text += length + 1;
		printf("    ");
	}
}

static void print_config(const json_t *config)
{
	_cleanup_free_ char *files = NULL;
	size_t size;
	FILE *f = open_memstream(&files, &size);
	const json_t *list = json_object_get(config, "files");

	if (!f)
		return;
	for (size_t i = 0; i < json_array_size(list); i++)
		fprintf(f, "%s%s", i ? ", " : "", json_string_value(json_array_get(list, i)));
	if (fclose(f) == 0)
		print_line("config", string_at(config, "state"), files);
}

static void print_volume(const json_t *volume)
{
	char detail[512], size[TEXT_SIZE_MAX], available[TEXT_SIZE_MAX];

	snprintf(detail, sizeof(detail), "%s on %s, %s, %s free", string_at(volume, "device"),
		 string_at(volume, "mounted"),
		 text_size_iec((uint64_t)json_integer_value(json_object_get(volume, "size")), size),
		 text_size_iec((uint64_t)json_integer_value(json_object_get(volume, "free")),
			       available));
	print_line("volume", string_at(volume, "phase"),
		   *string_at(volume, "device") ? detail : "");
}

static const char *first_of(const char *a, const char *b)
{
	return *a ? a : b;
}

static void medium_line(const json_t *medium, const char *what)
{
	_cleanup_free_ char *text = NULL;
	bool trusted = json_is_true(json_object_get(medium, "trusted"));
	const char *state = *string_at(medium, "mounted") ? "used"
			    : trusted			  ? "not used"
							  : "untrusted";

	const char *reason = string_at(medium, "reason");
	size_t said = strlen(state);

	if (strncmp(reason, state, said) == 0 && strncmp(reason + said, ": ", 2) == 0)
		reason += said + 2;
	const char *label = string_at(medium, "label");
	if (asprintf(&text, "%s%s%s%s%s", string_at(medium, "device"), *label ? " " : "", label,
		     *reason ? " " : "", reason) >= 0)
		print_line(what, state, text);
}

static void layer_line(const json_t *layer, const char *what)
{
	_cleanup_free_ char *text = NULL;
	long long n = (long long)json_integer_value(json_object_get(layer, "n_images"));

	const char *version = string_at(layer, "version");
	if (asprintf(&text, "%s%s%s, %lld image%s: %s", string_at(layer, "name"),
		     *version ? " " : "", version, n, n == 1 ? "" : "s",
		     first_of(string_at(layer, "reason"), string_at(layer, "path"))) >= 0)
		print_line(what, string_at(layer, "state"), text);
}

static void runtime_line(const json_t *runtime, const char *what)
{
	_cleanup_free_ char *text = NULL;
	const char *detail = string_at(runtime, "detail");

	if (asprintf(&text, "%s%s%s", string_at(runtime, "name"), *detail ? ": " : "", detail) >= 0)
		print_line(what, string_at(runtime, "state"), text);
}

static void print_list(const char *what, const json_t *list,
		       void (*line)(const json_t *item, const char *what))
{
	if (json_array_size(list) == 0)
		print_line(what, "none", "");
	for (size_t i = 0; i < json_array_size(list); i++)
		line(json_array_get(list, i), i == 0 ? what : "");
}

static void print_copy(const json_t *copy)
{
	_cleanup_free_ char *names = NULL;
	size_t size;
	FILE *f = open_memstream(&names, &size);
	const json_t *pending = json_object_get(copy, "pending");

	if (!f)
		return;
	for (size_t i = 0; i < json_array_size(pending); i++)
		fprintf(f, "%s%s", i ? ", " : "still on media: ",
			json_string_value(json_array_get(pending, i)));
	if (fclose(f) == 0)
		print_line("copy", string_at(copy, "state"), names);
}

/* "ready, 12 images; 40 hits, 2 misses since it started" */
static void print_registry(const json_t *registry)
{
	const json_t *hits = json_object_get(registry, "hits");
	_cleanup_free_ char *text = NULL;

	if (!hits)
		print_line("registry", string_at(registry, "state"), string_at(registry, "detail"));
	else if (asprintf(&text, "%s; %lld hits, %lld misses since it started",
			  string_at(registry, "detail"), (long long)json_integer_value(hits),
			  (long long)json_integer_value(json_object_get(registry, "misses"))) >= 0)
		print_line("registry", string_at(registry, "state"), text);
}

static void print_status(const json_t *status)
{
	const json_t *problems = json_object_get(status, "problems");
	const json_t *advice = json_object_get(status, "advice");

	printf("larder: ");
	print_text(string_at(status, "state"));
	print_config(json_object_get(status, "config"));
	if (strcmp(string_at(status, "state"), "disabled") != 0) {
		print_volume(json_object_get(status, "volume"));
		print_list("media", json_object_get(status, "media"), medium_line);
		print_copy(json_object_get(status, "copy"));
		print_list("layers", json_object_get(status, "layers"), layer_line);
		print_list("runtimes", json_object_get(status, "runtimes"), runtime_line);
	}
	print_registry(json_object_get(status, "registry"));
	if (json_array_size(problems) > 0)
		printf("Problems:\n");
	for (size_t i = 0; i < json_array_size(problems); i++) {
		const json_t *problem = json_array_get(problems, i);
		const char *part = string_at(problem, "part");
		printf("  ");
		output_escaped(stdout, part, strlen(part));
		printf(": ");
		print_text(string_at(problem, "message"));
	}
	if (json_array_size(advice) > 0)
		printf("What to do:\n");
	for (size_t i = 0; i < json_array_size(advice); i++) {
		printf("  ");
		print_text(json_string_value(json_array_get(advice, i)));
	}
}

static bool all_is_well(const json_t *status)
{
	const char *state = string_at(status, "state");

	if (strcmp(state, "disabled") == 0)
		return true;
	return strcmp(state, "ready") == 0 &&
	       strcmp(string_at(json_object_get(status, "registry"), "state"), "ready") == 0;
}

static void note_part(const char *text, void *user)
{
	(void)status_add_problem(user, "layers", text);
}

/* What became of the layers' files since they were put to use: asked now. */
static void ask_layers(const char *run_dir, json_t *status)
{
	json_int_t generation = json_integer_value(json_object_get(status, "generation"));
	_cleanup_(parts_unrefp) struct parts *parts = NULL;
	uint64_t stamp;
	char name[64];

	snprintf(name, sizeof(name), NAME_RUN_GEN "/%lld", (long long)generation);
	if (generation <= 0 || parts_read(run_dir, name, &parts) < 0)
		return;
	parts_look(parts, &stamp);
	parts_news(parts, note_part, status);
}

/* How full the volume is now, and not at the last boot. */
static void ask_space(json_t *status)
{
	json_t *volume = json_object_get(status, "volume");

	if (*string_at(volume, "mounted"))
		describe_space(volume, string_at(volume, "mounted"));
}

static int run_status(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	json_auto_t *status = NULL;

	int o = command_next_option(context, self, argc, argv);
	if (o != COMMAND_OPTIONS_END)
		return o == COMMAND_DONE ? EXIT_DONE : EXIT_USAGE;
	if (optind < argc)
		return command_usage(self, "\"%s\" is one argument too many", argv[optind]);
	int r = status_read(context->run_dir, &status, &diag);
	if (r == 0)
		ask_layers(context->run_dir, status);
	if (r == 0)
		ask_space(status);
	if (r == 0)
		r = status_set(status, "registry", status_registry());
	if (r == 0)
		r = status_set(status, "copy", status_copy(status));
	if (r == 0)
		r = status_set(status, "advice", status_advice(status));
	if (r < 0) {
		(void)command_failed(r, &diag);
		return EXIT_FAILED;
	}
	if (context->output == OUTPUT_TABLE)
		print_status(status);
	else if (output_value(context, status) != EXIT_DONE)
		return EXIT_FAILED;
	return all_is_well(status) ? EXIT_DONE : EXIT_FAILED;
}

const struct command command_status = {
	.name = "status",
	.synopsis = "",
	.summary = "What is up, what is not, and why",
	.run = run_status,
};
