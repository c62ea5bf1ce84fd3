/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/disks-input.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "block/cmdline.h"
#include "block/mounts.h"
#include "block/probe.h"
#include "block/system_disk.h"
#include "cel/selector_fields.h"
#include "lib/tree.h"

#define must(truth)                                                                                \
	do {                                                                                       \
		if (!(truth))                                                                      \
			abort();                                                                   \
	} while (0)

/* What a selector sees is text, complete and bounded. */
static void check_text(const char *text)
{
	must(text);
	must(strlen(text) < DISK_ATTRIBUTE_MAX + 64);
	must(text_is_utf8(text, strlen(text)));
}

static void check_list(const char *const *list)
{
	for (; list && *list; list++)
		check_text(*list);
}

static void check_disk(const struct disk *disk)
{
	const struct disk_fields *f = &disk->fields;
	const char *const texts[] = { f->dev_path,  f->pretty_size,	f->model,
				      f->serial,    f->modalias,	f->wwid,
				      f->uuid,	    f->bus_path,	f->sub_system,
				      f->transport, f->firmware_version };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		check_text(texts[i]);
	check_list(f->symlinks);
	check_list(f->secondary_disks);
	must(f->size > 0 || f->cdrom);
	must(f->io_size > 0 && (f->io_size & (f->io_size - 1)) == 0);
	must(f->sector_size > 0 && (f->sector_size & (f->sector_size - 1)) == 0);
	must(text_starts_with(f->dev_path, "/dev/"));
}

static void check_disks(const struct disk_list *list)
{
	for (size_t i = 0; i < list->n_disks; i++) {
		check_disk(&list->disks[i]);
		must(i == 0 || natural_compare(list->disks[i - 1].name, list->disks[i].name) < 0);
		must(disk_list_find(list, list->disks[i].name));
	}
}

static bool same_lists(const char *const *a, const char *const *b)
{
	size_t n = 0;

	for (; a && a[n]; n++)
		if (!b || !b[n] || strcmp(a[n], b[n]) != 0)
			return false;
	return !b || !b[n];
}

static bool same_field(const struct cel_field *field, const struct disk *a, const struct disk *b)
{
	const char *x = (const char *)&a->fields + field->offset;
	const char *y = (const char *)&b->fields + field->offset;

	switch (field->kind) {
	case CEL_FIELD_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case CEL_FIELD_UINT:
		return *(const uint64_t *)x == *(const uint64_t *)y;
	case CEL_FIELD_STRING:
		return strcmp(*(const char *const *)x, *(const char *const *)y) == 0;
	default:
		return same_lists(*(const char *const *const *)x, *(const char *const *const *)y);
	}
}

/* One field of a disk is the same whether or not the others are read, and a disk that is completed is as if it had been read whole. */
static void check_one_field(const char *root, const struct disk_list *whole, size_t field)
{
	_cleanup_disk_list_ struct disk_list narrow = { 0 };

	must(disk_list_read(root, DISK_FIELDS(field), &narrow, NULL) == 0);
	for (size_t i = 0; i < narrow.n_disks; i++) {
		struct disk *disk = &narrow.disks[i];
		const struct disk *other = disk_list_find(whole, disk->name);
		must(!disk_is_whole(disk) && disk->read & DISK_FIELDS(field));
		must(!other || same_field(&selector_disk_type.fields[field], disk, other));
		must(disk_complete(root, disk) == 0);
		must(other ? disk_is_whole(disk) : disk->error != NULL);
		for (size_t k = 0; other && k < selector_disk_type.n_fields; k++)
			must(!(disk->read & DISK_FIELDS(k)) ||
			     same_field(&selector_disk_type.fields[k], disk, other));
	}
	/* No disk is lost, but where a link leads there on paper alone. */
	for (size_t i = 0; i < whole->n_disks; i++) {
		_cleanup_free_ char *link =
			text_format("%s/sys/block/%s", root, whole->disks[i].name);
		must(disk_list_find(&narrow, whole->disks[i].name) || access(link, F_OK) < 0);
	}
}

/* The system disk is the same one, however little is read. */
static void check_system_disk(const char *root, const struct disk_list *whole,
			      const struct install_config *install)
{
	_cleanup_disk_list_ struct disk_list narrow = { 0 };

	must(disk_list_read(root, system_disk_fields(install), &narrow, NULL) == 0);
	/* What no kernel lists as a disk may be taken for one as long as little is read of it. */
	if (narrow.n_disks != whole->n_disks)
		return;
	must(system_disk_find(root, &narrow, install, NULL, NULL) == 0);
	for (size_t i = 0; i < narrow.n_disks; i++) {
		const struct disk *other = disk_list_find(whole, narrow.disks[i].name);
		must(!other || other->system_disk == narrow.disks[i].system_disk);
	}
}

static void check_volumes(const struct volume_list *list)
{
	for (size_t i = 0; i < list->n_volumes; i++) {
		const struct volume_fields *f = &list->volumes[i].fields;
		const char *const texts[] = { f->dev_path,	 f->type,
					      f->device_path,	 f->parent,
					      f->name,		 f->parent_dev_path,
					      f->uuid,		 f->label,
					      f->pretty_size,	 f->partition_label,
					      f->partition_uuid, f->partition_type };
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
			must(texts[k]);
		must(list->volumes[i].disk);
	}
}

static void read_machine(const char *root)
{
	_cleanup_disk_list_ struct disk_list disks = { 0 };
	_cleanup_volume_list_ struct volume_list volumes = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	_cleanup_free_ char *reason = NULL;
	const struct install_config install = { .disk = (char *)"/dev/disk/by-id/x" };

	if (disk_list_read(root, DISK_FIELDS_ALL, &disks, &diag) < 0) {
		must(diag.message);
		return;
	}
	check_disks(&disks);
	for (size_t i = 0; i < selector_disk_type.n_fields; i++)
		check_one_field(root, &disks, i);
	must(volume_list_read(root, &disks, &volumes, &diag) == 0);
	check_volumes(&volumes);
	must(system_disk_find(root, &disks, NULL, &reason, &diag) == 0);
	size_t n_system = 0;
	for (size_t i = 0; i < disks.n_disks; i++)
		n_system += disks.disks[i].system_disk;
	must((n_system > 0) == (reason != NULL));
	check_system_disk(root, &disks, NULL);
	must(system_disk_find(root, &disks, &install, NULL, &diag) == 0);
	check_system_disk(root, &disks, &install);
}

/* The parsers by themselves, on bytes that no tree could bring to them. */
static void parse_text(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	_cleanup_mounts_ struct mounts mounts = { 0 };
	_cleanup_root_option_ struct root_option option = { 0 };

	must(text && mounts_parse(text, &mounts) == 0);
	for (size_t i = 0; i < mounts.n_entries; i++) {
		_cleanup_strv_ char **dirs = NULL;
		must(mount_overlay_dirs(&mounts.entries[i], &dirs) == 0);
		must(mounts_at(&mounts, mounts.entries[i].point));
	}
	must(root_option_parse(text, &option) == 0);
	must(option.kind == ROOT_NONE || option.value);
}

void disks_input(const uint8_t *data, size_t size)
{
	char root[] = "/dev/shm/larder-fuzz-disks.XXXXXX";

	parse_text(data, size);
	must(mkdtemp(root));
	int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(dir >= 0);
	(void)tree_unpack(dir, (const char *)data, size, 0, NULL);
	close_fd(dir);
	read_machine(root);
	must(remove_tree_at(AT_FDCWD, root) == 0);
}
