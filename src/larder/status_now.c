/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder/status_now.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "larder/registry_client.h"
#include "layers/layers.h"

static const char *string_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/*
 * Adds up the samples of a metric over its labels (Prometheus text format 0.0.4). false: there is none, or it is no number that a
 * counter has.
 */
static bool sum_metric(const char *text, const char *name, json_int_t *ret)
{
	size_t length = strlen(name);
	json_int_t sum = 0;
	bool any = false;

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *after = line + length;
		if (strncmp(line, name, length) != 0 || (*after != ' ' && *after != '{'))
			continue;
		after += strcspn(after, " \n");
		char *end;
		errno = 0;
		long long value = strtoll(after, &end, 10);
		if (errno || end == after || (*end != '\n' && *end) || value < 0 ||
		    __builtin_add_overflow(sum, value, &sum))
			return false;
		any = true;
	}
	*ret = sum;
	return any;
}

static void add_numbers(json_t *registry)
{
	static const struct {
		const char *key, *metric;
	} numbers[] = {
		{ "hits", "larder_cache_hits_total" },
		{ "misses", "larder_cache_misses_total" },
		{ "images", "larder_store_images" },
		{ "corrupt", "larder_verification_failures_total" },
	};
	_cleanup_free_ char *text = NULL;
	json_int_t value;
	int code;

	if (registry_get("/metrics", &code, &text, NULL) < 0 || code != 200)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		bool found = sum_metric(text, numbers[i].metric, &value);
		/* A registry that nobody asked yet has no registries to count by. */
		if (!found && strcmp(numbers[i].key, "hits") != 0)
			continue;
		(void)json_object_set_new(registry, numbers[i].key,
					  json_integer(found ? value : 0));
	}
}

json_t *status_registry(void)
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_free_ char *body = NULL;
	int code = 0;

	if (registry_get("/readyz", &code, &body, &diag) < 0)
		return json_pack("{s:s, s:s, s:s}", "address", REGISTRY_ADDRESS, "state", "down",
				 "detail", diag.message ? diag.message : "out of memory");
	body[strcspn(body, "\r\n")] = '\0';
	json_t *registry = json_pack("{s:s, s:s, s:s}", "address", REGISTRY_ADDRESS, "state",
				     code == 200 ? "ready" : "not ready", "detail",
				     text_is_utf8(body, strlen(body)) ? body : "");
	if (registry)
		add_numbers(registry);
	return registry;
}

static bool is_on_medium(const json_t *layer)
{
	return strcmp(string_at(layer, "state"), "active") == 0 &&
	       strcmp(string_at(layer, "origin"), "medium") == 0;
}

json_t *status_copy(const json_t *status)
{
	const json_t *volume = json_object_get(status, "volume");
	json_t *pending = json_array(), *layer;
	size_t i;

	json_array_foreach (json_object_get(status, "layers"), i, layer)
		if (is_on_medium(layer))
			(void)json_array_append(pending, json_object_get(layer, "name"));
	return json_pack("{s:s, s:o}", "state",
			 !*string_at(volume, "mounted")	 ? "no volume"
			 : json_array_size(pending) == 0 ? "complete"
							 : "pending",
			 "pending", pending);
}

#define NO_IMAGE_ADVICE                                                                             \
	"the registry has no image yet: add a layer (\"larder layers add\"), or attach the medium " \
	"that has one"

static void advise(json_t *list, const char *sentence)
{
	(void)json_array_append_new(list, json_string(sentence));
}

/* By the part that a problem is of. */
static void advise_on_problems(json_t *list, const json_t *status)
{
	const json_t *problems = json_object_get(status, "problems");
	bool any_layer = json_array_size(json_object_get(status, "layers")) > 0;
	static const struct {
		const char *part, *sentence;
	} parts[] = {
		{ "config", "mend the machine config (\"larder config check\" says where), then "
			    "\"systemctl restart larder-boot.service\"" },
		{ "disks", "see what \"larder disks\" finds" },
		{ "volume", "see what would be done, and on which disk, with \"larder volume "
			    "plan\"; which disks match, with \"larder disks --match EXPR\"" },
		{ "media", "see why with \"larder layers\"; take the medium out, or mend it" },
		{ "layers", "see which and why with \"larder layers check\"; \"larder layers "
			    "verify\" names what is corrupt" },
		{ "runtimes",
		  "see which files and why with \"larder runtime status\", mend them, then \"larder "
		  "runtime configure\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t k;
		json_t *problem;
		json_array_foreach (problems, k, problem) {
			if (strcmp(string_at(problem, "part"), parts[i].part) != 0)
				continue;
			bool empty = strcmp(parts[i].part, "layers") == 0 && !any_layer;
			advise(list, empty ? NO_IMAGE_ADVICE : parts[i].sentence);
			break;
		}
	}
}

/* Layers that are still read from media: copied by the next sync, if there is room. */
static void advise_on_copy(json_t *list, const json_t *status)
{
	const json_t *free = json_object_get(json_object_get(status, "volume"), "free"), *layer;
	char need[TEXT_SIZE_MAX], have[TEXT_SIZE_MAX], sentence[512];
	json_int_t needed = 0;
	size_t i;

	json_array_foreach (json_object_get(status, "layers"), i, layer)
		if (is_on_medium(layer) &&
		    __builtin_add_overflow(
			    needed, json_integer_value(json_object_get(layer, "size")), &needed))
			return;
	if (!free || needed <= json_integer_value(free)) {
		advise(list, "layers are still read from media: leave those in until "
			     "\"larder layers sync\" has copied them");
		return;
	}
	snprintf(
		sentence, sizeof(sentence),
		"the volume has %s free for layers of %s that are still read from media: " LAYERS_MAKE_ROOM,
		text_size_iec((uint64_t)json_integer_value(free), have),
		text_size_iec((uint64_t)needed, need));
	advise(list, sentence);
}

json_t *status_advice(const json_t *status)
{
	const json_t *registry = json_object_get(status, "registry");
	const json_t *config = json_object_get(status, "config");
	const char *state = string_at(status, "state"), *answers = string_at(registry, "state");
	json_t *list = json_array();

	if (strcmp(state, "disabled") == 0) {
		advise(list, strcmp(string_at(config, "state"), "none") == 0
				     ? "there is no machine config: write /etc/larder/machine.yaml "
				       "(larder-machine.yaml(5))"
				     : "the machine config does not enable the cache: set "
				       "machine.features.imageCache.localEnabled, or local.enabled "
				       "of ImageCacheConfig");
		return list;
	}
	advise_on_problems(list, status);
	if (strcmp(answers, "down") == 0)
		advise(list, "nothing answers for the registry: \"systemctl status larder.socket "
			     "larderd.service\" says why");
	else if (strcmp(answers, "not ready") == 0 && json_array_size(list) == 0)
		advise(list, NO_IMAGE_ADVICE);
	if (json_integer_value(json_object_get(registry, "corrupt")) > 0)
		advise(list, "content was found corrupt and is not served: \"larder images "
			     "verify\" names it");
	if (strcmp(string_at(json_object_get(status, "copy"), "state"), "pending") == 0)
		advise_on_copy(list, status);
	return list;
}
