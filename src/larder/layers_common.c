/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larder/layers_common.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "boot/status.h"
#include "layers/report.h"

int load_machine_config(const struct context *context, struct machine_config **ret,
			struct diag *diag)
{
	_cleanup_free_ char *cmdline = NULL;

	if (read_file_at(AT_FDCWD, "/proc/cmdline", 65536, &cmdline, NULL) < 0)
		cmdline = NULL;
	const struct config_sources sources = {
		.root = context->config_root,
		.run_dir = context->run_dir,
		.files = (const char *const *)context->config_files,
		.cmdline = context->config_root ? NULL : cmdline,
	};
	return machine_config_load(&sources, ret, diag);
}

struct layers_request layers_request_for(const struct context *context,
					 const struct machine_config *config)
{
	return (struct layers_request){
		.config = config,
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
		return command_usage(self, "too many arguments");
	return -1;
}

static void set_problems(json_t *status, const struct layers_result *result)
{
	status_clear_problems(status, "layers");
	for (size_t i = 0; i < result->n_layers; i++) {
		const struct layer *layer = &result->layers[i];
		_cleanup_free_ char *text = NULL;
		if (layer->state != LAYER_BROKEN && layer->state != LAYER_MISSING)
			continue;
		if (asprintf(&text, "layer %s is %s: %s", layer->manifest.name,
			     layer_state_name(layer->state),
			     layer->reason ? layer->reason : "") < 0)
			continue;
		(void)status_add_problem(status, "layers", text);
	}
	STRV_FOREACH (conflict, result->conflicts)
		(void)status_add_problem(status, "layers", *conflict);
}

void update_status(const struct context *context, const struct layers_result *result)
{
	json_t *status = NULL;

	if (status_read(context->run_dir, &status, NULL) < 0)
		return;
	(void)status_set(status, "layers", report_layers(result));
	(void)status_set(status, "media", report_media(result));
	set_problems(status, result);
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
