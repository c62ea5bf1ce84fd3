/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder layers: list, check, sync, add, prune, verify. */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "larder/commands.h"
#include "larder/layers_common.h"
#include "larder/load_config.h"
#include "larder/output.h"
#include "larder/progress.h"
#include "layers/report.h"

/* Owned by the caller; NULL: out of memory. */
static char *short_reason(const struct layer *layer)
{
	char *text;

	if (layer->reason)
		return strdup(layer->reason);
	if (layer->mount && layer->root_hash)
		return asprintf(&text, "%s (dm-verity)", layer->mount) < 0 ? NULL : text;
	return strdup(layer->mount ? layer->mount : layer->path ? layer->path : "");
}

static bool is_in_use(const struct layer *layer)
{
	return layer->state != LAYER_ACTIVE || layer->mount || layer->link;
}

/* In words: a layer that is to be active may not be so yet, or not as its file is now. */
static const char *state_in_words(const struct layer *layer)
{
	if (is_in_use(layer))
		return layer_state_name(layer->state);
	return layer->changed ? "changed" : "not in use";
}

/* One row a layer; what the table shows is words, what JSON shows is values. */
static json_t *table_rows(const struct layers_result *result)
{
	json_t *rows = json_array();

	for (size_t i = 0; rows && i < result->n_layers; i++) {
		const struct layer *layer = &result->layers[i];
		_cleanup_free_ char *where = short_reason(layer);
		char size[TEXT_SIZE_MAX];
		text_size_iec(layer->size, size);
		json_array_append_new(
			rows, json_pack("{s:o, s:o, s:s, s:s, s:s, s:I, s:o}", "layer",
					report_text(layer->manifest.name), "version",
					report_text(layer->manifest.version), "state",
					state_in_words(layer), "from",
					layer->path ? layer_origin_name(layer->origin) : "-",
					"size", layer->size ? size : "-", "images",
					(json_int_t)layer->manifest.n_images, "where",
					report_text(where)));
	}
	return rows;
}

static json_t *media_rows(const struct layers_result *result)
{
	json_t *rows = json_array();

	for (size_t i = 0; rows && i < result->n_media; i++) {
		const struct medium *m = &result->media[i];
		json_array_append_new(
			rows, json_pack("{s:s, s:o, s:s, s:o}", "medium", m->device, "label",
					report_text(m->label), "filesystem", m->fstype, "where",
					report_text(m->mount ? m->mount : m->reason)));
	}
	return rows;
}

static int print_result(const struct context *context, const struct layers_result *result)
{
	static const struct column columns[] = {
		{ "LAYER", "layer", false },	    { "VERSION", "version", false },
		{ "STATE", "state", false },	    { "FROM", "from", false },
		{ "SIZE", "size", true },	    { "IMAGES", "images", true },
		{ "WHERE OR WHY", "where", false },
	};
	static const struct column media_columns[] = {
		{ "MEDIUM", "medium", false },
		{ "LABEL", "label", false },
		{ "FILESYSTEM", "filesystem", false },
		{ "WHERE OR WHY", "where", false },
	};

	if (context->output != OUTPUT_TABLE) {
		json_auto_t *value = report_result(result);
		return value ? output_value(context, value) : EXIT_FAILED;
	}
	json_auto_t *rows = table_rows(result), *media = media_rows(result);
	int status = output_table(rows, columns, ARRAY_SIZE(columns));
	if (status == EXIT_DONE && json_array_size(media) > 0) {
		putchar('\n');
		status = output_table(media, media_columns, ARRAY_SIZE(media_columns));
	}
	print_notes(result);
	return status;
}

/* What every command here begins with. */
struct session {
	struct machine_config *config;
	struct layers_request request;
	struct layers_result result;
	struct progress progress;
	struct diag diag;
};

static void session_done(struct session *s)
{
	layers_result_done(&s->result);
	machine_config_freep(&s->config);
	diag_done(&s->diag);
}

/* verb: what progress says; NULL: none is shown. */
static int session_start(struct session *s, const struct context *context, const char *verb)
{
	int r = load_config(context, NULL, &s->config, &s->diag);

	if (r < 0)
		return r;
	s->request = layers_request_for(context, s->config);
	if (verb) {
		progress_start(&s->progress, verb);
		s->request.progress = progress_update;
		s->request.user = &s->progress;
	}
	return 0;
}

static int run_list(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(session_done) struct session s = { 0 };
	int status = parse_simple_arguments(context, self, argc, argv, 0);

	if (status >= 0)
		return status;
	int r = session_start(&s, context, NULL);
	if (r == 0)
		r = layers_inspect(&s.request, &s.result, &s.diag);
	return r < 0 ? command_failed(r, &s.diag) : print_result(context, &s.result);
}

/* Drift: what is configured is not active, or what is there is not used as it should be. */
static bool is_drift(const struct layer *layer)
{
	return layer->state == LAYER_MISSING || layer->state == LAYER_BROKEN ||
	       layer->state == LAYER_NOT_CONFIGURED || layer->state == LAYER_REFUSED ||
	       layer->state == LAYER_GONE || !is_in_use(layer);
}

/* Says what is the matter with each layer that is so; were there any? */
static bool print_which(const struct layers_result *result, bool (*is_so)(const struct layer *))
{
	bool any = false;

	for (size_t i = 0; i < result->n_layers; i++) {
		const struct layer *layer = &result->layers[i];
		if (!is_so(layer))
			continue;
		any = true;
		log_error("%s%s%s: %s: %s", layer->manifest.name,
			  layer->manifest.version ? " " : "",
			  layer->manifest.version ? layer->manifest.version : "",
			  state_in_words(layer),
			  layer->reason ? layer->reason
			  : layer->path ? layer->path
					: "");
	}
	return any;
}

static int print_drift(const struct layers_result *result)
{
	bool any = print_which(result, is_drift);

	return any || strv_length(result->conflicts) ? EXIT_FAILED : EXIT_DONE;
}

/* What a sync must not drop in silence. */
static bool is_useless(const struct layer *layer)
{
	return layer->state == LAYER_MISSING || layer->state == LAYER_BROKEN ||
	       layer->state == LAYER_REFUSED;
}

static int output_drift(const struct context *context, const struct layers_result *result)
{
	json_t *layers = report_chosen(result, is_drift);
	bool drift = json_array_size(layers) > 0 || strv_length(result->conflicts) > 0;
	json_auto_t *value = json_pack("{s:b, s:o, s:o, s:o}", "drift", (int)drift, "layers",
				       layers, "conflicts", report_texts(result->conflicts),
				       "notes", report_texts(result->notes));

	return value ? output_verdict(context, value, !drift) : EXIT_FAILED;
}

static int run_check(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(session_done) struct session s = { 0 };
	int status = parse_simple_arguments(context, self, argc, argv, 0);

	if (status >= 0)
		return status;
	int r = session_start(&s, context, NULL);
	if (r == 0)
		r = layers_inspect(&s.request, &s.result, &s.diag);
	if (r < 0)
		return command_failed(r, &s.diag);
	if (context->output != OUTPUT_TABLE)
		return output_drift(context, &s.result);
	print_notes(&s.result);
	status = print_drift(&s.result);
	if (status == EXIT_DONE)
		printf("every configured layer is active, and nothing else\n");
	return status;
}

/* "2 layers", "1 image". */
static const char *counted(unsigned n, const char *what, char buffer[static 32])
{
	snprintf(buffer, 32, "%u %s%s", n, what, n == 1 ? "" : "s");
	return buffer;
}

static int show_sync(const struct context *context, const struct layers_result *result)
{
	char layers[32], images[32];

	if (context->output != OUTPUT_TABLE)
		return print_result(context, result);
	print_notes(result);
	counted(result->copied, "layer", layers);
	counted(result->copied_images, "image", images);
	if (result->copied && result->copied_images)
		printf("%s and %s copied to the volume", layers, images);
	else if (result->copied || result->copied_images)
		printf("%s copied to the volume", result->copied ? layers : images);
	else
		printf("nothing to copy");
	if (result->generation)
		printf("; generation %u is served\n", result->generation);
	else
		printf("; no layer is active\n");
	fflush(stdout);
	(void)print_which(result, is_useless);
	return EXIT_DONE;
}

static int run_sync(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(session_done) struct session s = { 0 };
	int status = parse_simple_arguments(context, self, argc, argv, 0);

	if (status >= 0 || (status = refuse_other_namespace()) >= 0)
		return status;
	int r = session_start(&s, context, "copying");
	if (r == 0)
		r = layers_sync(&s.request, &s.result, &s.diag);
	progress_end(&s.progress);
	if (s.result.n_layers)
		update_status(context, &s.result, r < 0 ? diag_text(&s.diag) : NULL);
	if (r < 0) {
		/* What was done all the same: as values where they were asked for, as words always. */
		if (context->output != OUTPUT_TABLE && s.result.n_layers)
			(void)print_result(context, &s.result);
		print_notes(&s.result);
		return command_failed(r, &s.diag);
	}
	return show_sync(context, &s.result);
}

/* What became of a file that was added. */
static void print_added(const struct layers_result *result, const char *file)
{
	const char *slash = strrchr(file, '/');

	for (size_t i = 0; i < result->n_layers; i++) {
		const struct layer *layer = &result->layers[i];
		const char *name = layer->path ? strrchr(layer->path, '/') : NULL;
		if (!name || layer->origin != LAYER_ON_VOLUME ||
		    strcmp(name + 1, slash ? slash + 1 : file) != 0)
			continue;
		printf("%s %s is %s%s%s\n", layer->manifest.name,
		       layer->manifest.version ? layer->manifest.version : "",
		       layer_state_name(layer->state), layer->reason ? ": " : "",
		       layer->reason ? layer->reason : "");
	}
}

static int run_add(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(session_done) struct session s = { 0 };
	int status = parse_simple_arguments(context, self, argc, argv, LAYERS_MAX);

	if (status >= 0 || (status = refuse_other_namespace()) >= 0)
		return status;
	if (optind == argc)
		return command_usage(self, "which file? LAYER.sqsh is needed");
	int r = session_start(&s, context, "copying");
	if (r == 0)
		r = layers_add_files(&s.request, argv + optind, &s.result, &s.diag);
	progress_end(&s.progress);
	if (s.result.n_layers)
		update_status(context, &s.result, NULL);
	if (r == 0 && context->output != OUTPUT_TABLE)
		return print_result(context, &s.result);
	/* Files before one that failed are in use. */
	if (context->output != OUTPUT_TABLE && s.result.n_layers)
		(void)print_result(context, &s.result);
	print_notes(&s.result);
	for (unsigned i = 0; context->output == OUTPUT_TABLE && i < s.result.copied; i++)
		print_added(&s.result, argv[optind + (int)i]);
	fflush(stdout);
	return r < 0 ? command_failed(r, &s.diag) : EXIT_DONE;
}

static int run_prune(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(session_done) struct session s = { 0 };
	int status = parse_simple_arguments(context, self, argc, argv, 0);

	if (status >= 0)
		return status;
	int r = session_start(&s, context, NULL);
	if (r == 0)
		r = layers_prune(&s.request, &s.result, &s.diag);
	if (r < 0)
		return command_failed(r, &s.diag);
	forget_in_status(context, s.result.deleted);
	if (context->output != OUTPUT_TABLE)
		return print_result(context, &s.result);
	if (!s.result.deleted)
		printf("nothing to prune\n");
	STRV_FOREACH (note, s.result.notes)
		printf("%s\n", *note);
	return EXIT_DONE;
}

/* What is served and has no file any more cannot be vouched for, either. */
static bool is_broken(const struct layer *layer)
{
	return layer->state == LAYER_BROKEN || layer->state == LAYER_GONE;
}

static int output_verified(const struct context *context, const struct layers_result *result,
			   size_t whole)
{
	json_t *broken = report_chosen(result, is_broken);
	bool good = json_array_size(broken) == 0;
	json_auto_t *value = json_pack("{s:I, s:o}", "whole", (json_int_t)whole, "broken", broken);

	return value ? output_verdict(context, value, good) : EXIT_FAILED;
}

static int run_verify(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(session_done) struct session s = { 0 };
	size_t whole = 0;
	int status = parse_simple_arguments(context, self, argc, argv, LAYERS_MAX);

	if (status >= 0)
		return status;
	int r = session_start(&s, context, "verifying");
	if (r == 0)
		r = layers_verify(&s.request, argv + optind, &s.result, &s.diag);
	progress_end(&s.progress);
	if (r < 0)
		return command_failed(r, &s.diag);
	for (size_t i = 0; i < s.result.n_layers; i++)
		whole += !is_broken(&s.result.layers[i]) && s.result.layers[i].path;
	if (context->output != OUTPUT_TABLE)
		return output_verified(context, &s.result, whole);
	for (size_t i = 0; i < s.result.n_layers; i++) {
		const struct layer *layer = &s.result.layers[i];
		if (!is_broken(layer))
			continue;
		log_error("%s: %s", layer->path ? layer->path : layer->manifest.name,
			  layer->reason ? layer->reason : "broken");
		status = EXIT_FAILED;
	}
	printf("%zu layer%s whole\n", whole, whole == 1 ? " is" : "s are");
	return status < 0 ? EXIT_DONE : status;
}

const struct command command_layers = {
	.name = "layers",
	.synopsis = "[list]",
	.summary = "Show cache layers, active and not, and why",
	.run = run_list,
};

const struct command command_layers_list = {
	.name = "layers list",
	.synopsis = "",
	.summary = "The same as \"layers\"",
	.run = run_list,
};

const struct command command_layers_check = {
	.name = "layers check",
	.synopsis = "",
	.summary = "Exit with 1 if configured layers and active ones differ",
	.run = run_check,
};

const struct command command_layers_sync = {
	.name = "layers sync",
	.synopsis = "",
	.summary = "Copy layers from media to the volume, and release the media",
	.run = run_sync,
};

const struct command command_layers_add = {
	.name = "layers add",
	.synopsis = "FILE…",
	.summary = "Copy layers to the volume, checked, and use them at once",
	.run = run_add,
};

const struct command command_layers_prune = {
	.name = "layers prune",
	.synopsis = "",
	.summary = "Delete superseded layers beyond those that are kept",
	.run = run_prune,
};

const struct command command_layers_verify = {
	.name = "layers verify",
	.synopsis = "[NAME…]",
	.summary = "Hash everything in layers, and name what is broken",
	.run = run_verify,
};
