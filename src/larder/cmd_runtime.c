/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder runtime configure | status | restore: settings of container runtimes that point at the cache. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "larder/commands.h"
#include "larder/load_config.h"
#include "larder/output.h"
#include "runtime/route.h"
#include "runtime/runtime.h"
#include "store/reference.h"

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

/* What comes from files of others may be no UTF-8, and JSON must be: then every byte that is not ASCII becomes "?". */
static json_t *text_json(const char *text)
{
	_cleanup_free_ char *plain = NULL;

	if (!text)
		text = "";
	if (text_is_utf8(text, strlen(text)))
		return json_string(text);
	plain = strdup(text);
	for (char *at = plain; at && *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	return plain ? json_string(plain) : NULL;
}

static json_t *strings_json(char **list)
{
	json_t *array = json_array();

	STRV_FOREACH (item, list)
		json_array_append_new(array, text_json(*item));
	return array;
}

static json_t *result_json(const struct runtime_result *result)
{
	json_t *list = json_array();

	for (size_t i = 0; i < result->n_reports; i++) {
		const struct runtime_report *r = &result->reports[i];
		json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", r->name,
						      "state", runtime_state_name(r->state),
						      "detail", text_json(r->message), "files",
						      strings_json(r->files), "hints",
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
			json_pack("{s:b, s:o, s:o}", "dry_run", dry_run, "runtimes",
				  result_json(result), "diff", text_json(diff));
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

/* Without a reference: does each runtime's setting say what it should? */
static int print_states(const struct context *context)
{
	_cleanup_(machine_config_freep) struct machine_config *c = NULL;
	_cleanup_runtime_result_ struct runtime_result result = { 0 };
	_cleanup_diag_ struct diag d = DIAG_INIT;
	int r = load_config(context, NULL, &c, &d);

	if (r == 0)
		r = runtime_preview(c, context->root, &result, NULL, &d);
	if (r < 0)
		return command_failed(r, &d);
	if (context->output == OUTPUT_TABLE)
		printf("The cache is %s in the machine config.\n",
		       c->cache_enabled ? "enabled" : "not enabled");
	return print_result(context, &result, NULL, true);
}

static json_t *routes_json(const struct reference *reference, const struct runtime_routes *routes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < routes->n_routes; i++) {
		const struct runtime_route *route = &routes->routes[i];
		json_array_append_new(
			list, json_pack("{s:s, s:b, s:o, s:o, s:o, s:o}", "name", route->runtime,
					"cache_first", route->cache_first, "endpoints",
					strings_json(route->endpoints), "source",
					text_json(route->source), "note", text_json(route->note),
					"error", text_json(route->error)));
	}
	return json_pack("{s:s, s:s, s:o}", "registry", reference->registry, "repository",
			 reference->repository, "runtimes", list);
}

static void print_route(const struct runtime_route *route)
{
	int number = 0;

	printf("%s\n", route->runtime);
	if (route->error)
		printf("  cannot tell: %s\n", route->error);
	STRV_FOREACH (endpoint, route->endpoints) {
		bool cache = number++ == 0 && route->cache_first;
		printf("  %d. %s%s\n", number, *endpoint, cache ? "  (the cache)" : "");
	}
	if (!route->error)
		printf("  from %s\n",
		       route->source ? route->source : "no file: these are its defaults");
	if (route->note)
		printf("  note: %s\n", route->note);
}

/* With one: who is asked for it, in which order? */
static int print_routes(const struct context *context, const char *text)
{
	_cleanup_reference_ struct reference reference = { 0 };
	_cleanup_routes_ struct runtime_routes routes = { 0 };
	_cleanup_diag_ struct diag d = DIAG_INIT;
	int status = EXIT_DONE;
	int r = reference_parse(text, &reference, &d);

	if (r == 0)
		r = runtime_routes(context->root, reference.registry, reference.repository,
				   reference.digest.algorithm != DIGEST_NONE, &routes, &d);
	if (r < 0)
		return command_failed(r, &d);
	for (size_t i = 0; i < routes.n_routes; i++)
		if (routes.routes[i].error)
			status = EXIT_FAILED;
	if (context->output != OUTPUT_TABLE) {
		_cleanup_(json_decrefp) json_t *value = routes_json(&reference, &routes);
		return value && output_value(context, value) == EXIT_DONE ? status : EXIT_FAILED;
	}
	printf("%s/%s is looked for at, in this order:\n", reference.registry,
	       reference.repository);
	for (size_t i = 0; i < routes.n_routes; i++)
		print_route(&routes.routes[i]);
	if (routes.n_routes == 0)
		printf("There is no container runtime that larder knows.\n");
	return status;
}

static int run_status(struct context *context, const struct command *self, int argc, char *argv[])
{
	for (int o; (o = command_next_option(context, self, argc, argv)) != COMMAND_OPTIONS_END;)
		return o == COMMAND_DONE ? EXIT_DONE : EXIT_USAGE;
	if (optind + 1 < argc)
		return command_usage(self, "\"%s\" is one argument too many", argv[optind + 1]);
	return optind < argc ? print_routes(context, argv[optind]) : print_states(context);
}

static const struct command_option runtime_options[] = {
	{ "dry-run", NULL, "change nothing; show the difference", OPT_DRY_RUN },
	{ 0 },
};

const struct command command_runtime_configure = {
	.name = "runtime configure",
	.synopsis = "[--dry-run]",
	.summary = "Point the container runtimes on this machine at the cache",
	.options = runtime_options,
	.run = run_configure,
};

const struct command command_runtime_restore = {
	.name = "runtime restore",
	.synopsis = "[--dry-run]",
	.summary = "Set the container runtimes back to what they were",
	.options = runtime_options,
	.run = run_restore,
};

const struct command command_runtime_status = {
	.name = "runtime status",
	.synopsis = "[REF]",
	.summary = "Say which runtimes use the cache, or where each will look for an image",
	.run = run_status,
};
