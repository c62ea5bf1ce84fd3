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

/* larder build has an --output of its own; what all commands print is then -o alone. */
static bool hides(const struct command *self, const char *name)
{
	for (const struct command_option *o = self ? self->options : NULL; o && o->name; o++)
		if (strcmp(o->name, name) == 0)
			return true;
	return false;
}

/* Of those that self has itself, under the same name, only what has a short name, under that. */
static void print_options(FILE *f, const struct command_option *options, const struct command *self)
{
	for (; options && options->name; options++) {
		bool hidden = hides(self, options->name);
		char left[64];
		if (hidden && options->value != OPT_OUTPUT)
			continue;
		snprintf(left, sizeof(left), "%s%s%s%s", hidden ? "-" : "--",
			 hidden ? "o" : options->name, options->argument ? " " : "",
			 options->argument ? options->argument : "");
		fprintf(f, "  %-26s %s\n", left, options->help);
	}
}

/* The second word of a command whose first word is that; NULL: it has another, or only one. */
static const char *second_word(const struct command *command, const char *first)
{
	size_t length = strlen(first);

	return strncmp(command->name, first, length) == 0 && command->name[length] == ' '
		       ? command->name + length + 1
		       : NULL;
}

/* Those that begin with this word, or all (NULL). f may be NULL. Returns how many there are. */
static unsigned print_family(FILE *f, const char *word)
{
	unsigned n = 0;

	for (const struct command *const *c = all_commands; *c; c++) {
		if (word && !second_word(*c, word))
			continue;
		if (f)
			fprintf(f, "  %-20s %s\n", (*c)->name, (*c)->summary);
		n++;
	}
	return n;
}

/* "larder-volume(1)" */
static void print_page(FILE *f, const struct command *self)
{
	bool pipeline = self == &command_boot || self == &command_stop;

	if (!self)
		fprintf(f, "See larder(1).\n");
	else if (pipeline)
		fprintf(f, "See larder-boot(8).\n");
	else
		fprintf(f, "See larder-%.*s(1).\n", (int)strcspn(self->name, " "), self->name);
}

/* self: NULL, of all. */
static void print_help(FILE *f, const struct command *self)
{
	if (self)
		fprintf(f, "larder %s%s%s\n", self->name, *self->synopsis ? " " : "",
			self->synopsis);
	else
		fprintf(f, "larder COMMAND [OPTION…]\n\n"
			   "Container images that are already on the machine.\n");
	if (self && self->summary)
		fprintf(f, "\n%s.\n", self->summary);
	if (!self || print_family(NULL, self->name) > 0) {
		fprintf(f, "\nCommands:\n");
		print_family(f, self ? self->name : NULL);
	}
	if (self && self->options) {
		fprintf(f, "\nOptions:\n");
		print_options(f, self->options, NULL);
	}
	fprintf(f, "\nOptions of all commands:\n");
	print_options(f, common_options, self);
	fprintf(f, "\nExit status: 0 done, 1 failed, 2 wrong usage or invalid input. ");
	print_page(f, self);
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
		command_usage(self, "%s is table, json or yaml, not \"%s\"",
			      hides(self, "output") ? "-o" : "--output", optarg);
		return COMMAND_USAGE;
	case OPT_VERBOSE:
		context->verbose = true;
		log_set_level(LOG_DEBUG);
		return 0;
	case OPT_HELP:
		print_help(stdout, self);
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

int command_source_date(const struct command *self, const char **ret)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	char *end;

	*ret = NULL;
	if (!text || !*text)
		return EXIT_DONE;
	errno = 0;
	unsigned long long seconds = strtoull(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || seconds > UINT32_MAX)
		return command_usage(self,
				     "SOURCE_DATE_EPOCH is \"%s\"; it must be seconds since "
				     "1970, as a number",
				     text);
	*ret = text;
	return EXIT_DONE;
}

int command_failed(int err, struct diag *diag)
{
	if (diag->message)
		log_error("%s", diag_text(diag));
	else
		log_error("%s", strerror(-err));
	return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
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
static int unknown_second(const struct command *family, const char *second)
{
	const char *seconds[64];
	size_t n = 0;

	for (const struct command *const *c = all_commands; *c && n < ARRAY_SIZE(seconds); c++) {
		seconds[n] = second_word(*c, family->name);
		n += seconds[n] != NULL;
	}
	const char *near = text_nearest(second, seconds, n);
	if (near)
		return command_usage(NULL, "there is no command \"%s %s\"; did you mean \"%s %s\"?",
				     family->name, second, family->name, near);
	log_error("there is no command \"%s %s\"; there are:", family->name, second);
	print_family(stderr, family->name);
	return EXIT_USAGE;
}

/* "volume" without its second word: "volume --help" is answered. */
static int run_family(struct context *context, int argc, char *argv[])
{
	const struct command family = {
		.name = argv[0],
		.synopsis = "COMMAND [OPTION…]",
	};

	if (argv[1] && *argv[1] != '-')
		return unknown_second(&family, argv[1]);
	argv[0] = (char *)"larder";
	optind = 0;
	int o = command_next_option(context, &family, argc, argv);
	if (o == COMMAND_DONE)
		return EXIT_DONE;
	if (o == COMMAND_USAGE)
		return EXIT_USAGE;
	log_error("\"%s\" needs a second word, before any option; there are:", family.name);
	print_family(stderr, family.name);
	return EXIT_USAGE;
}

static int unknown_command(char *const argv[])
{
	_cleanup_free_ char *two = NULL;
	const char *names[128];
	size_t n = 0;

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
		print_help(stderr, NULL);
		return EXIT_USAGE;
	}
	const struct command *command = find_command(argv + optind, &words);
	if (!command)
		return print_family(NULL, argv[optind]) > 0
			       ? run_family(context, argc - optind, argv + optind)
			       : unknown_command(argv + optind);
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
