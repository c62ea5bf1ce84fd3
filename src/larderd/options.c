/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "larderd/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/text.h"

enum {
	OPT_CACHE = 256,
	OPT_LISTEN,
	OPT_RUN_DIR,
	OPT_RECORD,
	OPT_CONNECTIONS,
	OPT_HEADER_TIMEOUT,
	OPT_IDLE_TIMEOUT,
	OPT_STALL_TIMEOUT,
	OPT_BUFFERS,
	OPT_DRAIN_TIMEOUT,
	OPT_WORKERS,
	OPT_NO_VERIFY_AHEAD,
	OPT_VERBOSE,
	OPT_HELP,
	OPT_VERSION,
};

static const struct {
	const char *name;
	const char *argument; /* NULL: none */
	const char *help;
	int value;
} table[] = {
	{ "cache", "DIR|FILE",
	  "serve this cache tree, OCI layout or squashfs image; may be repeated", OPT_CACHE },
	{ "listen", "ADDRESS", "ADDR:PORT, [ADDR]:PORT or unix:PATH; may be repeated; port 0: any",
	  OPT_LISTEN },
	{ "run-dir", "DIR", "without --cache: what larder mounted here (default " DIR_RUN ")",
	  OPT_RUN_DIR },
	{ "record", "FILE", "what was verified (default: in the run directory)", OPT_RECORD },
	{ "connections", "N", "at most so many connections (default 8192)", OPT_CONNECTIONS },
	{ "header-timeout", "S", "seconds for a complete request (default 10)",
	  OPT_HEADER_TIMEOUT },
	{ "idle-timeout", "S", "seconds between requests (default 75)", OPT_IDLE_TIMEOUT },
	{ "stall-timeout", "S", "seconds for an answer to progress (default 60)",
	  OPT_STALL_TIMEOUT },
	{ "buffers", "MIB",
	  "memory for incomplete requests, and for answers that nobody reads (default 16)",
	  OPT_BUFFERS },
	{ "drain-timeout", "S", "seconds for running answers at the end (default 30)",
	  OPT_DRAIN_TIMEOUT },
	{ "workers", "N", "threads that verify (default: one for each processor, at most 4)",
	  OPT_WORKERS },
	{ "no-verify-ahead", NULL, "verify only what is asked for", OPT_NO_VERIFY_AHEAD },
	{ "verbose", NULL, "say more", OPT_VERBOSE },
	{ "help", NULL, "print help", OPT_HELP },
	{ "version", NULL, "print the version", OPT_VERSION },
};

static void print_help(void)
{
	printf("larderd [OPTION…]\n\nThe loopback registry: serves the container images that are on "
	       "this machine.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char left[64];
		snprintf(left, sizeof(left), "--%s%s%s", table[i].name,
			 table[i].argument ? " " : "", table[i].argument ? table[i].argument : "");
		printf("  %-22s %s\n", left, table[i].help);
	}
	printf("\nExit status: 0 done, 1 failed, 2 wrong usage. See larderd(8).\n");
}

static int parse_number(const char *name, const char *text, unsigned max, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n == 0 || n > max) {
		log_error("--%s is a number from 1 to %u, not \"%s\". Try \"larderd --help\".",
			  name, max, text);
		return EXIT_USAGE;
	}
	*ret = (unsigned)n;
	return OPTIONS_GO_ON;
}

static int out_of_memory(void)
{
	log_error("out of memory");
	return EXIT_FAILURE;
}

#define SECONDS_MAX (24 * 60 * 60)

static int carry_out(struct options *o, int option, const char *name)
{
	struct http_limits *limits = &o->registry.limits;

	switch (option) {
	case OPT_CACHE:
		return strv_add(&o->caches, optarg) < 0 ? out_of_memory() : OPTIONS_GO_ON;
	case OPT_LISTEN:
		return strv_add(&o->listen, optarg) < 0 ? out_of_memory() : OPTIONS_GO_ON;
	case OPT_RUN_DIR:
		o->registry.run_dir = optarg;
		return OPTIONS_GO_ON;
	case OPT_RECORD:
		o->registry.record = optarg;
		return OPTIONS_GO_ON;
	case OPT_CONNECTIONS:
		return parse_number(name, optarg, 1000000, &limits->connections);
	case OPT_HEADER_TIMEOUT:
		return parse_number(name, optarg, SECONDS_MAX, &limits->header_seconds);
	case OPT_IDLE_TIMEOUT:
		return parse_number(name, optarg, SECONDS_MAX, &limits->idle_seconds);
	case OPT_STALL_TIMEOUT:
		return parse_number(name, optarg, SECONDS_MAX, &limits->stall_seconds);
	case OPT_BUFFERS:
		return parse_number(name, optarg, 4096, &limits->buffer_mib);
	case OPT_DRAIN_TIMEOUT:
		return parse_number(name, optarg, SECONDS_MAX, &o->drain_seconds);
	case OPT_WORKERS:
		return parse_number(name, optarg, 4, &o->registry.workers);
	case OPT_NO_VERIFY_AHEAD:
		o->registry.verify_ahead = false;
		return OPTIONS_GO_ON;
	case OPT_VERBOSE:
		log_set_level(LOG_DEBUG);
		return OPTIONS_GO_ON;
	case OPT_HELP:
		print_help();
		return EXIT_SUCCESS;
	case OPT_VERSION:
		printf("larderd %s\n", PACKAGE_VERSION);
		return EXIT_SUCCESS;
	default:
		fprintf(stderr, "Try \"larderd --help\".\n");
		return EXIT_USAGE;
	}
}

int options_parse(struct options *o, int argc, char *argv[])
{
	struct option options[ARRAY_SIZE(table) + 1] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		options[i] = (struct option){ table[i].name,
					      table[i].argument ? required_argument : no_argument,
					      NULL, table[i].value };
	for (;;) {
		int at = -1, option = getopt_long(argc, argv, "", options, &at);
		if (option == -1)
			break;
		int r = carry_out(o, option, at >= 0 ? table[at].name : "");
		if (r != OPTIONS_GO_ON)
			return r;
	}
	if (optind < argc) {
		log_error("unexpected argument \"%s\". Try \"larderd --help\".", argv[optind]);
		return EXIT_USAGE;
	}
	o->registry.caches = o->caches;
	return OPTIONS_GO_ON;
}

void options_done(struct options *o)
{
	strv_free(o->caches);
	strv_free(o->listen);
}
