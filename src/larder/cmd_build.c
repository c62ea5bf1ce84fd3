/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder build: makes a cache layer from a list of images. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "larder/commands.h"
#include "larder/interrupt.h"
#include "larder/output.h"
#include "larder/progress.h"
#include "layers/build.h"
#include "layers/report.h"

#define PLATFORMS_MAX 32

enum {
	OPT_IMAGES = 256,
	OPT_LAYER,
	OPT_PLATFORM,
	OPT_NAME,
	OPT_LAYER_VERSION,
	OPT_AUTHOR,
	OPT_DESCRIPTION,
	OPT_INSECURE,
	OPT_SIGN,
	OPT_VERITY,
	OPT_JSON,
};

static const struct command_option build_command_options[] = {
	{ "images", "FILE", "the list of images, one a line; - is standard input", OPT_IMAGES },
	{ "output", "LAYER.sqsh", "the layer to make; its .sha256 is put beside it", OPT_LAYER },
	{ "platform", "OS/ARCH,...", "platforms to take, or all (default: this machine's)",
	  OPT_PLATFORM },
	{ "name", "NAME", "name of the layer (default: from the file name)", OPT_NAME },
	{ "version", "VERSION", "version of the layer (default: from the file name)",
	  OPT_LAYER_VERSION },
	{ "author", "TEXT", "who made it", OPT_AUTHOR },
	{ "description", "TEXT", "what it is for", OPT_DESCRIPTION },
	{ "insecure", NULL, "registries may speak plain HTTP or TLS that cannot be verified",
	  OPT_INSECURE },
	{ "sign", "KEY", "private Ed25519 key in PEM; LAYER.sqsh.sig is put beside the layer",
	  OPT_SIGN },
	{ "verity", NULL, "put a hash tree for dm-verity and its root hash beside the layer",
	  OPT_VERITY },
	{ "json", NULL, "print what was built as JSON", OPT_JSON },
	{ 0 },
};

struct build_arguments {
	const char *images;
	struct build_options options;
	struct platform platforms[PLATFORMS_MAX];
	bool json;
};

static int add_platforms(struct build_arguments *a, const struct command *self, const char *list)
{
	_cleanup_free_ char *copy = strdup(list);
	struct platform_choice *choice = &a->options.choice;

	if (!copy)
		return EXIT_FAILED;
	for (char *rest = copy, *one; (one = strsep(&rest, ","));) {
		if (strcmp(one, "all") == 0) {
			choice->all = true;
			continue;
		}
		if (choice->n_platforms == PLATFORMS_MAX)
			return command_usage(self, "more than %d platforms", PLATFORMS_MAX);
		if (platform_parse(one, &a->platforms[choice->n_platforms]) < 0)
			return command_usage(
				self, "\"%s\" is no platform (write OS/ARCH, as linux/arm64)", one);
		choice->n_platforms++;
	}
	return EXIT_DONE;
}

/* The time of every file; without SOURCE_DATE_EPOCH it is 1970, so that a build repeats either way. */
static int take_source_date(struct build_arguments *a, const struct command *self)
{
	const char *seconds;
	int status = command_source_date(self, &seconds);

	if (seconds)
		a->options.time = strtoll(seconds, NULL, 10);
	return status;
}

/* An exit status, or -1: go on. */
static int take_option(struct build_arguments *a, const struct command *self, int option)
{
	switch (option) {
	case OPT_IMAGES:
		if (a->images)
			return command_usage(self, "--images is given twice; a list may name more");
		a->images = optarg;
		return -1;
	case OPT_LAYER:
		if (a->options.output)
			return command_usage(self,
					     "--output is given twice; a build makes one layer");
		a->options.output = optarg;
		return -1;
	case OPT_PLATFORM: {
		int status = add_platforms(a, self, optarg);
		return status == EXIT_DONE ? -1 : status;
	}
	case OPT_NAME:
		a->options.name = optarg;
		return -1;
	case OPT_LAYER_VERSION:
		a->options.version = optarg;
		return -1;
	case OPT_AUTHOR:
		a->options.author = optarg;
		return -1;
	case OPT_DESCRIPTION:
		a->options.description = optarg;
		return -1;
	case OPT_INSECURE:
		a->options.insecure = true;
		return -1;
	case OPT_SIGN:
		a->options.sign_key = optarg;
		return -1;
	case OPT_VERITY:
		a->options.verity = true;
		return -1;
	case OPT_JSON:
		a->json = true;
		return -1;
	default:
		return option == COMMAND_DONE ? EXIT_DONE : EXIT_USAGE;
	}
}

static int read_list(const char *path, struct images_list *ret, struct diag *diag)
{
	bool standard_input = strcmp(path, "-") == 0;
	const char *name = standard_input ? "standard input" : path;
	/* Not /dev/stdin: a socket, and a file of somebody else, cannot be opened again. */
	_cleanup_close_ int fd = standard_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
						: open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	size_t size;

	if (fd < 0)
		return diag_set(diag, -EINVAL, "cannot read %s: %s", name, strerror(errno));
	int r = read_fd(fd, IMAGES_LIST_BYTES_MAX, &text, &size);
	if (r < 0)
		return diag_set(diag, -EINVAL, "cannot read %s: %s", name, strerror(-r));
	return images_list_parse(text, size, name, ret, diag);
}

static int show_result(struct context *context, const struct build_arguments *a,
		       const struct build_result *result)
{
	char size[TEXT_SIZE_MAX], digest[DIGEST_STRING_MAX];

	if (a->json)
		context->output = OUTPUT_JSON;
	if (context->output != OUTPUT_TABLE) {
		json_auto_t *value = report_build(a->options.output, result);
		return value ? output_value(context, value) : EXIT_FAILED;
	}
	printf("%s: %s%s%s, %zu image%s, %zu blob%s, %s, %s\n", a->options.output,
	       result->manifest.name, result->manifest.version ? " " : "",
	       result->manifest.version ? result->manifest.version : "", result->manifest.n_images,
	       result->manifest.n_images == 1 ? "" : "s", result->manifest.n_blobs,
	       result->manifest.n_blobs == 1 ? "" : "s", text_size_iec(result->size, size),
	       digest_format(&result->digest, digest));
	if (*result->root_hash)
		printf("root hash: %s\n", result->root_hash);
	return EXIT_DONE;
}

static bool is_wanted(const struct platform_choice *choice, char **platforms)
{
	bool wanted = choice->all || !platforms;

	STRV_FOREACH (text, platforms) {
		struct platform p = { 0 };
		if (!wanted && platform_parse(*text, &p) == 0)
			wanted = platform_is_chosen(choice, &p);
		platform_done(&p);
	}
	return wanted;
}

/* Of an image without an index there is nothing to choose: it is taken, as a runtime would take it. */
static void warn_of_platforms(const struct build_arguments *a, const struct layer_manifest *m)
{
	for (size_t i = 0; i < m->n_images; i++)
		if (!is_wanted(&a->options.choice, m->images[i].platforms))
			log_warning("%s: it is for %s alone, which was not asked for (--platform); "
				    "it is in the layer all the same",
				    m->images[i].reference, m->images[i].platforms[0]);
}

static int build(struct context *context, struct build_arguments *a)
{
	_cleanup_images_list_ struct images_list list = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	struct build_result result = { 0 };
	struct progress progress, fetching;
	int r = read_list(a->images, &list, &diag);

	if (r < 0)
		return command_failed(r, &diag);
	r = interrupt_guard();
	if (r < 0)
		return command_failed(r, &diag);
	progress_start(&progress, "writing");
	a->options.progress = progress_update;
	a->options.user = &progress;
	progress_start(&fetching, "fetching");
	a->options.fetch_progress = progress_is_seen(&fetching) ? progress_update : NULL;
	a->options.fetch_user = &fetching;
	a->options.work_dir = interrupt_work_dir;
	r = build_layer(&list, &a->options, &result, &diag);
	progress_end(&fetching);
	progress_end(&progress);
	if (r < 0)
		return command_failed(r, &diag);
	warn_of_platforms(a, &result.manifest);
	int status = show_result(context, a, &result);
	build_result_done(&result);
	return status;
}

static int run_build(struct context *context, const struct command *self, int argc, char *argv[])
{
	struct build_arguments a = { 0 };
	int status = EXIT_DONE;

	for (int o; (o = command_next_option(context, self, argc, argv)) != COMMAND_OPTIONS_END;) {
		status = take_option(&a, self, o);
		if (status >= 0)
			goto out;
	}
	if (!a.images || !a.options.output || optind < argc)
		status = command_usage(self, "--images FILE and --output LAYER.sqsh are needed, "
					     "and nothing else");
	else
		status = take_source_date(&a, self);
	if (status != EXIT_DONE)
		goto out;
	a.options.choice.platforms = a.options.choice.n_platforms ? a.platforms : platform_host();
	if (!a.options.choice.n_platforms)
		a.options.choice.n_platforms = 1;
	status = build(context, &a);
out:
	for (size_t i = 0; i < PLATFORMS_MAX; i++)
		platform_done(&a.platforms[i]);
	return status;
}

const struct command command_build = {
	.name = "build",
	.synopsis = "--images FILE|- --output LAYER.sqsh [OPTION…]",
	.summary = "Make a cache layer from images",
	.options = build_command_options,
	.run = run_build,
};
