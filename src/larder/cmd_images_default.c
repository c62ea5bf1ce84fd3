/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder images default: what this machine needs to start, as a list that "larder build --images -" reads. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "larder/commands.h"
#include "larder/needs_common.h"
#include "larder/output.h"

static int print_list(const struct needs *needs)
{
	for (size_t i = 0; i < needs->n_needs; i++)
		if (i == 0 || strcmp(needs->needs[i].reference, needs->needs[i - 1].reference) != 0)
			puts(needs->needs[i].reference);
	return EXIT_DONE;
}

/* One row for each that needs an image. */
static int print_table(const struct needs *needs)
{
	static const struct column columns[] = {
		{ "REFERENCE", "reference", false },
		{ "NEEDED BY", "who", false },
		{ "FILE", "file", false },
	};
	json_auto_t *rows = json_array();

	for (size_t i = 0; i < needs->n_needs; i++) {
		const struct need *need = &needs->needs[i];
		json_array_append_new(
			rows, json_pack("{s:s, s:o*, s:o*}", "reference", need->reference, "who",
					json_string(need->who), "file", json_string(need->file)));
	}
	return rows ? output_table(rows, columns, ARRAY_SIZE(columns)) : EXIT_FAILED;
}

static int print_value(const struct context *context, const struct needs *needs)
{
	json_auto_t *value = json_array();

	for (size_t i = 0; value && i < needs->n_needs;) {
		const char *reference = needs->needs[i].reference;
		json_t *by = needs_json(needs, i, &i);
		json_array_append_new(
			value, json_pack("{s:s, s:o}", "reference", reference, "needed_by", by));
	}
	return value ? output_value(context, value) : EXIT_FAILED;
}

static int run_default(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_needs_ struct needs needs = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	struct needs_options options;
	int status = needs_parse_options(context, self, argc, argv, &options);

	if (status != COMMAND_OPTIONS_END)
		return status;
	int r = needs_read_noted(&options, &needs, &diag);
	if (r < 0)
		return command_failed(r, &diag);
	if (context->output != OUTPUT_TABLE)
		return print_value(context, &needs);
	if (needs.n_needs == 0)
		log_notice("nothing on this machine names an image that it needs to start");
	return context->verbose ? print_table(&needs) : print_list(&needs);
}

const struct command command_images_default = {
	.name = "images default",
	.synopsis = "[--run-in-root] [--kubeadm-config FILE]",
	.summary = "List the images that this machine needs to start, for \"larder build\"",
	.options = needs_command_options,
	.run = run_default,
};
