/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder config check | show: is the machine config right, and what does it come to? */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "config/show.h"
#include "larder/commands.h"
#include "larder/load_config.h"
#include "larder/output.h"

/* Parses the common options alone. Returns an exit status, or COMMAND_OPTIONS_END to go on. */
static int parse_options(struct context *context, const struct command *self, int argc,
			 char *argv[], bool arguments)
{
	for (int o; (o = command_next_option(context, self, argc, argv)) != COMMAND_OPTIONS_END;) {
		if (o == COMMAND_DONE)
			return EXIT_DONE;
		if (o == COMMAND_USAGE)
			return EXIT_USAGE;
	}
	if (!arguments && optind < argc)
		return command_usage(self, "\"%s\" is one argument too many", argv[optind]);
	return COMMAND_OPTIONS_END;
}

static json_t *notes_json(const struct machine_config *c)
{
	json_t *notes = json_array();

	STRV_FOREACH (note, c->notes)
		json_array_append_new(notes, json_string(*note));
	return notes;
}

static json_t *error_json(const struct diag *d)
{
	json_t *error = json_pack("{s:s}", "message", d->message ? d->message : "out of memory");

	if (d->source)
		json_object_set_new(error, "file", json_string(d->source));
	if (d->line)
		json_object_set_new(error, "line", json_integer(d->line));
	if (d->column)
		json_object_set_new(error, "column", json_integer(d->column));
	return error;
}

static void print_notes(const struct machine_config *c)
{
	STRV_FOREACH (note, c->notes)
		log_warning("note: %s", *note);
}

/* {"valid": …, "found": …, "notes": […]} or {"valid": false, "error": {…}} */
static int print_check(const struct context *context, const struct machine_config *c,
		       const struct diag *d)
{
	_cleanup_(json_decrefp) json_t *value =
		c ? json_pack("{s:b, s:b, s:b, s:o}", "valid", 1, "found", c->found,
			      "cache_enabled", c->cache_enabled, "notes", notes_json(c))
		  : json_pack("{s:b, s:o}", "valid", 0, "error", error_json(d));

	return value ? output_value(context, value) : EXIT_FAILED;
}

static int run_check(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(machine_config_freep) struct machine_config *c = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;
	int status = parse_options(context, self, argc, argv, true);

	if (status != COMMAND_OPTIONS_END)
		return status;
	int r = load_config(context, optind < argc ? argv + optind : NULL, &c, &d);
	if (context->output != OUTPUT_TABLE && print_check(context, c, &d) != EXIT_DONE)
		return EXIT_FAILED;
	if (r < 0)
		return command_failed(r, &d);
	print_notes(c);
	if (context->output != OUTPUT_TABLE)
		return EXIT_DONE;
	if (!c->found)
		printf("There is no machine config; the cache is not enabled.\n");
	else
		printf("The machine config is valid; the cache is %s.\n",
		       c->cache_enabled ? "enabled" : "not enabled");
	return EXIT_DONE;
}

static json_t *value_json(const struct config_value *v)
{
	if (v->kind == CONFIG_VALUE_BOOL)
		return json_boolean(strcmp(v->value, "true") == 0);
	if (v->kind == CONFIG_VALUE_NUMBER)
		return json_integer(strtoll(v->value, NULL, 10));
	return json_string(v->value);
}

static json_t *show_json(const struct machine_config *c, const struct config_values *values)
{
	json_t *list = json_array();

	for (size_t i = 0; i < values->n_values; i++) {
		const struct config_value *v = &values->values[i];
		json_t *item = json_pack("{s:s, s:s, s:o}", "document", v->document, "key", v->key,
					 "value", value_json(v));
		if (v->origin.file) {
			json_object_set_new(item, "file", json_string(v->origin.file));
			json_object_set_new(item, "line", json_integer(v->origin.line));
		}
		json_array_append_new(list, item);
	}
	return json_pack("{s:b, s:b, s:o, s:o}", "found", c->found, "cache_enabled",
			 c->cache_enabled, "values", list, "notes", notes_json(c));
}

/* A value of many lines (a certificate, an expression) is cut to its first. */
static json_t *first_line(const char *text)
{
	size_t length = strcspn(text, "\n");
	_cleanup_free_ char *line = NULL;

	if (text[length] == '\0' || text[length + 1] == '\0')
		return json_stringn(text, length);
	if (asprintf(&line, "%.*s …", (int)length, text) < 0)
		return NULL;
	return json_string(line);
}

static json_t *show_rows(const struct config_values *values)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < values->n_values; i++) {
		const struct config_value *v = &values->values[i];
		_cleanup_free_ char *from = NULL;
		if (v->origin.file && asprintf(&from, "%s:%u", v->origin.file, v->origin.line) < 0)
			from = NULL;
		json_array_append_new(rows,
				      json_pack("{s:s, s:s, s:o, s:s}", "document", v->document,
						"key", v->key, "value", first_line(v->value),
						"from", v->origin.file ? from : "default"));
	}
	return rows;
}

static int print_show(const struct context *context, const struct machine_config *c,
		      const struct config_values *values)
{
	static const struct column columns[] = {
		{ "DOCUMENT", "document", false },
		{ "KEY", "key", false },
		{ "VALUE", "value", false },
		{ "FROM", "from", false },
	};
	_cleanup_(json_decrefp) json_t *value = show_json(c, values);
	_cleanup_(json_decrefp) json_t *rows = show_rows(values);

	if (!value || !rows) {
		log_error("out of memory");
		return EXIT_FAILED;
	}
	return output_rows(context, value, rows, columns, ARRAY_SIZE(columns));
}

static int run_show(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(machine_config_freep) struct machine_config *c = NULL;
	_cleanup_config_values_ struct config_values values = { 0 };
	_cleanup_diag_ struct diag d = DIAG_INIT;
	int status = parse_options(context, self, argc, argv, false);

	if (status != COMMAND_OPTIONS_END)
		return status;
	int r = load_config(context, NULL, &c, &d);
	if (r == 0)
		r = machine_config_values(c, &values);
	if (r < 0)
		return command_failed(r, &d);
	print_notes(c);
	return print_show(context, c, &values);
}

const struct command command_config_check = {
	.name = "config check",
	.synopsis = "[FILE…]",
	.summary = "Say whether the machine config, or these files, are valid",
	.run = run_check,
};

const struct command command_config_show = {
	.name = "config show",
	.synopsis = "",
	.summary = "Show the effective machine config, and where each value came from",
	.run = run_show,
};
