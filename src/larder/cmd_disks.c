/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* larder disks: the disks of this machine as selectors see them, and which of them a selector matches. */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "block/disk.h"
#include "block/match.h"
#include "block/system_disk.h"
#include "config/machine_config.h"
#include "larder/commands.h"
#include "larder/load_config.h"
#include "larder/output.h"

enum {
	OPT_MATCH = 256,
};

static const struct command_option options[] = {
	{ "match", "EXPR", "also say per disk whether this selector matches it", OPT_MATCH },
	{ 0 },
};

/* Everything that one run looked at. */
struct inquiry {
	struct disk_list disks;
	char *system_reason;
	struct selector *selector; /* NULL: no --match */
	struct match_list matches;
};

static void inquiry_done(struct inquiry *q)
{
	match_list_done(&q->matches);
	selector_free(q->selector);
	disk_list_done(&q->disks);
	free(q->system_reason);
}

static const struct disk_match *match_of(const struct inquiry *q, size_t i)
{
	return q->selector ? &q->matches.matches[i] : NULL;
}

static json_t *json_list(const char *const *list)
{
	json_t *array = json_array();

	for (; list && *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

/* JSON's integers end at 2^63, and so do disks. */
static json_t *json_bytes(uint64_t bytes)
{
	return json_integer(bytes > INT64_MAX ? INT64_MAX : (json_int_t)bytes);
}

/* Every field, in the order and with the names that expressions use; system_disk is the variable of that name. */
static json_t *fields_json(const struct disk *disk)
{
	const struct disk_fields *f = &disk->fields;

	return json_pack(
		"{s:s, s:o, s:s, s:o, s:o, s:b, s:b, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s, "
		"s:s, s:s, s:o, s:o, s:b}",
		"dev_path", f->dev_path, "size", json_bytes(f->size), "pretty_size", f->pretty_size,
		"io_size", json_bytes(f->io_size), "sector_size", json_bytes(f->sector_size),
		"readonly", f->readonly, "cdrom", f->cdrom, "rotational", f->rotational, "model",
		f->model, "serial", f->serial, "modalias", f->modalias, "wwid", f->wwid, "uuid",
		f->uuid, "bus_path", f->bus_path, "sub_system", f->sub_system, "transport",
		f->transport, "firmware_version", f->firmware_version, "symlinks",
		json_list(f->symlinks), "secondary_disks", json_list(f->secondary_disks),
		"system_disk", disk->system_disk);
}

static const char *answer_word(const struct disk_match *match)
{
	return match->answer == MATCH_ERROR ? "error" : match_text(match);
}

/* The fields, "error" if the disk cannot be used, and "match" (yes, no, error) with "reason". */
static json_t *disk_json(const struct disk *disk, const struct disk_match *match)
{
	json_t *object = fields_json(disk);

	if (disk->error)
		json_object_set_new(object, "error", json_string(disk->error));
	if (match)
		json_object_set_new(object, "match", json_string(answer_word(match)));
	if (match && match->reason)
		json_object_set_new(object, "reason", json_string(match->reason));
	return object;
}

/* What a person wants to see of a disk in one line. */
static json_t *disk_row(const struct disk *disk, const struct disk_match *match)
{
	const struct disk_fields *f = &disk->fields;
	const char *kind = f->cdrom ? "cdrom" : f->rotational ? "rotational" : "flash";
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "disk", f->dev_path, "size",
				f->pretty_size, "kind", kind, "transport", f->transport, "model",
				f->model, "serial", f->serial, "system", disk->system_disk);

	if (match)
		json_object_set_new(row, "last", json_string(match_text(match)));
	else if (disk->error)
		json_object_set_new(row, "last", json_string(disk->error));
	return row;
}

static int print_list(const struct context *context, const struct inquiry *q)
{
	const struct column columns[] = {
		{ "DISK", "disk", false },
		{ "SIZE", "size", true },
		{ "KIND", "kind", false },
		{ "TRANSPORT", "transport", false },
		{ "MODEL", "model", false },
		{ "SERIAL", "serial", false },
		{ "SYSTEM DISK", "system", false },
		{ q->selector ? "MATCH" : "PROBLEM", "last", false },
	};
	size_t n_columns = ARRAY_SIZE(columns), n_errors = 0;
	json_t *list = json_array(), *rows = json_array(), *value = json_object();

	for (size_t i = 0; i < q->disks.n_disks; i++) {
		const struct disk *disk = &q->disks.disks[i];
		json_array_append_new(list, disk_json(disk, match_of(q, i)));
		json_array_append_new(rows, disk_row(disk, match_of(q, i)));
		n_errors += disk->error != NULL;
	}
	json_object_set_new(value, "disks", list);
	json_object_set_new(value, "system_disk_reason",
			    q->system_reason ? json_string(q->system_reason) : json_null());
	if (!q->selector && n_errors == 0)
		n_columns--;
	int status = output_rows(context, value, rows, columns, n_columns);
	json_decref(rows);
	json_decref(value);
	return status;
}

/* One disk: a line per field. */
static int print_disk(const struct context *context, const struct inquiry *q, size_t i)
{
	static const struct column columns[] = { { "FIELD", "field", false },
						 { "VALUE", "value", false } };
	json_t *object = disk_json(&q->disks.disks[i], match_of(q, i)), *rows = json_array(),
	       *value;
	const char *key;

	json_object_foreach (object, key, value)
		json_array_append_new(rows, json_pack("{s:s, s:O}", "field", key, "value", value));
	int status = output_rows(context, object, rows, columns, ARRAY_SIZE(columns));
	json_decref(rows);
	json_decref(object);
	return status;
}

/*
 * A machine config that cannot be read says nothing about disks, and larder config check says what is wrong with it; but one that was
 * asked for by name is missed.
 */
static int read_config(const struct context *context, struct machine_config **ret,
		       struct diag *diag)
{
	_cleanup_diag_ struct diag own = DIAG_INIT;

	if (context->config_files)
		return load_config(context, NULL, ret, diag);
	int r = load_config(context, NULL, ret, &own);
	if (r < 0)
		log_warning("the system disk is looked for without the machine config: %s",
			    own.message ? diag_text(&own) : strerror(-r));
	return 0;
}

static int compile(struct inquiry *q, const char *expression, struct diag *diag)
{
	int r = selector_compile(SELECTOR_DISK, expression, &q->selector, diag);

	if (r < 0 && !diag->source)
		diag->source = strdup("--match");
	return r;
}

static int look(const struct context *context, const char *expression, struct inquiry *q,
		struct diag *diag)
{
	_cleanup_(machine_config_freep) struct machine_config *config = NULL;
	int r = expression ? compile(q, expression, diag) : 0;

	if (r == 0)
		r = disk_list_read(context->root, DISK_FIELDS_ALL, &q->disks, diag);
	r = r < 0 ? r : read_config(context, &config, diag);
	r = r < 0 ? r
		  : system_disk_find(context->root, &q->disks, config ? &config->install : NULL,
				     &q->system_reason, diag);
	return r < 0 || !q->selector ? r : match_disks(q->selector, &q->disks, &q->matches);
}

static int no_such_disk(const struct inquiry *q, const char *name)
{
	_cleanup_free_ const char **names = calloc(q->disks.n_disks + 1, sizeof(char *));
	const char *near = NULL, *word = name;

	/* "/dev/" alone makes nothing near. */
	if (text_starts_with(word, "/dev/"))
		word += strlen("/dev/");
	for (size_t i = 0; names && i < q->disks.n_disks; i++)
		names[i] = q->disks.disks[i].name;
	if (names)
		near = text_nearest(word, names, q->disks.n_disks);
	if (near)
		log_error("there is no disk \"%s\"; did you mean \"%.*s%s\"?", name,
			  (int)(word - name), name, near);
	else
		log_error("there is no disk \"%s\"; \"larder disks\" lists those that are there",
			  name);
	return EXIT_FAILED;
}

static int answer(const struct context *context, const struct inquiry *q, const char *name)
{
	if (!name)
		return print_list(context, q);
	const struct disk *disk = disk_list_find(&q->disks, name);
	if (!disk)
		return no_such_disk(q, name);
	return print_disk(context, q, (size_t)(disk - q->disks.disks));
}

static int run_disks(struct context *context, const struct command *self, int argc, char *argv[])
{
	const char *expression = NULL;
	struct inquiry q = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	for (int o; (o = command_next_option(context, self, argc, argv)) != COMMAND_OPTIONS_END;) {
		if (o == COMMAND_DONE)
			return EXIT_DONE;
		if (o != OPT_MATCH)
			return EXIT_USAGE;
		expression = optarg;
	}
	if (argc - optind > 1)
		return command_usage(self, "one disk at a time, not %d", argc - optind);
	int r = look(context, expression, &q, &diag);
	int status = r < 0 ? command_failed(r, &diag) : answer(context, &q, argv[optind]);
	inquiry_done(&q);
	return status;
}

const struct command command_disks = {
	.name = "disks",
	.synopsis = "[DEV] [--match EXPR]",
	.summary = "Show disks as selectors see them",
	.options = options,
	.run = run_disks,
};
