/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder-boot(8): the pipeline as a program of its own, for larder-boot.service and for the initramfs. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/events.h"
#include "base/io.h"
#include "base/log.h"
#include "base/names.h"
#include "boot/boot.h"

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static void report(int level, const char *event, const char *message)
{
	log_at(level, event, "%s", message);
	(void)sd_notifyf(0, "STATUS=%s", message);
}

static const char usage[] =
	"larder-boot [--strict] [--config-root DIR] [--config-fallback DIR] [--run-dir DIR] [--config FILE]\n"
	"            [--no-runtimes] [--no-wait] [--verbose]\n"
	"\n"
	"Prepares the image cache, once; run by larder-boot.service and in the initramfs. See larder-boot(8).\n";

struct arguments {
	struct boot_options boot;
	const char *config_files[2];
	bool strict;
};

/* 0: go on; else an exit status + 1. */
static int parse_arguments(struct arguments *a, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "strict", no_argument, NULL, 's' },
		{ "config-root", required_argument, NULL, 'R' },
		{ "config-fallback", required_argument, NULL, 'F' },
		{ "run-dir", required_argument, NULL, 'r' },
		{ "config", required_argument, NULL, 'c' },
		{ "no-runtimes", no_argument, NULL, 'n' },
		{ "no-wait", no_argument, NULL, 'w' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};

	for (int o; (o = getopt_long(argc, argv, "vh", options, NULL)) != -1;) {
		switch (o) {
		case 's':
			a->strict = true;
			break;
		case 'R':
			a->boot.config_root = optarg;
			break;
		case 'F':
			a->boot.config_fallback = optarg;
			break;
		case 'r':
			if (*optarg != '/' || optarg[strspn(optarg, "/")] == '\0') {
				log_error("--run-dir is an absolute path below /, not \"%s\"",
					  optarg);
				return EXIT_USAGE + 1;
			}
			a->boot.run_dir = optarg;
			break;
		case 'c':
			a->config_files[0] = optarg;
			a->boot.config_files = a->config_files;
			break;
		case 'n':
			a->boot.runtimes = false;
			break;
		case 'w':
			a->boot.wait = false;
			break;
		case 'v':
			log_set_level(LOG_DEBUG);
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE + 1;
		case 'V':
			puts("larder-boot " PACKAGE_VERSION);
			return EXIT_DONE + 1;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE + 1;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return EXIT_USAGE + 1;
	}
	return 0;
}

int main(int argc, char *argv[])
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	json_auto_t *status = NULL;
	struct arguments arguments = {
		.boot = { .run_dir = DIR_RUN, .runtimes = true, .wait = true, .report = report },
	};

	log_open("larder-boot");
	umask(022); /* larderd, and users who run containers, read what this one makes, whatever root's umask is */
	signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error like any other */
	int r = parse_arguments(&arguments, argc, argv);
	if (r > 0)
		return r - 1;
	r = boot_run(&arguments.boot, &status, &diag);
	if (r < 0) {
		log_at(LOG_ERR, r == -EINVAL ? EVENT_CONFIG_INVALID : NULL, "%s",
		       diag.message ? diag_text(&diag) : strerror(-r));
		return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	}
	bool degraded = json_array_size(json_object_get(status, "problems")) > 0;
	return arguments.strict && degraded ? EXIT_FAILED : EXIT_DONE;
}
