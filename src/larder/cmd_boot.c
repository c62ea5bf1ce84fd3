/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder boot, larder stop: the pipeline from the command line. */
#include <string.h>

#include "base/log.h"
#include "boot/boot.h"
#include "larder/commands.h"

enum {
	OPT_STRICT = 256,
	OPT_NO_RUNTIMES,
};

static void report(int level, const char *event, const char *message)
{
	log_at(level, event, "%s", message);
}

static struct boot_options boot_options_of(const struct context *context)
{
	return (struct boot_options){
		.root = context->root,
		.config_root = context->config_root,
		.run_dir = context->run_dir,
		.config_files = (const char *const *)context->config_files,
		.runtimes = true,
		.wait = true,
		.report = report,
	};
}

static int run_boot(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	json_auto_t *status = NULL;
	bool strict = false, runtimes = true;

	for (int o; (o = command_next_option(context, self, argc, argv)) != COMMAND_OPTIONS_END;) {
		if (o != OPT_STRICT && o != OPT_NO_RUNTIMES)
			return o == COMMAND_DONE ? EXIT_DONE : EXIT_USAGE;
		strict = strict || o == OPT_STRICT;
		runtimes = runtimes && o != OPT_NO_RUNTIMES;
	}
	if (optind < argc)
		return command_usage(self, "\"%s\" is one argument too many", argv[optind]);
	struct boot_options options = boot_options_of(context);
	options.runtimes = runtimes;
	int r = boot_run(&options, &status, &diag);
	if (r < 0)
		return command_failed(r, &diag);
	bool degraded = json_array_size(json_object_get(status, "problems")) > 0;
	return strict && degraded ? EXIT_FAILED : EXIT_DONE;
}

static int run_stop(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	int o = command_next_option(context, self, argc, argv);
	if (o != COMMAND_OPTIONS_END)
		return o == COMMAND_DONE ? EXIT_DONE : EXIT_USAGE;
	if (optind < argc)
		return command_usage(self, "\"%s\" is one argument too many", argv[optind]);
	struct boot_options options = boot_options_of(context);
	int r = boot_stop(&options, &diag);
	return r < 0 ? command_failed(r, &diag) : EXIT_DONE;
}

static const struct command_option boot_command_options[] = {
	{ "strict", NULL, "exit status 1 when any part failed", OPT_STRICT },
	{ "no-runtimes", NULL, "leave the settings of container runtimes alone", OPT_NO_RUNTIMES },
	{ 0 },
};

const struct command command_boot = {
	.name = "boot",
	.synopsis = "[--strict] [--no-runtimes]",
	.summary = "Prepare the image cache: disk, volume, media, layers, runtimes",
	.options = boot_command_options,
	.run = run_boot,
};

const struct command command_stop = {
	.name = "stop",
	.synopsis = "",
	.summary = "Unmount everything that larder boot mounted",
	.run = run_stop,
};
