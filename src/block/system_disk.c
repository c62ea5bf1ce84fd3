/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/system_disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/behind.h"
#include "block/cmdline.h"
#include "block/links.h"
#include "block/match.h"
#include "block/probe.h"
#include "block/sysfs.h"

#define CMDLINE "proc/cmdline"

/* All that the sources of an answer look at. */
struct question {
	const char *root;
	const struct install_config *install;
	struct behind behind; /* holds the list and the mounts */
	struct mounts mounts;
	struct root_option root_option;
	struct volume_list volumes; /* read when first needed */
	bool volumes_read;
};

/* Each source marks disks and returns 1 with the reason, 0 if it has no answer, or -ENOMEM. */
typedef int (*source_fn)(struct question *q, char **ret_reason);

static int answer(char **ret_reason, const char *format, const char *text)
{
	*ret_reason = text_format(format, text);
	return *ret_reason ? 1 : -ENOMEM;
}

static int ask_install_disk(struct question *q, char **ret_reason)
{
	if (!q->install || !q->install->disk)
		return 0;
	/* The list knows names of captured machines, too; the way down knows what the named device consists of. */
	const struct disk *disk = disk_list_find(q->behind.list, q->install->disk);
	if (disk)
		((struct disk *)disk)->system_disk = true;
	if (!behind_device_path(&q->behind, q->install->disk) && !disk)
		return 0;
	return answer(ret_reason, "install.disk of the machine config is %s", q->install->disk);
}

static int ask_install_selector(struct question *q, char **ret_reason)
{
	_cleanup_match_list_ struct match_list matches = { 0 };

	if (!q->install || !q->install->disk_selector)
		return 0;
	int r = match_disks(q->install->disk_selector, q->behind.list, &matches);
	if (r < 0)
		return r;
	for (size_t i = 0; i < matches.n_matches; i++) {
		struct disk *disk = &q->behind.list->disks[i];
		if (matches.matches[i].answer != MATCH_YES)
			continue;
		r = disk_complete(q->root, disk);
		if (r < 0)
			return r;
		if (disk->error || disk->fields.cdrom)
			continue;
		disk->system_disk = true;
		return answer(ret_reason, "install.diskSelector of the machine config matches %s",
			      disk->fields.dev_path);
	}
	return 0;
}

static bool is_memory(const struct mount_entry *mount)
{
	static const char *const types[] = { "rootfs", "tmpfs", "ramfs" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(mount->fstype, types[i]) == 0)
			return true;
	return false;
}

/* In an initramfs "/" is memory (and may not be listed at all), and the system to be is mounted where dracut or initramfs-tools
 * put it. */
static const struct mount_entry *root_mount(const struct mounts *mounts)
{
	static const char *const to_be[] = { "/sysroot", "/root" };
	const struct mount_entry *mount = mounts_at(mounts, "/");

	if (mount && !is_memory(mount))
		return mount;
	for (size_t i = 0; i < ARRAY_SIZE(to_be); i++) {
		const struct mount_entry *next = mounts_at(mounts, to_be[i]);
		if (next && !is_memory(next))
			return next;
	}
	return NULL;
}

static int ask_root_mount(struct question *q, char **ret_reason)
{
	const struct mount_entry *mount = root_mount(&q->mounts);

	if (q->root_option.live || !mount || !behind_mount(&q->behind, mount))
		return 0;
	return answer(ret_reason, "%s is on it", mount->point);
}

/* The links of udev: /dev/disk/by-uuid/…. */
static int ask_link(struct question *q, const char *kind, const char *value)
{
	_cleanup_free_ char *encoded = dev_link_encode(value);
	_cleanup_free_ char *path =
		encoded ? text_format("/dev/disk/by-%s/%s", kind, encoded) : NULL;

	if (!path)
		return -ENOMEM;
	return faccessat(q->behind.root, path + 1, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	       behind_device_path(&q->behind, path);
}

static const char *volume_value(const struct volume *v, enum root_kind kind)
{
	switch (kind) {
	case ROOT_UUID:
		return v->fields.uuid;
	case ROOT_LABEL:
		return v->fields.label;
	case ROOT_PARTUUID:
		return v->fields.partition_uuid;
	case ROOT_PARTLABEL:
		return v->fields.partition_label;
	default:
		return "";
	}
}

/* Where no udev runs: what is on the disks themselves. */
static int ask_volumes(struct question *q, enum root_kind kind, const char *value)
{
	bool any = false;

	if (!q->volumes_read) {
		int r = 0;
		for (size_t i = 0; i < q->behind.list->n_disks && r == 0; i++)
			r = disk_complete(q->root, &q->behind.list->disks[i]);
		r = r < 0 ? r : volume_list_read(q->root, q->behind.list, &q->volumes, NULL);
		if (r == -ENOMEM)
			return r;
		q->volumes_read = true;
	}
	for (size_t i = 0; i < q->volumes.n_volumes && *value; i++) {
		const struct volume *v = &q->volumes.volumes[i];
		const char *is = volume_value(v, kind);
		bool same = kind == ROOT_UUID || kind == ROOT_PARTUUID ? strcasecmp(is, value) == 0
								       : strcmp(is, value) == 0;
		if (same)
			any |= behind_device_path(&q->behind, v->disk->fields.dev_path);
	}
	return any;
}

static int find_tagged(struct question *q, enum root_kind kind, const char *value)
{
	static const char *const directories[] = {
		[ROOT_UUID] = "uuid",
		[ROOT_LABEL] = "label",
		[ROOT_PARTUUID] = "partuuid",
		[ROOT_PARTLABEL] = "partlabel",
	};
	int r = *value ? ask_link(q, directories[kind], value) : 0;

	return r != 0 ? r : ask_volumes(q, kind, value);
}

static int ask_root_option(struct question *q, char **ret_reason)
{
	const struct root_option *o = &q->root_option;
	int r;

	switch (o->kind) {
	case ROOT_NONE:
		return 0;
	case ROOT_DEVICE:
		r = behind_device_path(&q->behind, o->value);
		break;
	case ROOT_NUMBER:
		r = behind_device_number(&q->behind, o->major, o->minor);
		break;
	default:
		r = find_tagged(q, o->kind, o->value);
	}
	return r <= 0 ? r : answer(ret_reason, "the kernel command line says root=%s", o->text);
}

static int ask_meta_partition(struct question *q, char **ret_reason)
{
	int r = find_tagged(q, ROOT_PARTLABEL, NAME_META_PARTITION);

	return r <= 0 ? r
		      : answer(ret_reason, "it has the partition %s of a Talos machine",
			       NAME_META_PARTITION);
}

static int ask(struct question *q, char **ret_reason)
{
	static const source_fn sources[] = { ask_install_disk, ask_install_selector, ask_root_mount,
					     ask_root_option, ask_meta_partition };

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		q->behind.depth = q->behind.steps = 0;
		int r = sources[i](q, ret_reason);
		if (r != 0)
			return r;
	}
	return 0;
}

static int gather(struct question *q)
{
	_cleanup_free_ char *cmdline = NULL;
	int r = mounts_read(q->behind.root, &q->mounts);

	if (r < 0)
		return r;
	r = read_regular_at(q->behind.root, CMDLINE, CMDLINE_BYTES_MAX, &cmdline, NULL);
	if (r == -ENOMEM)
		return r;
	return root_option_parse(cmdline ? cmdline : "", &q->root_option);
}

int system_disk_find(const char *root, struct disk_list *list, const struct install_config *install,
		     char **ret_reason, struct diag *diag)
{
	_cleanup_close_ int root_fd = sysfs_open_root(root);
	_cleanup_free_ char *reason = NULL;
	struct question q = { .root = root, .install = install };

	if (root_fd < 0)
		return diag_set(diag, root_fd, "cannot open %s: %s", root ? root : "/",
				strerror(-root_fd));
	q.behind = (struct behind){
		.prefix = root, .root = root_fd, .real = !root, .list = list, .mounts = &q.mounts
	};
	for (size_t i = 0; i < list->n_disks; i++)
		list->disks[i].system_disk = false;
	int r = gather(&q);
	if (r == 0)
		r = ask(&q, &reason);
	mounts_done(&q.mounts);
	root_option_done(&q.root_option);
	volume_list_done(&q.volumes);
	if (r >= 0 && ret_reason)
		*ret_reason = TAKE_PTR(reason);
	return r < 0 ? r : 0;
}

uint64_t system_disk_fields(const struct install_config *install)
{
	uint64_t fields = 0;

	if (install && install->disk)
		fields |= DISK_FIELDS(DISK_FIELD_SYMLINKS) | DISK_FIELDS(DISK_FIELD_DEV_PATH);
	if (install && install->disk_selector)
		fields |= selector_disk_fields(install->disk_selector);
	return fields;
}
