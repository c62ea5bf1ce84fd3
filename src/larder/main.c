/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder(1): finds the command in the table, reads the common options, prints help made from the tables. */
#include "larder/command.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/names.h"
#include "base/text.h"
#include "larder/commands.h"

#define OPTIONS_MAX 32

enum {
	OPT_ROOT = 512,
	OPT_CONFIG_ROOT,
	OPT_RUN_DIR,
	OPT_CONFIG,
	OPT_OUTPUT,
	OPT_VERBOSE,
	OPT_HELP,
	OPT_VERSION,
};

static const struct command_option common_options[] = {
	{ "config", "FILE", "read this file instead of the standard places; may be repeated",
	  OPT_CONFIG },
	{ "root", "DIR", "prefix of everything that is read or written", OPT_ROOT },
	{ "config-root", "DIR", "prefix of where config is read", OPT_CONFIG_ROOT },
	{ "run-dir", "DIR", "where things are mounted (default " DIR_RUN ")", OPT_RUN_DIR },
	{ "output", "table|json|yaml", "what is printed (default table)", OPT_OUTPUT },
	{ "verbose", NULL, "say more on standard error", OPT_VERBOSE },
	{ "help", NULL, "print help", OPT_HELP },
	{ "version", NULL, "print the version", OPT_VERSION },
	{ 0 },
};

/* clang-format off: one line a command, so that two changes do not meet in one line */
const struct command *const all_commands[] = {
	&command_boot,
	&command_stop,
	&command_status,
	&command_config_check,
	&command_config_show,
	&command_disks,
	&command_volume_plan,
	&command_volume_provision,
	&command_volume_status,
	&command_volume_wipe,
	&command_layers,
	&command_layers_list,
	&command_layers_add,
	&command_layers_sync,
	&command_layers_check,
	&command_layers_prune,
	&command_layers_verify,
	&command_images,
	&command_images_list,
	&command_images_default,
	&command_images_missing,
	&command_images_verify,
	&command_build,
	&command_runtime_configure,
	&command_runtime_status,
	&command_runtime_restore,
	NULL,
};
/* clang-format on */

static void print_options(const struct command_option *options)
{
	for (; options && options->name; options++) {
		char left[64];
		snprintf(left, sizeof(left), "--%s%s%s", options->name,
			 options->argument ? " " : "", options->argument ? options->argument : "");
		printf("  %-26s %s\n", left, options->help);
	}
}

static void print_help(const struct command *self)
{
	if (self) {
		printf("larder %s%s%s\n\n%s.\n", self->name, *self->synopsis ? " " : "",
		       self->synopsis, self->summary);
		if (self->options) {
			printf("\nOptions:\n");
			print_options(self->options);
		}
	} else {
		printf("larder COMMAND [OPTION…]\n\nContainer images that are already on the machine.\n\n"
		       "Commands:\n");
		for (const struct command *const *c = all_commands; *c; c++)
			printf("  %-20s %s\n", (*c)->name, (*c)->summary);
	}
	printf("\nOptions of all commands:\n");
	print_options(common_options);
	printf("\nExit status: 0 done, 1 failed, 2 wrong usage or invalid input. See larder(1).\n");
}

static int parse_output(struct context *context, const char *text)
{
	static const char *const names[] = { "table", "json", "yaml" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			context->output = (enum output_format)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int carry_out_common(struct context *context, const struct command *self, int option)
{
	switch (option) {
	case OPT_ROOT:
		context->root = optarg;
		return 0;
	case OPT_CONFIG_ROOT:
		context->config_root = optarg;
		return 0;
	case OPT_RUN_DIR:
		if (*optarg != '/' || optarg[strspn(optarg, "/")] == '\0') {
			command_usage(self, "--run-dir is an absolute path below /, not \"%s\"",
				      optarg);
			return COMMAND_USAGE;
		}
		free(context->run_dir);
		context->run_dir = strdup(optarg);
		return context->run_dir ? 0 : -ENOMEM;
	case OPT_CONFIG:
		return strv_add(&context->config_files, optarg);
	case OPT_OUTPUT:
		if (parse_output(context, optarg) == 0)
			return 0;
		command_usage(self, "--output is table, json or yaml, not \"%s\"", optarg);
		return COMMAND_USAGE;
	case OPT_VERBOSE:
		context->verbose = true;
		log_set_level(LOG_DEBUG);
		return 0;
	case OPT_HELP:
		print_help(self);
		return COMMAND_DONE;
	case OPT_VERSION:
		printf("larder %s\n", PACKAGE_VERSION);
		return COMMAND_DONE;
	default:
		return COMMAND_USAGE;
	}
}

/* A root that is not there would look like a system without any file, and one without a name would be this system. */
static bool is_directory(const struct command *self, const char *option, const char *root)
{
	struct stat st;

	if (!root)
		return true;
	int e = stat(root, &st) < 0 ? errno : S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
	if (e)
		(void)command_usage(self, "%s names a directory, and \"%s\" is none: %s", option,
				    root, strerror(e));
	return !e;
}

/* Where links of another root lead is another place here. */
static bool has_no_link(const struct command *self, const char *root, const char *path)
{
	_cleanup_free_ char *whole = path_join(root, path);
	struct stat st;
	bool link = whole && lstat(whole, &st) == 0 && S_ISLNK(st.st_mode);

	if (link)
		(void)command_usage(self,
				    "%s is a symbolic link, and may lead out of --root: put a "
				    "directory in its place, or name another one with --run-dir",
				    whole);
	return whole && !link;
}

/* The paths that follow from --root unless they were given by themselves. */
static int settle_paths(struct context *context, const struct command *self)
{
	if (!is_directory(self, "--root", context->root) ||
	    !is_directory(self, "--config-root", context->config_root))
		return COMMAND_USAGE;
	if (!context->config_root)
		context->config_root = context->root;
	if (!context->run_dir) {
		if (context->root && (!has_no_link(self, context->root, "/run") ||
				      !has_no_link(self, context->root, DIR_RUN)))
			return COMMAND_USAGE;
		context->run_dir = path_join(context->root, DIR_RUN);
	}
	return context->run_dir ? COMMAND_OPTIONS_END : COMMAND_USAGE;
}

static size_t add_long_options(struct option *to, size_t n, const struct command_option *from)
{
	for (; from && from->name && n < OPTIONS_MAX; from++)
		to[n++] = (struct option){ from->name,
					   from->argument ? required_argument : no_argument, NULL,
					   from->value };
	return n;
}

int command_next_option(struct context *context, const struct command *self, int argc, char *argv[])
{
	struct option options[OPTIONS_MAX + 1] = { 0 };
	size_t n = add_long_options(options, 0, self ? self->options : NULL);

	add_long_options(options, n, common_options);
	for (;;) {
		/* Before the command ("+"), only options; after it, anywhere. */
		int option = getopt_long(argc, argv, self ? "vho:" : "+vho:", options, NULL);
		/* Options before the command may be followed by others after it. */
		if (option == -1)
			return self ? settle_paths(context, self) : COMMAND_OPTIONS_END;
		if (option == '?') {
			fprintf(stderr, "See larder %s%s--help.\n", self ? self->name : "",
				self ? " " : "");
			return COMMAND_USAGE;
		}
		option = option == 'v'	 ? OPT_VERBOSE
			 : option == 'h' ? OPT_HELP
			 : option == 'o' ? OPT_OUTPUT
					 : option;
		if (option < OPT_ROOT)
			return option;
		int r = carry_out_common(context, self, option);
		if (r < 0)
			return r == -ENOMEM ? COMMAND_USAGE : r;
	}
}

int command_usage(const struct command *self, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list ap;

	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	log_error("%s (see larder %s%s--help)", message ? message : "out of memory",
		  self ? self->name : "", self ? " " : "");
	return EXIT_USAGE;
}

int command_failed(int err, struct diag *diag)
{
	if (diag->message)
		log_error("%s", diag_text(diag));
	else
		log_error("%s", strerror(-err));
	return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}

/* The second word of a command whose first word is that; NULL: it has another, or only one. */
static const char *second_word(const struct command *command, const char *first)
{
	size_t length = strlen(first);

	return strncmp(command->name, first, length) == 0 && command->name[length] == ' '
		       ? command->name + length + 1
		       : NULL;
}

/* "volume" alone: the commands that begin with it. f may be NULL. Returns how many there are. */
static unsigned print_family(FILE *f, const char *word)
{
	unsigned n = 0;

	for (const struct command *const *c = all_commands; *c; c++) {
		if (!second_word(*c, word))
			continue;
		if (f)
			fprintf(f, "  %-20s %s\n", (*c)->name, (*c)->summary);
		n++;
	}
	return n;
}

/* *ret_words is how many arguments its name took. A first word that stands for one of its family takes no arguments but options. */
static const struct command *find_command(char *const argv[], int *ret_words)
{
	for (const struct command *const *c = all_commands; *c; c++) {
		const char *second = second_word(*c, argv[0]);
		if (!second || !argv[1] || strcmp(argv[1], second) != 0)
			continue;
		*ret_words = 2;
		return *c;
	}
	for (const struct command *const *c = all_commands; *c; c++) {
		if (strcmp((*c)->name, argv[0]) != 0)
			continue;
		if (argv[1] && *argv[1] != '-' && print_family(NULL, argv[0]) > 0)
			return NULL;
		*ret_words = 1;
		return *c;
	}
	return NULL;
}

/* "config shwo" */
static int unknown_second(char *const argv[])
{
	const char *seconds[64];
	size_t n = 0;

	for (const struct command *const *c = all_commands; *c && n < ARRAY_SIZE(seconds); c++) {
		seconds[n] = second_word(*c, argv[0]);
		n += seconds[n] != NULL;
	}
	const char *near = text_nearest(argv[1], seconds, n);
	if (near)
		return command_usage(NULL, "there is no command \"%s %s\"; did you mean \"%s %s\"?",
				     argv[0], argv[1], argv[0], near);
	command_usage(NULL, "there is no command \"%s %s\"; there are:", argv[0], argv[1]);
	print_family(stderr, argv[0]);
	return EXIT_USAGE;
}

static int unknown_command(char *const argv[])
{
	_cleanup_free_ char *two = NULL;
	const char *names[128];
	size_t n = 0;

	if (print_family(NULL, argv[0]) > 0) {
		if (argv[1] && strcmp(argv[1], "--help") != 0)
			return unknown_second(argv);
		print_family(argv[1] ? stdout : stderr, argv[0]);
		return argv[1] ? EXIT_DONE : EXIT_USAGE;
	}
	for (const struct command *const *c = all_commands; *c && n < ARRAY_SIZE(names); c++)
		names[n++] = (*c)->name;
	if (asprintf(&two, "%s %s", argv[0], argv[1] ? argv[1] : "") < 0)
		return EXIT_FAILED;
	const char *near = text_nearest(argv[0], names, n);
	if (!near)
		near = text_nearest(two, names, n);
	if (near)
		return command_usage(NULL, "there is no command \"%s\"; did you mean \"%s\"?",
				     argv[0], near);
	return command_usage(NULL, "there is no command \"%s\"", argv[0]);
}

static int run(struct context *context, int argc, char *argv[])
{
	int words = 0;
	int r = command_next_option(context, NULL, argc, argv);

	if (r == COMMAND_DONE)
		return EXIT_DONE;
	if (r == COMMAND_USAGE)
		return EXIT_USAGE;
	if (optind >= argc) {
		print_help(NULL);
		return EXIT_USAGE;
	}
	const struct command *command = find_command(argv + optind, &words);
	if (!command)
		return unknown_command(argv + optind);
	argc -= optind + words - 1;
	argv += optind + words - 1;
	optind = 0; /* getopt(3): start anew, with what GNU keeps inside */
	argv[0] = (char *)"larder";
	return command->run(context, command, argc, argv);
}

int main(int argc, char *argv[])
{
	struct context context = { 0 };

	log_open("larder");
	umask(022); /* larderd, and users who run containers, read what this one makes, whatever root's umask is */
	signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error like any other */
	if (argc > 0)
		argv[0] = (char *)"larder"; /* in getopt(3)'s messages */
	int status = run(&context, argc, argv);
	strv_free(context.config_files);
	free(context.run_dir);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("cannot write to standard output: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return status;
}
