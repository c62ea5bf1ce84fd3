/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder images: list, verify. */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "larder/commands.h"
#include "larder/layers_common.h"
#include "larder/load_config.h"
#include "larder/output.h"
#include "larder/progress.h"
#include "layers/images.h"
#include "layers/report.h"

struct session {
	struct machine_config *config;
	struct layers_request request;
	struct layers_result layers;
	struct image_list images;
	struct progress progress;
	struct diag diag;
};

static void session_done(struct session *s)
{
	images_done(&s->images);
	layers_result_done(&s->layers);
	machine_config_freep(&s->config);
	diag_done(&s->diag);
}

static int session_read(struct session *s, const struct context *context)
{
	int r = load_config(context, NULL, &s->config, &s->diag);

	if (r < 0)
		return r;
	s->request = layers_request_for(context, s->config);
	return layers_images(&s->request, NULL, &s->layers, &s->images, &s->diag);
}

static json_t *image_value(const struct image *image)
{
	char digest[DIGEST_STRING_MAX], size[TEXT_SIZE_MAX];

	return json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:o, s:o}", "reference", image->reference,
			 "digest", digest_format(&image->digest, digest), "size",
			 (json_int_t)image->size, "size_text", text_size_iec(image->size, size),
			 "platforms", report_texts(image->platforms), "omitted",
			 report_texts(image->omitted), "missing", report_texts(image->missing),
			 "layer", report_text(image->layer));
}

static json_t *image_values(const struct image_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < list->n_images; i++)
		json_array_append_new(array, image_value(&list->images[i]));
	return array;
}

static int run_list(struct context *context, const struct command *self, int argc, char *argv[])
{
	static const struct column columns[] = {
		{ "REFERENCE", "reference", false }, { "DIGEST", "digest", false },
		{ "SIZE", "size_text", true },	     { "PLATFORMS", "platforms", false },
		{ "LEFT OUT", "omitted", false },    { "LAYER", "layer", false },
	};
	_cleanup_(session_done) struct session s = { 0 };
	int status = parse_simple_arguments(context, self, argc, argv, 0);

	if (status >= 0)
		return status;
	int r = session_read(&s, context);
	if (r < 0)
		return command_failed(r, &s.diag);
	json_auto_t *rows = image_values(&s.images);
	return rows ? output_rows(context, rows, rows, columns, ARRAY_SIZE(columns)) : EXIT_FAILED;
}

/* Of these what is there can be sound, and the whole cannot be had. */
static size_t count_incomplete(const struct image_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n_images; i++)
		n += list->images[i].missing != NULL;
	return n;
}

static int run_verify(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(session_done) struct session s = { 0 };
	_cleanup_strv_ char **broken = NULL;
	int status = parse_simple_arguments(context, self, argc, argv, 0);

	if (status >= 0)
		return status;
	int r = session_read(&s, context);
	if (r == 0) {
		progress_start(&s.progress, "verifying");
		s.request.progress = progress_update;
		s.request.user = &s.progress;
		r = images_verify(&s.request, &s.layers, &broken);
		progress_end(&s.progress);
	}
	if (r < 0)
		return command_failed(r, &s.diag);
	if (context->output != OUTPUT_TABLE) {
		json_auto_t *value = json_pack(
			"{s:I, s:I, s:o}", "images", (json_int_t)s.images.n_images, "incomplete",
			(json_int_t)count_incomplete(&s.images), "broken", report_texts(broken));
		return value ? output_verdict(context, value, !broken) : EXIT_FAILED;
	}
	STRV_FOREACH (line, broken)
		log_error("%s", *line);
	if (broken)
		return EXIT_FAILED;
	printf("%zu image%s verified", s.images.n_images, s.images.n_images == 1 ? "" : "s");
	if (count_incomplete(&s.images))
		printf(", of which %zu incomplete: see \"larder images missing\"",
		       count_incomplete(&s.images));
	putchar('\n');
	return EXIT_DONE;
}

const struct command command_images = {
	.name = "images",
	.synopsis = "[list]",
	.summary = "Show cached images: digest, platforms, size, layer",
	.run = run_list,
};

const struct command command_images_list = {
	.name = "images list",
	.synopsis = "",
	.summary = "The same as \"images\"",
	.run = run_list,
};

const struct command command_images_verify = {
	.name = "images verify",
	.synopsis = "",
	.summary = "Hash everything that is cached, and name what is broken",
	.run = run_verify,
};
