/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder volume plan | provision | status | wipe: the IMAGECACHE volume, on disks or in an image file. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/names.h"
#include "base/text.h"
#include "block/system_disk.h"
#include "larder/commands.h"
#include "larder/load_config.h"
#include "larder/output.h"
#include "volume/wipe.h"

enum {
	OPT_IMAGE = 256,
	OPT_SECTOR_SIZE,
	OPT_ALIGN,
	OPT_SEED,
	OPT_YES,
};

/* A request and everything that it points to. */
struct work {
	struct volume_request request;
	struct machine_config *config;
	struct disk_list disks;
	bool yes;
};

static void work_done(struct work *w)
{
	machine_config_free(w->config);
	disk_list_done(&w->disks);
}

static int parse_power_of_two(const char *text, unsigned least, unsigned most, unsigned *ret)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value < least || value > most || (value & (value - 1)))
		return -EINVAL;
	*ret = (unsigned)value;
	return 0;
}

static int parse_option(struct work *w, const struct command *self, int option)
{
	unsigned align;

	switch (option) {
	case OPT_IMAGE:
		w->request.image = optarg;
		return *optarg ? 0
			       : command_usage(self, "--image needs the path of a disk image, "
						     "and \"\" is none");
	case OPT_SEED:
		w->request.seed = optarg;
		return 0;
	case OPT_YES:
		w->yes = true;
		return 0;
	case OPT_SECTOR_SIZE:
		if (parse_power_of_two(optarg, 512, 4096, &w->request.image_sector_size) == 0)
			return 0;
		return command_usage(self, "--sector-size is 512, 1024, 2048 or 4096, not \"%s\"",
				     optarg);
	case OPT_ALIGN:
		if (parse_power_of_two(optarg, 512, 1U << 30, &align) == 0) {
			w->request.image_grain = align;
			return 0;
		}
		return command_usage(
			self,
			"--align is a power of two from 512 to 1073741824 (bytes), not \"%s\"",
			optarg);
	default:
		return EXIT_USAGE;
	}
}

/* What is no image cannot be what was meant; what cannot be looked at fails later. */
static int check_image(const struct command *self, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return S_ISREG(st.st_mode)
			       ? COMMAND_OPTIONS_END
			       : command_usage(self, "--image: %s is no regular file", path);
	if (errno != ENOENT && errno != ENOTDIR)
		return COMMAND_OPTIONS_END;
	return command_usage(self, "--image: there is no %s; truncate(1) makes one", path);
}

/* Returns an exit status, or COMMAND_OPTIONS_END to go on. */
static int parse_options(struct context *context, const struct command *self, int argc,
			 char *argv[], struct work *w)
{
	for (int o; (o = command_next_option(context, self, argc, argv)) != COMMAND_OPTIONS_END;) {
		if (o == COMMAND_DONE)
			return EXIT_DONE;
		if (o == COMMAND_USAGE || parse_option(w, self, o) != 0)
			return EXIT_USAGE;
	}
	if (optind < argc)
		return command_usage(self, "\"%s\" is one argument too many", argv[optind]);
	if (!w->request.image && (w->request.image_sector_size || w->request.image_grain))
		return command_usage(self, "--sector-size and --align belong to --image");
	if (command_source_date(self, &w->request.epoch) != EXIT_DONE)
		return EXIT_USAGE;
	return w->request.image ? check_image(self, w->request.image) : COMMAND_OPTIONS_END;
}

static void say(void *userdata, const char *line)
{
	(void)userdata;
	fprintf(stderr, "%s\n", line);
}

static int load_disks(const struct context *context, struct work *w, struct diag *diag)
{
	const struct selector *selector = w->config->volume.disk_selector;
	const struct install_config *install = &w->config->install;
	bool system_disk = selector_uses_system_disk(selector);
	uint64_t fields =
		selector_disk_fields(selector) | (system_disk ? system_disk_fields(install) : 0);
	int r = disk_list_read(context->root, fields, &w->disks, diag);

	return r < 0 || !system_disk
		       ? r
		       : system_disk_find(context->root, &w->disks, install, NULL, diag);
}

/* Reads config and disks. */
static int load(const struct context *context, struct work *w, struct diag *diag)
{
	int r = load_config(context, NULL, &w->config, diag);
	r = r < 0 || w->request.image ? r : load_disks(context, w, diag);
	if (r < 0)
		return r;
	w->request.config = &w->config->volume;
	w->request.disks = &w->disks;
	w->request.foreign = context->root;
	w->request.run_dir = context->run_dir;
	w->request.say = say;
	return 0;
}

static json_t *json_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *disks_to_json(const struct volume_plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n_verdicts; i++) {
		const struct volume_verdict *v = &plan->verdicts[i];
		json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:o}", "disk", v->disk,
						      "matched", v->matched, "taken", v->taken,
						      "reason", json_text(v->reason)));
	}
	return list;
}

static json_t *plan_to_json(const struct volume_plan *plan)
{
	json_t *steps = json_array(), *partition = json_null();

	STRV_FOREACH (step, plan->steps)
		json_array_append_new(steps, json_string(*step));
	if (plan->action != VOLUME_NONE)
		partition = json_pack("{s:i, s:I, s:I, s:I}", "number", (int)plan->number, "start",
				      (json_int_t)plan->start, "size", (json_int_t)plan->size,
				      "grow_to", (json_int_t)plan->grow_to);
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "action", volume_action_name(plan->action),
			 "disk",
			 plan->action == VOLUME_NONE ? json_null()
						     : json_text(plan->verdicts[plan->disk].disk),
			 "partition", partition, "steps", steps, "disks", disks_to_json(plan));
}

static json_t *result_to_json(const struct volume_result *result)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:b, s:b, s:o}", "phase",
			 volume_phase_name(result->phase), "error", json_text(result->error),
			 "warning", json_text(result->warning), "disk", json_text(result->disk),
			 "device", json_text(result->device), "mounted",
			 json_text(result->mount_point), "table_written", result->table_written,
			 "formatted", result->formatted, "grown", result->grown, "adopted",
			 result->adopted, "read_only", result->read_only, "plan",
			 plan_to_json(&result->plan));
}

static int print_disks(const struct volume_plan *plan)
{
	static const struct column columns[] = {
		{ "DISK", "disk", false },
		{ "TAKEN", "taken", false },
		{ "WHY", "reason", false },
	};
	json_t *rows = disks_to_json(plan);
	int status = output_table(rows, columns, ARRAY_SIZE(columns));

	json_decref(rows);
	return status;
}

/* value: for JSON and YAML, consumed. text: the table's last lines. */
static int print(const struct context *context, const struct volume_plan *plan, json_t *value,
		 const char *text)
{
	int status;

	if (context->output != OUTPUT_TABLE) {
		status = output_value(context, value);
	} else {
		/* An error that came before any disk was looked at needs no empty table. */
		status = plan->n_verdicts > 0 || text ? print_disks(plan) : EXIT_DONE;
		if (text)
			printf("\n%s\n", text);
	}
	json_decref(value);
	return status;
}

static int run_plan(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(work_done) struct work w = { 0 };
	_cleanup_plan_ struct volume_plan plan = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	int status = parse_options(context, self, argc, argv, &w);

	if (status != COMMAND_OPTIONS_END)
		return status;
	int r = load(context, &w, &diag);
	if (r == 0)
		r = volume_plan(&w.request, &plan, &diag);
	if (r < 0)
		return command_failed(r, &diag);
	const char *last = plan.action == VOLUME_NONE ? "No disk has the volume or has room for it."
			   : !plan.steps	      ? "Nothing is to be done."
						      : NULL;
	status = print(context, &plan, plan_to_json(&plan), last);
	if (context->output == OUTPUT_TABLE && plan.steps) {
		printf("\nWould do:\n");
		STRV_FOREACH (step, plan.steps)
			printf("  %s\n", *step);
	}
	return status != EXIT_DONE ? status : plan.action == VOLUME_NONE ? EXIT_FAILED : EXIT_DONE;
}

static void describe_result(const struct volume_result *result, char **ret)
{
	const struct volume_plan *plan = &result->plan;
	char size[TEXT_SIZE_MAX];
	int r;

	/* A status has the plan of the next run with it: what it would grow has not grown. */
	text_size_iec(plan->grow_to && result->table_written ? plan->grow_to : plan->size, size);
	if (result->mount_point)
		r = asprintf(ret, "%s: " NAME_VOLUME " is %s (%s, %s, mounted at %s)", result->disk,
			     volume_phase_name(result->phase), result->device, size,
			     result->mount_point);
	else
		r = asprintf(ret, "%s: " NAME_VOLUME " is %s (partition %u, %s)", result->disk,
			     volume_phase_name(result->phase), plan->number, size);
	if (r < 0)
		*ret = NULL;
}

static int run_provision(struct context *context, const struct command *self, int argc,
			 char *argv[])
{
	_cleanup_(work_done) struct work w = { 0 };
	_cleanup_volume_result_ struct volume_result result = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_free_ char *text = NULL;
	int status = parse_options(context, self, argc, argv, &w);

	if (status != COMMAND_OPTIONS_END)
		return status;
	int r = load(context, &w, &diag);
	if (r < 0)
		return command_failed(r, &diag);
	r = volume_ensure(&w.request, &result, &diag);
	if (r == 0)
		describe_result(&result, &text);
	if (result.warning)
		log_warning("%s", result.warning);
	status = print(context, &result.plan, result_to_json(&result), text);
	return r < 0 ? command_failed(r, &diag) : status;
}

static int run_status(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(work_done) struct work w = { 0 };
	_cleanup_volume_result_ struct volume_result result = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_free_ char *text = NULL;
	int status = parse_options(context, self, argc, argv, &w);

	if (status != COMMAND_OPTIONS_END)
		return status;
	int r = load(context, &w, &diag);
	if (r < 0)
		return command_failed(r, &diag);
	r = volume_status(&w.request, &result, &diag);
	if (r == 0 && result.disk)
		describe_result(&result, &text);
	else if (r == 0 &&
		 asprintf(&text, NAME_VOLUME " is %s", volume_phase_name(result.phase)) < 0)
		text = NULL;
	if (result.warning)
		log_warning("%s", result.warning);
	status = print(context, &result.plan, result_to_json(&result), text);
	if (r < 0)
		return command_failed(r, &diag);
	return status == EXIT_DONE && result.phase == VOLUME_MISSING ? EXIT_FAILED : status;
}

/* A person at a terminal types the word. */
static bool confirmed(const char *what)
{
	char answer[16] = "";

	if (!isatty(STDIN_FILENO)) {
		log_error("this would wipe %s; without a terminal to ask at, it needs --yes", what);
		return false;
	}
	fprintf(stderr, "This wipes %s. Everything in it is lost.\nType \"yes\" to go on: ", what);
	if (fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0)
		return true;
	log_error("nothing was wiped");
	return false;
}

static int print_wiped(const struct context *context, const struct volume_wipe *wipe)
{
	struct volume_wipe_target t = volume_wipe_target(wipe);

	if (context->output == OUTPUT_TABLE) {
		printf("Wiped %s.\n", volume_wipe_words(wipe));
		return EXIT_DONE;
	}
	json_auto_t *value = json_pack("{s:o, s:{s:i, s:s, s:I, s:I, s:o}}", "disk",
				       json_text(t.disk), "partition", "number", (int)t.number,
				       "name", t.name, "start", (json_int_t)t.start, "size",
				       (json_int_t)t.size, "found", json_text(t.found));
	return output_value(context, value);
}

static int run_wipe(struct context *context, const struct command *self, int argc, char *argv[])
{
	_cleanup_(work_done) struct work w = { 0 };
	_cleanup_(volume_wipe_donep) struct volume_wipe *wipe = NULL;
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	int status = parse_options(context, self, argc, argv, &w);

	if (status != COMMAND_OPTIONS_END)
		return status;
	int r = load(context, &w, &diag);
	if (r == 0)
		r = volume_wipe_prepare(&w.request, &wipe, &diag);
	if (r < 0)
		return command_failed(r, &diag);
	if (!w.yes && !confirmed(volume_wipe_words(wipe)))
		return EXIT_FAILED;
	r = volume_wipe_apply(wipe, &diag);
	if (r < 0)
		return command_failed(r, &diag);
	return print_wiped(context, wipe);
}

#define IMAGE_OPTIONS                                                                              \
	{ "image", "FILE", "work on a disk image instead of disks; needs no root", OPT_IMAGE },    \
		{ "sector-size", "BYTES", "of the image (default 512)", OPT_SECTOR_SIZE },         \
	{                                                                                          \
		"align", "BYTES", "align partitions of the image to more than 1 MiB", OPT_ALIGN    \
	}

static const struct command_option plan_options[] = {
	IMAGE_OPTIONS,
	{ 0 },
};

static const struct command_option provision_options[] = {
	IMAGE_OPTIONS,
	{ "seed", "TEXT", "derive all identifiers from this text, for equal images", OPT_SEED },
	{ 0 },
};

static const struct command_option wipe_options[] = {
	IMAGE_OPTIONS,
	{ "yes", NULL, "do not ask", OPT_YES },
	{ 0 },
};

#define IMAGE_SYNOPSIS "[--image FILE [--sector-size BYTES] [--align BYTES]]"

const struct command command_volume_plan = {
	"volume plan",
	IMAGE_SYNOPSIS,
	"Show what would be done to have the volume, and why, and do nothing",
	plan_options,
	run_plan,
};

const struct command command_volume_provision = {
	"volume provision",
	IMAGE_SYNOPSIS " [--seed TEXT]",
	"Find or make the volume, and mount it",
	provision_options,
	run_provision,
};

const struct command command_volume_status = {
	"volume status", IMAGE_SYNOPSIS, "Show where the volume is", plan_options, run_status,
};

const struct command command_volume_wipe = {
	"volume wipe",
	IMAGE_SYNOPSIS " [--yes]",
	"Delete the volume and everything in it",
	wipe_options,
	run_wipe,
};
