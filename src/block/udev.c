/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/udev.h"

#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "block/wait.h"

#define UDEV_DATABASE "/run/udev/data/b%u:%u"

static bool is_missing(const struct disk *disk, uint64_t fields)
{
	char path[64];

	if (disk->error || disk->fields.size == 0 || disk->major == FLOPPY_MAJOR)
		return false;
	if (!(fields & DISK_FIELDS(DISK_FIELD_SYMLINKS)) &&
	    !(fields & DISK_FIELDS(DISK_FIELD_SERIAL) && *disk->fields.serial == '\0'))
		return false;
	snprintf(path, sizeof(path), UDEV_DATABASE, disk->major, disk->minor);
	return access(path, F_OK) < 0;
}

static const struct disk *first_missing(const struct disk_list *list, uint64_t fields)
{
	for (size_t i = 0; i < list->n_disks; i++)
		if (is_missing(&list->disks[i], fields))
			return &list->disks[i];
	return NULL;
}

struct completion {
	uint64_t fields;
	char missing[64]; /* the path of a disk; or empty */
};

static int is_complete(struct disk_list *list, void *user)
{
	struct completion *c = user;
	const struct disk *disk = first_missing(list, c->fields);

	snprintf(c->missing, sizeof(c->missing), "%s", disk ? disk->fields.dev_path : "");
	return !disk;
}

/* What is not known of a disk may be what excludes it: no selector is to be true for it. */
static int give_up_missing(uint64_t fields, struct disk_list *list)
{
	for (size_t i = 0; i < list->n_disks; i++) {
		struct disk *disk = &list->disks[i];
		if (!is_missing(disk, fields))
			continue;
		disk->error = text_format("udev did not tell within %d s what it knows of it, and "
					  "the selector asks for that",
					  UDEV_WAIT_MS / 1000);
		if (!disk->error)
			return -ENOMEM;
	}
	return 0;
}

int udev_complete(uint64_t fields, struct disk_list *list, struct diag *diag)
{
	_cleanup_disk_list_ struct disk_list anew = { 0 };
	struct completion c = { .fields = fields };

	if (access(UDEV_CONTROL, F_OK) < 0 || !first_missing(list, fields))
		return 0;
	int r = disk_wait(UDEV_WAIT_MS, is_complete, &c, &anew, diag);
	if (r == -ETIMEDOUT && give_up_missing(fields, list) < 0)
		return -ENOMEM;
	if (r == -ETIMEDOUT)
		return diag_set(
			diag, r,
			"udev did not tell within %d s what it knows of %s: its names in /dev/disk "
			"and its serial number may be missing, so it is not used; is systemd-udevd running?",
			UDEV_WAIT_MS / 1000, c.missing);
	if (r < 0)
		return r;
	disk_list_done(list);
	*list = anew;
	anew = (struct disk_list){ 0 };
	return 0;
}
