/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDER_COMMAND_H
#define LARDER_LARDER_COMMAND_H
/*
 * The commands of larder(1): one cmd_*.c per command, one table in main.c. The help text is made from the tables.
 *
 * A command returns an exit status: EXIT_DONE, EXIT_FAILED, or EXIT_USAGE for wrong usage and invalid input. It prints its result with
 * output_json() or output_table() to standard output and its one error with log_error() to standard error.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/diag.h"

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

enum output_format {
	OUTPUT_TABLE,
	OUTPUT_JSON,
	OUTPUT_YAML,
};

/* What the common options say. */
struct context {
	const char *root;	 /* --root: prefix of everything; NULL: none */
	const char *config_root; /* --config-root, else root */
	char *run_dir;		 /* --run-dir, else root + /run/larder; never NULL */
	char **config_files; /* --config, may be given more than once; NULL: the standard places */
	enum output_format output;
	bool verbose;
};

/* An option of one command, for getopt_long(3) and for the help text. */
struct command_option {
	const char *name;     /* without the dashes */
	const char *argument; /* "FILE"; NULL: none */
	const char *help;     /* one line */
	int value;	      /* what command_next_option() returns; above 255 */
};

struct command {
	const char *name;		      /* "disks", "volume plan" */
	const char *synopsis;		      /* "[DEV]" */
	const char *summary;		      /* one line */
	const struct command_option *options; /* ends with name NULL; NULL: none */
	int (*run)(struct context *context, const struct command *self, int argc, char *argv[]);
};

/*
 * Parses options in a loop, the command's own and the common ones, which it carries out itself:
 *
 *	for (int o; (o = command_next_option(context, self, argc, argv)) != COMMAND_OPTIONS_END;)
 *		switch (o) { case OPT_MATCH: match = optarg; break; case COMMAND_USAGE: return EXIT_USAGE; }
 *
 * Afterwards the arguments are argv[optind…]. COMMAND_DONE: --help or --version was printed; return EXIT_DONE.
 */
enum {
	COMMAND_OPTIONS_END = -1,
	COMMAND_USAGE = -2,
	COMMAND_DONE = -3,
};
int command_next_option(struct context *context, const struct command *self, int argc,
			char *argv[]);

/* Reports wrong usage, with a hint at --help; returns EXIT_USAGE. */
int command_usage(const struct command *self, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * SOURCE_DATE_EPOCH (reproducible-builds.org), checked: *ret is the environment's text, NULL: not set. EXIT_DONE, or EXIT_USAGE, which
 * was reported.
 */
int command_source_date(const struct command *self, const char **ret);

/* Reports what failed (diag, else strerror of err); returns EXIT_USAGE for invalid input (-EINVAL), else EXIT_FAILED. */
int command_failed(int err, struct diag *diag);

extern const struct command *const all_commands[]; /* ends with NULL; order of the help text */

#endif
