/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot/describe.h"

/* A list of strings; those that are no UTF-8 (a path may be anything) are left out. */
static json_t *strings(char *const *list)
{
	json_t *array = json_array();

	for (; array && list && *list; list++)
		(void)json_array_append_new(array, json_string(*list));
	return array;
}

/* json_pack's "s?": null where there is nothing, and where the text is no UTF-8. */
static json_t *text_or_null(const char *text)
{
	json_t *value = text ? json_string(text) : NULL;

	return value ? value : json_null();
}

json_t *describe_config(const struct machine_config *config)
{
	if (!config)
		return json_pack("{s:s}", "state", "invalid");
	return json_pack("{s:s, s:b, s:o}", "state", config->found ? "loaded" : "none",
			 "cache_enabled", config->cache_enabled, "notes", strings(config->notes));
}

static json_t *describe_verdicts(const struct volume_plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < plan->n_verdicts; i++) {
		const struct volume_verdict *v = &plan->verdicts[i];
		json_t *verdict =
			json_pack("{s:o, s:b, s:b, s:o}", "disk", text_or_null(v->disk), "matched",
				  v->matched, "taken", v->taken, "reason", text_or_null(v->reason));
		(void)json_array_append_new(array, verdict);
	}
	return array;
}

json_t *describe_volume(const struct volume_result *volume)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:b, s:b, s:b, s:o, s:o}", "phase",
			 volume_phase_name(volume->phase), "disk", text_or_null(volume->disk),
			 "device", text_or_null(volume->device), "mounted",
			 text_or_null(volume->mount_point), "table_written", volume->table_written,
			 "formatted", volume->formatted, "adopted", volume->adopted, "error",
			 text_or_null(volume->error), "disks", describe_verdicts(&volume->plan));
}

static json_t *describe_layer(const struct layer *layer)
{
	const struct layer_manifest *m = &layer->manifest;
	_cleanup_free_ char *title = NULL;

	if (asprintf(&title, "%s%s%s", m->name ? m->name : layer->path, m->version ? " " : "",
		     m->version ? m->version : "") < 0)
		return NULL;
	return json_pack("{s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:I, s:I, s:o}", "title",
			 text_or_null(title), "name", text_or_null(m->name), "version",
			 text_or_null(m->version), "state", layer_state_name(layer->state),
			 "origin", layer_origin_name(layer->origin), "path",
			 text_or_null(layer->path), "mount", text_or_null(layer->mount), "size",
			 (json_int_t)layer->size, "images", (json_int_t)m->n_images, "detail",
			 text_or_null(layer->reason ? layer->reason : layer->path));
}

json_t *describe_layers(const struct layers_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < result->n_layers; i++)
		(void)json_array_append_new(array, describe_layer(&result->layers[i]));
	return array;
}

static json_t *describe_medium(const struct medium *medium)
{
	const char *state = !medium->trusted ? "untrusted" : medium->reason ? "failed" : "used";

	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o}", "device", text_or_null(medium->device),
			 "label", text_or_null(medium->label), "filesystem",
			 text_or_null(medium->fstype), "state", state, "mount",
			 text_or_null(medium->mount), "detail",
			 text_or_null(medium->reason ? medium->reason : medium->label));
}

json_t *describe_media(const struct layers_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < result->n_media; i++)
		(void)json_array_append_new(array, describe_medium(&result->media[i]));
	return array;
}

json_t *describe_runtimes(const struct runtime_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < result->n_reports; i++) {
		const struct runtime_report *report = &result->reports[i];
		const char *detail = report->message ? report->message
				     : report->hints ? report->hints[0]
						     : NULL;
		if (report->state == RUNTIME_ABSENT)
			continue;
		json_t *item = json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", report->name, "state",
					 runtime_state_name(report->state), "files",
					 strings(report->files), "hints", strings(report->hints),
					 "detail", text_or_null(detail));
		(void)json_array_append_new(array, item);
	}
	return array;
}
