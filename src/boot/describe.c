/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot/describe.h"

#include <stdarg.h>
#include <sys/statvfs.h>
#include <syslog.h>

#include "base/events.h"
#include "base/text.h"
#include "boot/status.h"
#include "layers/report.h"

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
	return json_pack("{s:s, s:o, s:b, s:o}", "state", config->found ? "loaded" : "none",
			 "files", strings(config->files), "cache_enabled", config->cache_enabled,
			 "notes", strings(config->notes));
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

void describe_space(json_t *volume, const char *mount_point)
{
	struct statvfs fs;

	if (!volume || !mount_point || statvfs(mount_point, &fs) < 0)
		return;
	json_int_t unit = (json_int_t)fs.f_frsize;
	(void)json_object_set_new(volume, "size", json_integer((json_int_t)fs.f_blocks * unit));
	(void)json_object_set_new(volume, "free", json_integer((json_int_t)fs.f_bavail * unit));
}

json_t *describe_volume(const struct volume_result *volume)
{
	json_t *value = json_pack(
		"{s:s, s:o, s:o, s:o, s:b, s:b, s:b, s:b, s:b, s:o, s:o, s:o}", "phase",
		volume_phase_name(volume->phase), "disk", text_or_null(volume->disk), "device",
		text_or_null(volume->device), "mounted", text_or_null(volume->mount_point),
		"table_written", volume->table_written, "formatted", volume->formatted, "grown",
		volume->grown, "adopted", volume->adopted, "read_only", volume->read_only, "error",
		text_or_null(volume->error), "warning", text_or_null(volume->warning), "disks",
		describe_verdicts(&volume->plan));

	describe_space(value, volume->mount_point);
	return value;
}

/* Somebody who hears of problems, and the status that keeps them. */
struct listener {
	json_t *status;
	tell_fn tell;
	void *userdata;
};

__attribute__((format(printf, 4, 5))) static int
add_problem(const struct listener *l, const char *part, const char *event, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	if (!message)
		return -ENOMEM;
	if (l->tell)
		l->tell(LOG_ERR, event, message, l->userdata);
	return status_add_problem(l->status, part, message);
}

/* Layers that were never wanted are no problem. */
static int judge_layer(const struct listener *l, const struct layer *layer)
{
	if (layer->state != LAYER_BROKEN && layer->state != LAYER_MISSING &&
	    layer->state != LAYER_REFUSED)
		return 0;
	return add_problem(l, "layers", EVENT_LAYER_BROKEN, "layer %s is %s%s%s",
			   layer->path ? layer->path : layer->manifest.name,
			   layer_state_name(layer->state), layer->reason ? ": " : "",
			   layer->reason ? layer->reason : "");
}

static int judge_medium(const struct listener *l, const struct medium *medium)
{
	_cleanup_free_ char *message = NULL;

	if (medium->failed)
		return add_problem(l, "media", EVENT_MEDIUM_FAILED, "medium %s cannot be used: %s",
				   medium->device, medium->reason);
	if (medium->trusted || !l->tell)
		return 0;
	if (asprintf(&message, "medium %s is not used: %s", medium->device, medium->reason) < 0)
		return -ENOMEM;
	l->tell(LOG_NOTICE, EVENT_MEDIUM_UNTRUSTED, message, l->userdata);
	return 0;
}

int status_set_layers(json_t *status, const struct layers_result *result, tell_fn tell,
		      void *userdata)
{
	const struct listener l = { .status = status, .tell = tell, .userdata = userdata };

	status_clear_problems(status, "layers");
	status_clear_problems(status, "media");
	int r = status_set(status, "layers", report_layers(result));
	if (r == 0)
		r = status_set(status, "media", report_media(result));
	if (r == 0)
		r = status_set(status, "generation", json_integer(result->generation));
	for (size_t i = 0; r == 0 && i < result->n_media; i++)
		r = judge_medium(&l, &result->media[i]);
	for (size_t i = 0; r == 0 && i < result->n_layers; i++)
		r = judge_layer(&l, &result->layers[i]);
	for (char **c = result->conflicts; r == 0 && c && *c; c++)
		r = add_problem(&l, "layers", NULL, "%s", *c);
	return r;
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
