/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/sys_partitions.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "block/sysfs.h"

#define SECTOR 512 /* of /sys */

void sys_partitions_done(struct sys_partitions *k)
{
	for (size_t i = 0; i < k->n_items; i++) {
		free(k->items[i].name);
		free(k->items[i].dev_path);
		free(k->items[i].label);
		free(k->items[i].uuid);
	}
	free(k->items);
	*k = (struct sys_partitions){ 0 };
}

static char *uevent_text(const char *uevent, const char *key)
{
	size_t size;
	const char *value = sysfs_line_value(uevent, key, &size);

	return value ? strndup(value, size) : NULL;
}

/* Sectors of /sys to bytes. */
static uint64_t sectors_of(int dir, const char *attribute)
{
	uint64_t sectors = 0, bytes = 0;

	(void)sysfs_number(dir, attribute, &sectors);
	return __builtin_mul_overflow(sectors, SECTOR, &bytes) ? 0 : bytes;
}

static int add_sys_partition(struct sys_partitions *k, int dir, const char *name)
{
	char uevent[DISK_ATTRIBUTE_MAX];
	uint64_t number;

	if (sysfs_number(dir, "partition", &number) < 0)
		return 0;
	struct sys_partition *larger = realloc(k->items, (k->n_items + 1) * sizeof(*k->items));
	if (!larger)
		return -ENOMEM;
	k->items = larger;
	sysfs_text(dir, "uevent", uevent);
	_cleanup_free_ char *node = uevent_text(uevent, "DEVNAME");
	struct sys_partition p = {
		.name = strdup(name),
		.label = uevent_text(uevent, "PARTNAME"),
		.uuid = uevent_text(uevent, "PARTUUID"),
		.offset = sectors_of(dir, "start"),
		.size = sectors_of(dir, "size"),
		.number = number,
	};
	p.dev_path = text_format("/dev/%s", node ? node : name);
	k->items[k->n_items++] = p;
	return p.name && p.dev_path ? 0 : -ENOMEM;
}

static int compare_sys_partitions(const void *a, const void *b)
{
	const struct sys_partition *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Partitions are directories in the disk's own, named after it. */
int sys_partitions_read(int root, const struct disk *disk, struct sys_partitions *k)
{
	_cleanup_closedir_ DIR *dir = opendir_at(root, disk_sys_path(disk) + 1, 0);
	int r = 0;

	if (!dir)
		return errno == ENOMEM ? -ENOMEM : 0;
	for (struct dirent *e = readdir(dir); e && r == 0; e = readdir(dir)) {
		if (!text_starts_with(e->d_name, disk->name))
			continue;
		_cleanup_close_ int partition =
			openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (partition >= 0)
			r = add_sys_partition(k, partition, e->d_name);
	}
	if (k->n_items)
		qsort(k->items, k->n_items, sizeof(*k->items), compare_sys_partitions);
	return r;
}
