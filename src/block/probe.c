/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/probe.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/major.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "block/blkid_probe.h"
#include "block/sys_partitions.h"
#include "block/sysfs.h"

/* What a volume owns. Its fields point into it, or into its disk. */
struct volume_private {
	char **texts;
};

/* One disk being read. */
struct scan {
	int root;
	bool real;
	const struct disk *disk;
	int fd; /* of the disk; -1: no device is opened */
	struct sys_partitions kernel;
	struct volume_list *list;
	struct diag *diag;
};

static void volume_done(struct volume *v)
{
	struct volume_private *p = v->private_;

	if (p)
		strv_free(p->texts);
	free(p);
	free(v->error);
}

static int keep(struct volume *v, const char **field, const char *text)
{
	struct volume_private *p = v->private_;
	char *copy = text && *text ? strdup(text) : NULL;

	if (!text || *text == '\0')
		return 0;
	int r = strv_take(&p->texts, copy);
	if (r == 0)
		*field = copy;
	return r;
}

static int keep_path(struct volume *v, const char **field, const char *directory, const char *name)
{
	_cleanup_free_ char *path = text_format("%s/%s", directory, name);

	if (!path)
		return -ENOMEM;
	return keep(v, field, path);
}

static int add_volume(struct scan *s, struct volume **ret)
{
	struct volume_list *list = s->list;

	if (list->n_volumes >= VOLUMES_MAX)
		return diag_set(s->diag, -E2BIG, "there are more than %d disks and partitions",
				VOLUMES_MAX);
	if ((list->n_volumes & (list->n_volumes - 1)) == 0) {
		size_t room = list->n_volumes ? list->n_volumes * 2 : 1;
		struct volume *larger = realloc(list->volumes, room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		list->volumes = larger;
	}
	struct volume_private *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	struct volume *v = &list->volumes[list->n_volumes++];
	const struct disk_fields *disk = &s->disk->fields;
	*v = (struct volume){
		.fields = { .sector_size = disk->sector_size,
			    .io_size = disk->io_size,
			    .dev_path = "",
			    .type = "",
			    .device_path = "",
			    .parent = "",
			    .parent_dev_path = "",
			    .pretty_size = "",
			    .name = "",
			    .uuid = "",
			    .label = "",
			    .partition_uuid = "",
			    .partition_type = "",
			    .partition_label = "" },
		.disk = s->disk,
		.private_ = p,
	};
	*ret = v;
	return 0;
}

static int set_size(struct volume *v, uint64_t size)
{
	char text[TEXT_SIZE_MAX];

	v->fields.size = size;
	return keep(v, &v->fields.pretty_size, text_size_si(size, text));
}

static int set_found(struct volume *v, const struct probed *found)
{
	int r = keep(v, &v->fields.name, found->name);

	r = r < 0 ? r : keep(v, &v->fields.uuid, found->uuid);
	r = r < 0 ? r : keep(v, &v->fields.label, found->label);
	v->fields.block_size = found->block_size;
	v->fields.filesystem_block_size = found->filesystem_block_size;
	v->fields.probed_size = found->filesystem_size;
	return r;
}

/* What cannot be read is the volume's own trouble. */
static int set_error(struct volume *v, int err)
{
	const char *why =
		err == -EBADMSG ? "signatures that contradict each other" : strerror(-err);

	if (err == -ENOMEM)
		return err;
	v->error = strdup(why);
	return v->error ? 0 : -ENOMEM;
}

static struct sys_partition *find_sys_partition(struct scan *s, uint64_t offset)
{
	for (size_t i = 0; i < s->kernel.n_items; i++)
		if (s->kernel.items[i].offset == offset)
			return &s->kernel.items[i];
	return NULL;
}

static int probe_range(const struct scan *s, struct volume *v, int fd, uint64_t offset)
{
	_cleanup_probed_ struct probed found = { 0 };

	if (!s->real)
		return 0;
	int r = fd < 0 ? fd : blkid_look(fd, offset, v->fields.size, 0, &found);
	return r < 0 ? set_error(v, r) : set_found(v, &found);
}

/* The partition through its own device if the kernel has one: the same bytes are cached there for its filesystem. */
static int probe_partition(const struct scan *s, struct volume *v)
{
	if (!s->real || !v->in_kernel)
		return probe_range(s, v, s->fd, v->fields.offset);
	_cleanup_close_ int fd =
		open(v->fields.dev_path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return probe_range(s, v, fd < 0 ? -errno : fd, 0);
}

/* "sda" and 1 → "sda1"; "nvme0n1" and 1 → "nvme0n1p1". */
static int partition_dev_path(const struct disk *disk, uint64_t number, char **ret)
{
	const char *path = disk->fields.dev_path;
	bool digit = isdigit((unsigned char)path[strlen(path) - 1]);

	*ret = text_format("%s%s%llu", path, digit ? "p" : "", (unsigned long long)number);
	return *ret ? 0 : -ENOMEM;
}

static int set_place(struct volume *v, const struct sys_partition *kernel)
{
	const struct disk *disk = v->disk;
	int r;

	v->fields.type = "partition";
	v->fields.parent = disk->name;
	v->fields.parent_dev_path = disk->fields.dev_path;
	v->in_kernel = kernel != NULL;
	if (kernel) {
		r = keep(v, &v->fields.dev_path, kernel->dev_path);
		return r < 0 ? r
			     : keep_path(v, &v->fields.device_path, disk_sys_path(disk),
					 kernel->name);
	}
	_cleanup_free_ char *path = NULL;
	r = partition_dev_path(disk, v->fields.partition_index, &path);
	r = r < 0 ? r : keep(v, &v->fields.dev_path, path);
	return r < 0 ? r
		     : keep_path(v, &v->fields.device_path, disk_sys_path(disk),
				 sysfs_base_name(path));
}

/* One partition, from the table, the kernel, or both; one of them may be NULL. */
static int add_partition(struct scan *s, const struct probed_partition *table,
			 struct sys_partition *kernel)
{
	struct volume *v;
	int r = add_volume(s, &v);

	if (r < 0)
		return r;
	v->fields.offset = table ? table->offset : kernel->offset;
	v->fields.partition_index = kernel ? kernel->number : table->number;
	r = set_size(v, kernel ? kernel->size : table->size);
	r = r < 0 ? r : set_place(v, kernel);
	r = r < 0 ? r : keep(v, &v->fields.partition_label, table ? table->label : kernel->label);
	r = r < 0 ? r : keep(v, &v->fields.partition_uuid, table ? table->uuid : kernel->uuid);
	if (table)
		r = r < 0 ? r : keep(v, &v->fields.partition_type, table->type);
	if (kernel)
		kernel->listed = true;
	return r < 0 ? r : probe_partition(s, v);
}

/* Both lists are by offset; those that only the kernel knows come in where they belong. */
static int add_partitions(struct scan *s, const struct probed *found)
{
	size_t k = 0;
	int r = 0;

	for (size_t i = 0; i < found->n_partitions && r == 0; i++) {
		const struct probed_partition *table = &found->partitions[i];
		for (; k < s->kernel.n_items && s->kernel.items[k].offset < table->offset; k++)
			if (!s->kernel.items[k].listed && r == 0)
				r = add_partition(s, NULL, &s->kernel.items[k]);
		if (r == 0)
			r = add_partition(s, table, find_sys_partition(s, table->offset));
	}
	for (; k < s->kernel.n_items && r == 0; k++)
		if (!s->kernel.items[k].listed)
			r = add_partition(s, NULL, &s->kernel.items[k]);
	return r;
}

static int add_disk_itself(struct scan *s, struct probed *found)
{
	struct volume *v;
	int r = add_volume(s, &v);

	if (r < 0)
		return r;
	v->fields.type = "disk";
	v->in_kernel = true;
	v->fields.size = s->disk->fields.size;
	v->fields.dev_path = s->disk->fields.dev_path;
	v->fields.pretty_size = s->disk->fields.pretty_size;
	v->fields.device_path = disk_sys_path(s->disk);
	if (!s->real)
		return 0;
	r = s->fd < 0 ? s->fd : blkid_look(s->fd, 0, 0, 1, found);
	return r < 0 ? set_error(v, r) : set_found(v, found);
}

static int scan_disk(struct scan *s)
{
	_cleanup_probed_ struct probed found = { 0 };
	int r = add_disk_itself(s, &found);

	if (r == 0)
		r = sys_partitions_read(s->root, s->disk, &s->kernel);
	if (r == 0)
		r = add_partitions(s, &found);
	sys_partitions_done(&s->kernel);
	return r;
}

static int scan_one(struct scan *s, const struct disk *disk)
{
	_cleanup_close_ int fd = -1;

	/* A floppy drive turns for seconds before it says that it is empty. */
	if (disk->error || disk->fields.size == 0 || disk->major == FLOPPY_MAJOR)
		return 0;
	if (s->real)
		fd = open(disk->fields.dev_path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	s->fd = fd < 0 ? -errno : fd;
	s->disk = disk;
	return scan_disk(s);
}

int volume_list_read(const char *root, const struct disk_list *disks, struct volume_list *ret,
		     struct diag *diag)
{
	_cleanup_close_ int root_fd = sysfs_open_root(root);
	struct volume_list list = { 0 };
	struct scan s = { .root = root_fd, .real = !root, .list = &list, .diag = diag };
	int r = 0;

	if (root_fd < 0)
		return diag_set(diag, root_fd, "cannot open %s: %s", root ? root : "/",
				strerror(-root_fd));
	for (size_t i = 0; i < disks->n_disks && r == 0; i++)
		r = scan_one(&s, &disks->disks[i]);
	if (r < 0) {
		volume_list_done(&list);
		return r;
	}
	*ret = list;
	return 0;
}

void volume_list_done(struct volume_list *list)
{
	for (size_t i = 0; i < list->n_volumes; i++)
		volume_done(&list->volumes[i]);
	free(list->volumes);
	*list = (struct volume_list){ 0 };
}
