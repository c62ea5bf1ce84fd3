/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder runtime configure | restore: settings of container runtimes that point at the cache. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "larder/commands.h"
#include "larder/load_config.h"
#include "larder/output.h"
#include "runtime/runtime.h"

enum {
	OPT_DRY_RUN = 256,
};

/* Returns an exit status, or COMMAND_OPTIONS_END to go on. */
static int parse_options(struct context *context, const struct command *self, int argc,
			 char *argv[], bool *dry_run)
{
	for (int o; (o = command_next_option(context, self, argc, argv)) != COMMAND_OPTIONS_END;) {
		if (o == COMMAND_DONE)
			return EXIT_DONE;
		if (o != OPT_DRY_RUN)
			return EXIT_USAGE;
		*dry_run = true;
	}
	if (optind < argc)
		return command_usage(self, "\"%s\" is one argument too many", argv[optind]);
	return COMMAND_OPTIONS_END;
}

static json_t *strings_json(char **list)
{
	json_t *array = json_array();

	STRV_FOREACH (item, list)
		json_array_append_new(array, json_string(*item));
	return array;
}

static json_t *result_json(const struct runtime_result *result)
{
	json_t *list = json_array();

	for (size_t i = 0; i < result->n_reports; i++) {
		const struct runtime_report *r = &result->reports[i];
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", r->name,
						      "state", runtime_state_name(r->state),
						      "detail", r->message ? r->message : "",
						      "files", strings_json(r->files), "hints",
						      strings_json(r->hints)));
	}
	return list;
}

static void print_report(const struct runtime_report *r, bool dry_run)
{
	const char *state = dry_run && r->state == RUNTIME_CHANGED ? "would change"
								   : runtime_state_name(r->state);

	printf("%s: %s\n", r->name, state);
	if (r->message)
		printf("  %s\n", r->message);
	STRV_FOREACH (file, r->files)
		printf("  %s\n", *file);
	STRV_FOREACH (hint, r->hints)
		printf("  hint: %s\n", *hint);
}

/* Prints what came out; 1 if a runtime failed. */
static int print_result(const struct context *context, const struct runtime_result *result,
			const char *diff, bool dry_run)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < result->n_reports; i++)
		if (result->reports[i].state == RUNTIME_FAILED)
			status = EXIT_FAILED;
	if (context->output != OUTPUT_TABLE) {
		_cleanup_(json_decrefp) json_t *value =
			json_pack("{s:b, s:o, s:s}", "dryRun", dry_run, "runtimes",
				  result_json(result), "diff", diff ? diff : "");
		return value && output_value(context, value) == EXIT_DONE ? status : EXIT_FAILED;
	}
	for (size_t i = 0; i < result->n_reports; i++)
		print_report(&result->reports[i], dry_run);
	if (result->n_reports == 0)
		printf("There is nothing to do.\n");
	if (diff && *diff)
		printf("\n%s", diff);
	return status;
}

static int run_configure(struct context *context, const struct command *self, int argc,
			 char *argv[])
{
	_cleanup_(machine_config_freep) struct machine_config *c = NULL;
	_cleanup_runtime_result_ struct runtime_result result = { 0 };
	_cleanup_diag_ struct diag d = DIAG_INIT;
	_cleanup_free_ char *diff = NULL;
	bool dry_run = false;
	int status = parse_options(context, self, argc, argv, &dry_run);

	if (status != COMMAND_OPTIONS_END)
		return status;
	int r = load_config(context, NULL, &c, &d);
	if (r == 0 && dry_run)
		r = runtime_preview(c, context->root, &result, &diff, &d);
	else if (r == 0)
		r = runtime_configure(c, context->root, &result, &d);
	if (r < 0)
		return command_failed(r, &d);
	if (!c->cache_enabled)
		log_notice(
			"the machine config does not enable the cache, so runtimes are set back to "
			"what they were");
	return print_result(context, &result, diff, dry_run);
}

static int run_restore(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_runtime_result_ struct runtime_result result = { 0 };
	_cleanup_diag_ struct diag d = DIAG_INIT;
	_cleanup_free_ char *diff = NULL;
	bool dry_run = false;
	int status = parse_options(context, self, argc, argv, &dry_run);

	if (status != COMMAND_OPTIONS_END)
		return status;
	int r = dry_run ? runtime_preview(NULL, context->root, &result, &diff, &d)
			: runtime_restore(context->root, &result, &d);
	if (r < 0)
		return command_failed(r, &d);
	return print_result(context, &result, diff, dry_run);
}

static const struct command_option runtime_options[] = {
	{ "dry-run", NULL, "change nothing; show the difference", OPT_DRY_RUN },
	{ 0 },
};

const struct command command_runtime_configure = {
	.name = "runtime configure",
	.synopsis = "[--dry-run]",
	.summary = "Points the container runtimes on this machine at the cache",
	.options = runtime_options,
	.run = run_configure,
};

const struct command command_runtime_restore = {
	.name = "runtime restore",
	.synopsis = "[--dry-run]",
	.summary = "Sets the container runtimes back to what they were",
	.options = runtime_options,
	.run = run_restore,
};
