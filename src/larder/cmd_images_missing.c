/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder images missing: what of cached images is not there, and what this machine needs to start and the cache has not. */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "larder/commands.h"
#include "larder/layers_common.h"
#include "larder/load_config.h"
#include "larder/needs_common.h"
#include "larder/output.h"
#include "layers/images.h"

struct session {
	struct machine_config *config;
	struct layers_result layers;
	struct image_list images;
	struct needs needs;
	json_t *rows;
	struct diag diag;
};

static void session_done(struct session *s)
{
	needs_done(&s->needs);
	images_done(&s->images);
	layers_result_done(&s->layers);
	machine_config_freep(&s->config);
	json_decref(s->rows);
	diag_done(&s->diag);
}

static int session_read(struct session *s, const struct context *context,
			const struct needs_options *options)
{
	_cleanup_strv_ char **asked = NULL;
	int r = load_config(context, NULL, &s->config, &s->diag);

	if (r == 0)
		r = needs_read_noted(options, &s->needs, &s->diag);
	for (size_t i = 0; r == 0 && i < s->needs.n_needs; i++)
		r = strv_add(&asked, s->needs.needs[i].reference);
	if (r < 0)
		return r;
	struct layers_request request = layers_request_for(context, s->config);
	return layers_images(&request, asked, &s->layers, &s->images, &s->diag);
}

/* Takes missing and needed_by. */
static int add_row(struct session *s, const char *reference, const char *state, const char *layer,
		   json_t *missing, json_t *needed_by)
{
	json_t *row = json_pack("{s:s, s:s, s:s?, s:o, s:o}", "reference", reference, "state",
				state, "layer", layer, "missing", missing, "needed_by", needed_by);

	return json_array_append_new(s->rows, row) < 0 ? -ENOMEM : 0;
}

static json_t *text_list(char *const *texts)
{
	json_t *array = json_array();

	for (; array && texts && *texts; texts++)
		json_array_append_new(array, json_string(*texts));
	return array;
}

/* Who needs a cached image: [] if nobody does. */
static json_t *who_needs(const struct needs *needs, const char *reference)
{
	for (size_t i = 0, next; i < needs->n_needs; i++)
		if (strcmp(needs->needs[i].reference, reference) == 0)
			return needs_json(needs, i, &next);
	return json_array();
}

static int add_incomplete(struct session *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->images.n_images; i++) {
		const struct image *image = &s->images.images[i];
		if (image->missing)
			r = add_row(s, image->reference, "incomplete", image->layer,
				    text_list(image->missing),
				    who_needs(&s->needs, image->reference));
	}
	return r;
}

static int add_uncached(struct session *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->needs.n_needs;) {
		const char *reference = s->needs.needs[i].reference;
		json_t *by = needs_json(&s->needs, i, &i);
		if (images_have(&s->images, reference))
			json_decref(by);
		else
			r = add_row(s, reference, "not cached", NULL, json_array(), by);
	}
	return r;
}

/* The names of those who need it, for the table. */
static int add_who(json_t *rows)
{
	json_t *row, *by;
	size_t i, k;

	json_array_foreach (rows, i, row) {
		json_t *names = json_array();
		json_array_foreach (json_object_get(row, "needed_by"), k, by)
			json_array_append(names, json_object_get(by, "who"));
		if (json_object_set_new(row, "who", names) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int print_rows(const struct context *context, const struct needs *needs, json_t *rows)
{
	static const struct column columns[] = {
		{ "REFERENCE", "reference", false }, { "STATE", "state", false },
		{ "LAYER", "layer", false },	     { "NOT THERE", "missing", false },
		{ "NEEDED BY", "who", false },
	};

	if (context->output != OUTPUT_TABLE)
		return output_value(context, rows);
	if (json_array_size(rows) == 0) {
		puts(needs->notes ? "nothing is known to be missing; what cannot be told is in the "
				    "notes above"
				  : "nothing is missing");
		return EXIT_DONE;
	}
	return add_who(rows) == 0 ? output_table(rows, columns, ARRAY_SIZE(columns)) : EXIT_FAILED;
}

static int run_missing(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(session_done) struct session s = { .rows = json_array() };
	struct needs_options options;
	int status = needs_parse_options(context, self, argc, argv, &options);

	if (status != COMMAND_OPTIONS_END)
		return status;
	int r = session_read(&s, context, &options);
	if (r == 0)
		r = add_incomplete(&s);
	if (r == 0)
		r = add_uncached(&s);
	if (r < 0)
		return command_failed(r, &s.diag);
	status = print_rows(context, &s.needs, s.rows);
	return status == EXIT_DONE && json_array_size(s.rows) > 0 ? EXIT_FAILED : status;
}

const struct command command_images_missing = {
	.name = "images missing",
	.synopsis = "[--run-in-root] [--kubeadm-config FILE]",
	.summary = "Show what is not wholly cached, and what is needed and not cached at all",
	.options = needs_command_options,
	.run = run_missing,
};
