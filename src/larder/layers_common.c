/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder/layers_common.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "boot/describe.h"
#include "boot/status.h"

struct layers_request layers_request_for(const struct context *context,
					 const struct machine_config *config)
{
	return (struct layers_request){
		.config = config,
		.config_root = context->config_root,
		.root = context->root,
		.run_dir = context->run_dir,
	};
}

int parse_simple_arguments(struct context *context, const struct command *self, int argc,
			   char *argv[], int max_arguments)
{
	for (int o; (o = command_next_option(context, self, argc, argv)) != COMMAND_OPTIONS_END;)
		return o == COMMAND_DONE ? EXIT_DONE : EXIT_USAGE;
	if (argc - optind > max_arguments)
		return command_usage(self, "\"%s\" is one argument too many",
				     argv[optind + max_arguments]);
	return -1;
}

void update_status(const struct context *context, const struct layers_result *result,
		   const char *problem)
{
	json_t *status = NULL;

	if (status_read(context->run_dir, &status, NULL) < 0)
		return;
	(void)status_set_layers(status, result, NULL, NULL);
	if (problem)
		(void)status_add_problem(status, "layers", problem);
	(void)status_write(status, context->run_dir, NULL);
	json_decref(status);
}

void forget_in_status(const struct context *context, char *const *deleted)
{
	json_t *status = NULL;

	if (!deleted || status_read(context->run_dir, &status, NULL) < 0)
		return;
	json_t *layers = json_object_get(status, "layers");
	for (size_t i = json_array_size(layers); i-- > 0;) {
		const json_t *path = json_object_get(json_array_get(layers, i), "path");
		if (json_is_string(path) && strv_contains(deleted, json_string_value(path)))
			(void)json_array_remove(layers, i);
	}
	(void)status_write(status, context->run_dir, NULL);
	json_decref(status);
}

void print_notes(const struct layers_result *result)
{
	STRV_FOREACH (conflict, result->conflicts)
		log_warning("%s", *conflict);
	STRV_FOREACH (note, result->notes)
		log_warning("%s", *note);
}

static bool same_namespace_as_init(void)
{
	struct stat ours, init;

	/* Who may not look at PID 1 may not mount either, and is told so by the mount. */
	return stat("/proc/self/ns/mnt", &ours) < 0 || stat("/proc/1/ns/mnt", &init) < 0 ||
	       (ours.st_ino == init.st_ino && ours.st_dev == init.st_dev);
}

int refuse_other_namespace(void)
{
	if (access("/run/systemd/system", F_OK) < 0 || same_namespace_as_init())
		return -1;
	log_error("this is another mount namespace than that of PID 1, where larderd would not see "
		  "what is mounted; call it from there (nsenter --target 1 --mount)");
	return EXIT_FAILED;
}
