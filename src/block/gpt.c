/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/gpt.h"

#include <libfdisk/libfdisk.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "block/table.h"

typedef struct fdisk_context *context;
typedef struct fdisk_partition *partition;
typedef struct fdisk_parttype *parttype;

DEFINE_CLEANUP(context, fdisk_unref_context);
DEFINE_CLEANUP(partition, fdisk_unref_partition);
DEFINE_CLEANUP(parttype, fdisk_unref_parttype);

/* What libfdisk warns of, and the error that goes with it. */
static void keep(struct fdisk_ask *ask, char **kept)
{
	const char *words = fdisk_ask_print_get_mesg(ask);
	int error =
		fdisk_ask_get_type(ask) == FDISK_ASKTYPE_WARN ? fdisk_ask_print_get_errno(ask) : 0;

	if (!*kept && words)
		*kept = text_format("%s%s%s", words, error ? ": " : "",
				    error ? strerror(error) : "");
}

/* Keeps libfdisk's first warning for the error message; answers nothing else. */
static int keep_warning(struct fdisk_context *cxt, struct fdisk_ask *ask, void *data)
{
	char **kept = data;

	(void)cxt;
	switch (fdisk_ask_get_type(ask)) {
	case FDISK_ASKTYPE_WARN:
	case FDISK_ASKTYPE_WARNX:
		keep(ask, kept);
		return 0;
	case FDISK_ASKTYPE_INFO:
		return 0;
	default:
		return -EINVAL;
	}
}

static int refused(const struct gpt_device *device, const char *operation, int r,
		   const char *warning, struct diag *diag)
{
	if (warning)
		return diag_set(diag, r, "%s: cannot %s: %s", device->path, operation, warning);
	return diag_set(diag, r, "%s: cannot %s: %s", device->path, operation, strerror(-r));
}

static int assign(context cxt, const struct gpt_device *device)
{
	int r = fdisk_disable_dialogs(cxt, 1);

	if (r == 0)
		r = fdisk_save_user_sector_size(cxt, device->sector_size, device->sector_size);
	if (r == 0)
		r = fdisk_assign_device_by_fd(cxt, device->fd, device->path, 0);
	return r;
}

/* One change to the table in memory. */
typedef int (*change_function)(context cxt, const void *argument);

/* Opens, has one change made, writes, lets go. */
static int change(const struct gpt_device *device, bool existing, const char *operation,
		  change_function make, const void *argument, struct diag *diag)
{
	_cleanup_free_ char *warning = NULL;
	_cleanup_(fdisk_unref_contextp) context cxt = fdisk_new_context();

	if (!cxt)
		return -ENOMEM;
	fdisk_set_ask(cxt, keep_warning, &warning);
	int r = assign(cxt, device);
	if (r < 0)
		return refused(device, operation, r, warning, diag);
	if (existing && !fdisk_is_label(cxt, GPT))
		r = -EINVAL;
	if (r == 0)
		r = make(cxt, argument);
	if (r == 0)
		r = fdisk_write_disklabel(cxt);
	int last = fdisk_deassign_device(cxt, 1); /* it flushes once more */
	if (r == 0)
		r = last;
	if (r < 0)
		return refused(device, operation, r, warning, diag);
	return 0;
}

static int fill_partition(context cxt, partition p, const struct gpt_new_entry *entry)
{
	_cleanup_(fdisk_unref_parttypep) parttype type =
		fdisk_label_parse_parttype(fdisk_get_label(cxt, NULL), GPT_TYPE_LINUX_DATA);

	if (!type)
		return -ENOMEM;
	int r = fdisk_partition_set_type(p, type);
	if (r == 0)
		r = fdisk_partition_set_partno(p, entry->number - 1);
	if (r == 0)
		r = fdisk_partition_set_start(p, entry->first);
	if (r == 0)
		r = fdisk_partition_set_size(p, entry->n_sectors);
	if (r == 0)
		r = fdisk_partition_size_explicit(p, 1);
	if (r == 0)
		r = fdisk_partition_set_name(p, entry->name);
	if (r == 0)
		r = fdisk_partition_set_uuid(p, entry->uuid);
	return r;
}

static int make_entry(context cxt, const void *argument)
{
	const struct gpt_new_entry *entry = argument;
	_cleanup_(fdisk_unref_partitionp) partition p = fdisk_new_partition();
	size_t number;

	if (!p)
		return -ENOMEM;
	int r = fill_partition(cxt, p, entry);
	if (r == 0)
		r = fdisk_add_partition(cxt, p, &number);
	if (r == 0 && number != entry->number - 1)
		r = -EINVAL;
	return r;
}

struct new_table {
	const char *disk_uuid;
	const struct gpt_new_entry *entry;
};

static int make_table(context cxt, const void *argument)
{
	const struct new_table *table = argument;
	int r = fdisk_create_disklabel(cxt, "gpt");

	if (r == 0)
		r = fdisk_set_disklabel_id_from_string(cxt, table->disk_uuid);
	return r < 0 ? r : make_entry(cxt, table->entry);
}

int gpt_create(const struct gpt_device *device, const char *disk_uuid,
	       const struct gpt_new_entry *entry, struct diag *diag)
{
	const struct new_table table = { disk_uuid, entry };

	return change(device, false, "write a new GPT", make_table, &table, diag);
}

int gpt_add(const struct gpt_device *device, const struct gpt_new_entry *entry, struct diag *diag)
{
	return change(device, true, "add a partition", make_entry, entry, diag);
}

struct edit {
	unsigned number;
	const char *name;   /* NULL: keep */
	uint64_t n_sectors; /* 0: keep */
};

static int make_edit(context cxt, const void *argument)
{
	const struct edit *edit = argument;
	_cleanup_(fdisk_unref_partitionp) partition p = fdisk_new_partition();
	int r = 0;

	if (!p)
		return -ENOMEM;
	if (edit->name)
		r = fdisk_partition_set_name(p, edit->name);
	if (r == 0 && edit->n_sectors) {
		r = fdisk_partition_set_size(p, edit->n_sectors);
		if (r == 0)
			r = fdisk_partition_size_explicit(p, 1);
	}
	return r < 0 ? r : fdisk_set_partition(cxt, edit->number - 1, p);
}

int gpt_rename(const struct gpt_device *device, unsigned number, const char *name,
	       struct diag *diag)
{
	const struct edit edit = { .number = number, .name = name };

	return change(device, true, "rename the partition", make_edit, &edit, diag);
}

int gpt_resize(const struct gpt_device *device, unsigned number, uint64_t n_sectors,
	       struct diag *diag)
{
	const struct edit edit = { .number = number, .n_sectors = n_sectors };

	return change(device, true, "grow the partition", make_edit, &edit, diag);
}

static int make_deletion(context cxt, const void *argument)
{
	return fdisk_delete_partition(cxt, *(const unsigned *)argument - 1);
}

int gpt_delete(const struct gpt_device *device, unsigned number, struct diag *diag)
{
	return change(device, true, "delete the partition", make_deletion, &number, diag);
}

static int make_nothing(context cxt, const void *argument)
{
	(void)argument;
	fdisk_label_set_changed(fdisk_get_label(cxt, NULL), 1);
	return 0;
}

int gpt_repair(const struct gpt_device *device, struct diag *diag)
{
	return change(device, true, "mend the GPT", make_nothing, NULL, diag);
}
