/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/disk.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "block/disk_fields.h"
#include "block/sysfs.h"

#define SYS_BLOCK "sys/block"

/* The disk's directory, and its path from the root, or "" if no field that is wanted needs that. */
static int open_disk(const struct disk_reader *reader, const char *link,
		     char path[static DISK_ATTRIBUTE_MAX])
{
	if (reader->fields & DISK_FIELDS_OF_PATH)
		return sysfs_open_device(reader->root, link, path);
	*path = '\0';
	return openat(reader->root, link, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Returns 1 and the disk if it is listed, 0 if not. */
static int read_disk(const struct disk_reader *reader, const char *name, struct disk *ret)
{
	char link[sizeof(SYS_BLOCK "/") + NAME_MAX], path[DISK_ATTRIBUTE_MAX];
	struct disk disk = { 0 };

	snprintf(link, sizeof(link), SYS_BLOCK "/%.*s", NAME_MAX, name);
	_cleanup_close_ int dir = open_disk(reader, link, path);
	if (dir < 0) /* it is just going away */
		return 0;
	int r = disk_read(reader, name, dir, path, &disk);
	if (r <= 0)
		disk_done(&disk);
	else
		*ret = disk;
	return r;
}

static int add_disk(struct disk_list *list, struct disk *disk)
{
	if ((list->n_disks & (list->n_disks - 1)) == 0) {
		size_t room = list->n_disks ? list->n_disks * 2 : 1;
		struct disk *larger = realloc(list->disks, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		list->disks = larger;
	}
	list->disks[list->n_disks++] = *disk;
	return 0;
}

static int read_entry(const struct disk_reader *reader, const char *name, struct disk_list *list,
		      struct diag *diag)
{
	struct disk disk;

	if (*name == '.' || !text_is_utf8(name, strlen(name)))
		return 0;
	int r = read_disk(reader, name, &disk);
	if (r <= 0)
		return r;
	if (list->n_disks >= DISKS_MAX)
		r = diag_set(diag, -E2BIG, "there are more than %d disks", DISKS_MAX);
	else
		r = add_disk(list, &disk);
	if (r < 0)
		disk_done(&disk);
	return r;
}

static int compare_disks(const void *a, const void *b)
{
	return natural_compare(((const struct disk *)a)->name, ((const struct disk *)b)->name);
}

static int read_all(const struct disk_reader *reader, const char *root, struct disk_list *list,
		    struct diag *diag)
{
	_cleanup_closedir_ DIR *dir = opendir_at(reader->root, SYS_BLOCK, 0);
	int r = 0;

	if (!dir)
		return diag_set(diag, -errno, "cannot list the disks in %s/" SYS_BLOCK ": %s",
				root ? root : "", strerror(errno));
	for (struct dirent *e = readdir(dir); e && r == 0; e = readdir(dir))
		r = read_entry(reader, e->d_name, list, diag);
	if (r == 0 && list->n_disks)
		qsort(list->disks, list->n_disks, sizeof(*list->disks), compare_disks);
	return r;
}

static int reader_init(struct disk_reader *reader, const char *root, uint64_t fields)
{
	*reader = (struct disk_reader){ .root = sysfs_open_root(root),
					.real = !root,
					.fields = fields };
	if (reader->root < 0)
		return reader->root;
	return fields & DISK_FIELDS(DISK_FIELD_SYMLINKS)
		       ? dev_links_read(reader->root, &reader->links)
		       : 0;
}

static void reader_done(struct disk_reader *reader)
{
	reader->root = close_fd(reader->root);
	dev_links_done(&reader->links);
}

int disk_list_read(const char *root, uint64_t fields, struct disk_list *ret, struct diag *diag)
{
	_cleanup_(reader_done) struct disk_reader reader;
	_cleanup_disk_list_ struct disk_list list = { 0 };
	int r = reader_init(&reader, root, fields);

	if (r < 0)
		return diag_set(diag, r, "cannot open %s: %s", root ? root : "/", strerror(-r));
	r = read_all(&reader, root, &list, diag);
	if (r < 0)
		return r;
	*ret = list;
	list = (struct disk_list){ 0 };
	return 0;
}

int disk_complete(const char *root, struct disk *disk)
{
	_cleanup_(reader_done) struct disk_reader reader = { .root = -1 };
	uint64_t fields = DISK_FIELDS_ALL;
	struct disk anew;

	if (disk_is_whole(disk))
		return 0;
	if (!(disk->read & DISK_FIELDS(DISK_FIELD_SYMLINKS)))
		fields &= ~DISK_FIELDS(DISK_FIELD_SYMLINKS);
	int r = reader_init(&reader, root, fields);
	r = r < 0 ? r : read_disk(&reader, disk->name, &anew);
	if (r < 0)
		return r;
	if (r == 0) {
		free(disk->error);
		disk->error = strdup("is gone");
		return disk->error ? 0 : -ENOMEM;
	}
	anew.system_disk = disk->system_disk;
	disk_done(disk);
	*disk = anew;
	return 0;
}

void disk_list_done(struct disk_list *list)
{
	for (size_t i = 0; i < list->n_disks; i++)
		disk_done(&list->disks[i]);
	free(list->disks);
	*list = (struct disk_list){ 0 };
}

const char *disk_sys_path(const struct disk *disk)
{
	return ((const struct disk_private *)disk->private_)->sys_path;
}

static bool disk_is_called(const struct disk *disk, const char *name)
{
	if (strcmp(disk->name, name) == 0 || strcmp(disk->fields.dev_path, name) == 0)
		return true;
	return strv_contains((char *const *)disk->fields.symlinks, name);
}

const struct disk *disk_list_find(const struct disk_list *list, const char *name)
{
	for (size_t i = 0; i < list->n_disks; i++)
		if (disk_is_called(&list->disks[i], name))
			return &list->disks[i];
	return NULL;
}
