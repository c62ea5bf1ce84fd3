/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder-port: reserves the registry's port for root, for larder-port.service; larder-units(7). */
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "larder-port/reserve.h"

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static const char usage[] =
	"larder-port [--cgroup DIR] [--pins DIR] PORT...\n"
	"larder-port [--pins DIR] --release\n"
	"\n"
	"Lets nobody but root bind these ports of TCP, until --release or the machine is off; run by\n"
	"larder-port.service. See larder-units(7).\n";

/* Not by base/log.h: that brings libsystemd, and all boots wait for this. systemd knows the level by its number (sd-daemon(3)). */
static void say(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(int level, const char *format, ...)
{
	va_list ap;

	if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>", level);
	else
		fputs("larder-port: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

struct arguments {
	struct reserve_places places;
	uint16_t ports[RESERVE_PORTS_MAX];
	size_t n_ports;
	bool release;
};

static int parse_ports(struct arguments *a, char *texts[], size_t n)
{
	if (n > RESERVE_PORTS_MAX) {
		say(LOG_ERR, "at most %d ports can be reserved, not %zu", RESERVE_PORTS_MAX, n);
		return EXIT_USAGE + 1;
	}
	for (; a->n_ports < n; a->n_ports++) {
		const char *text = texts[a->n_ports];
		char *end;
		unsigned long port = strtoul(text, &end, 10);

		if (strspn(text, "0123456789") != strlen(text) || end == text || port < 1 ||
		    port > UINT16_MAX) {
			say(LOG_ERR, "a port is a number from 1 to %d, not \"%s\"", UINT16_MAX,
			    text);
			return EXIT_USAGE + 1;
		}
		a->ports[a->n_ports] = (uint16_t)port;
	}
	return 0;
}

/* 0: go on; else an exit status + 1. */
static int parse_arguments(struct arguments *a, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "cgroup", required_argument, NULL, 'c' },
		{ "pins", required_argument, NULL, 'p' },
		{ "release", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};

	for (int o; (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (o) {
		case 'c':
			a->places.cgroup = optarg;
			break;
		case 'p':
			a->places.pins = optarg;
			break;
		case 'r':
			a->release = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE + 1;
		case 'V':
			puts("larder-port " PACKAGE_VERSION);
			return EXIT_DONE + 1;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE + 1;
		}
	}
	if (a->release != (optind == argc)) {
		fputs(usage, stderr);
		return EXIT_USAGE + 1;
	}
	return parse_ports(a, argv + optind, (size_t)(argc - optind));
}

int main(int argc, char *argv[])
{
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	struct arguments a = { 0 };

	int r = parse_arguments(&a, argc, argv);
	if (r > 0)
		return r - 1;
	r = a.release ? release_ports(&a.places, &diag)
		      : reserve_ports(&a.places, a.ports, a.n_ports, &diag);
	if (r < 0) {
		say(LOG_ERR, "%s", diag_text(&diag));
		return EXIT_FAILED;
	}
	if (a.release)
		say(LOG_INFO, "other users than root may bind the registry's port again");
	else
		for (size_t i = 0; i < a.n_ports; i++)
			say(LOG_INFO,
			    "port %u of TCP is reserved: only root may bind it, until the machine is off",
			    a.ports[i]);
	return EXIT_DONE;
}
