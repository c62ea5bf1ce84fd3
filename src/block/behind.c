/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/behind.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/text.h"
#include "block/links.h"
#include "block/sysfs.h"

#define SYS_BTRFS "sys/fs/btrfs"

/* Filesystems that only media have: whoever runs from one runs from a medium. */
static bool is_medium(const struct mount_entry *mount)
{
	return strcmp(mount->fstype, "iso9660") == 0 || strcmp(mount->fstype, "udf") == 0;
}

/*
 * One level down, to a device or a mount, until come_back(). False: it is what we are in the middle of (a loop device whose file
 * seems to lie on itself, a broken or hostile tree), or it is too deep.
 */
static bool go_deeper(struct behind *b, const char *what)
{
	if (b->depth >= BEHIND_DEPTH_MAX || b->steps >= BEHIND_STEPS_MAX)
		return false;
	for (unsigned i = 0; i < b->depth; i++)
		if (strcmp(b->way[i], what) == 0)
			return false;
	b->way[b->depth++] = what;
	b->steps++;
	return true;
}

static void come_back(struct behind *b)
{
	b->depth--;
}

static bool behind_link(struct behind *b, const char *link);

static bool behind_name(struct behind *b, const char *name)
{
	char link[sizeof("sys/class/block/") + NAME_MAX];

	snprintf(link, sizeof(link), "sys/class/block/%.*s", NAME_MAX, name);
	return behind_link(b, link);
}

/* Everything that a directory of device names lists. */
static bool behind_directory(struct behind *b, int parent, const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir_at(parent, path, 0);
	bool any = false;

	for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
		if (e->d_name[0] != '.')
			any |= behind_name(b, e->d_name);
	return any;
}

static bool has_entries(int parent, const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir_at(parent, path, 0);
	bool any = false;

	for (struct dirent *e = dir ? readdir(dir) : NULL; e && !any; e = readdir(dir))
		any = e->d_name[0] != '.';
	return any;
}

static struct disk *find_disk(const struct behind *b, const char *sys_path)
{
	for (size_t i = 0; i < b->list->n_disks; i++)
		if (strcmp(b->list->disks[i].name, sysfs_base_name(sys_path)) == 0)
			return &b->list->disks[i];
	return NULL;
}

static bool mark(const struct behind *b, const char *sys_path)
{
	struct disk *disk = find_disk(b, sys_path);

	if (disk)
		disk->system_disk = true;
	return disk != NULL;
}

static bool mark_leaf(const struct behind *b, const char *sys_path)
{
	struct disk *disk = find_disk(b, sys_path);

	/* If that fails it counts: to take too little for the system disk would be worse. */
	if (disk)
		(void)disk_complete(b->prefix, disk);
	return disk && !disk->fields.cdrom && !disk->fields.readonly && mark(b, sys_path);
}

/* A loop device's file lies on a mount, if that mount can be seen from here. The device itself counts if it can be written. */
static bool behind_loop(struct behind *b, int dir, const char *sys_path)
{
	char file[DISK_ATTRIBUTE_MAX];
	const struct mount_entry *mount = NULL;

	if (sysfs_text(dir, "loop/backing_file", file) > 0 && *file == '/')
		mount = mounts_holding(b->mounts, file);
	bool any = mount && behind_mount(b, mount);
	return mark_leaf(b, sys_path) || any;
}

static bool behind_whole(struct behind *b, int dir, const char *sys_path)
{
	if (faccessat(dir, "loop/backing_file", F_OK, 0) == 0)
		return behind_loop(b, dir, sys_path);
	if (!has_entries(dir, "slaves"))
		return mark_leaf(b, sys_path);
	bool any = behind_directory(b, dir, "slaves");
	if (any)
		mark(b, sys_path);
	return any;
}

/* A device's link: sys/class/block/NAME or sys/dev/block/MAJ:MIN. */
static bool behind_link(struct behind *b, const char *link)
{
	char path[DISK_ATTRIBUTE_MAX];

	_cleanup_close_ int dir = sysfs_open_device(b->root, link, path), disk = -1;
	if (dir < 0)
		return false;
	if (faccessat(dir, "partition", F_OK, 0) == 0) {
		disk = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		*strrchr(path, '/') = '\0';
		if (disk < 0)
			return false;
	}
	if (!go_deeper(b, path))
		return false;
	bool any = behind_whole(b, disk < 0 ? dir : disk, path);
	come_back(b);
	return any;
}

bool behind_device_number(struct behind *b, unsigned major, unsigned minor)
{
	char link[64];

	snprintf(link, sizeof(link), "sys/dev/block/%u:%u", major, minor);
	return behind_link(b, link);
}

/* A node that no symlink leads to (no udev): device-mapper's names are in /sys. */
static bool behind_mapper_name(struct behind *b, const char *name)
{
	bool any = false;

	for (size_t i = 0; i < b->list->n_disks; i++) {
		char path[NAME_MAX + 32], text[DISK_ATTRIBUTE_MAX];
		const struct disk *disk = &b->list->disks[i];
		snprintf(path, sizeof(path), "sys/block/%s/dm/name", disk->name);
		if (sysfs_text(b->root, path, text) > 0 && strcmp(text, name) == 0)
			any |= behind_name(b, disk->name);
	}
	return any;
}

bool behind_device_path(struct behind *b, const char *dev_path)
{
	struct stat st;

	if (b->real && stat(dev_path, &st) == 0 && S_ISBLK(st.st_mode))
		return behind_device_number(b, major(st.st_rdev), minor(st.st_rdev));
	_cleanup_free_ char *node = dev_node_of(b->root, dev_path);
	if (!node || !text_starts_with(node, "/dev/"))
		return false;
	if (text_starts_with(node, "/dev/mapper/"))
		return behind_mapper_name(b, node + strlen("/dev/mapper/"));
	char *name = node + strlen("/dev/");
	for (char *c = name; *c; c++)
		*c = *c == '/' ? '!' : *c;
	return behind_name(b, name);
}

/* Sources such as "/dev/sda:/dev/sdb" (bcachefs) name every device. */
static bool behind_source(struct behind *b, const char *source)
{
	bool any = false;

	if (!text_starts_with(source, "/dev/"))
		return false;
	_cleanup_free_ char *copy = strdup(source);
	if (!copy)
		return false;
	for (char *at = copy, *end; at; at = end) {
		end = strstr(at, ":/dev/");
		if (end)
			*end++ = '\0';
		any |= behind_device_path(b, at);
	}
	return any;
}

static char *node_name(const struct behind *b, const char *source)
{
	_cleanup_free_ char *node = dev_node_of(b->root, source);

	return node ? strdup(sysfs_base_name(node)) : NULL;
}

/*
 * /sys/fs/btrfs/<uuid>/devices lists all devices of one filesystem; the one that was mounted from tells which uuid. With
 * /dev/root as the source, the only filesystem there is it.
 */
static bool behind_btrfs(struct behind *b, const struct mount_entry *mount)
{
	_cleanup_closedir_ DIR *dir = opendir_at(b->root, SYS_BTRFS, 0);
	_cleanup_free_ char *name = node_name(b, mount->source);
	char path[2 * NAME_MAX + 16], only[NAME_MAX + 16] = "";
	unsigned filesystems = 0;

	if (!dir)
		return behind_source(b, mount->source);
	int fd = dirfd(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		snprintf(path, sizeof(path), "%s/devices/%s", e->d_name, name ? name : "");
		bool found = e->d_name[0] != '.' && name &&
			     faccessat(fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
		snprintf(path, sizeof(path), "%s/devices", e->d_name);
		if (found)
			return behind_directory(b, fd, path);
		if (e->d_name[0] != '.' && faccessat(fd, path, F_OK, 0) == 0 && ++filesystems == 1)
			snprintf(only, sizeof(only), "%s/devices", e->d_name);
	}
	if (filesystems == 1 && strcmp(mount->source, "/dev/root") == 0)
		return behind_directory(b, fd, only);
	return behind_source(b, mount->source);
}

static bool behind_overlay(struct behind *b, const struct mount_entry *mount)
{
	_cleanup_strv_ char **dirs = NULL;
	bool any = false;

	if (mount_overlay_dirs(mount, &dirs) < 0)
		return false;
	STRV_FOREACH (dir, dirs) {
		const struct mount_entry *holder = mounts_holding(b->mounts, *dir);
		/* Its directories were named before it covered them. */
		if (**dir == '/' && holder && holder != mount)
			any |= behind_mount(b, holder);
	}
	return any;
}

bool behind_mount(struct behind *b, const struct mount_entry *mount)
{
	bool any;

	if (is_medium(mount) || !go_deeper(b, mount->point))
		return false;
	if (mount->major != 0)
		any = behind_device_number(b, mount->major, mount->minor);
	else if (strcmp(mount->fstype, "overlay") == 0)
		any = behind_overlay(b, mount);
	else if (strcmp(mount->fstype, "btrfs") == 0)
		any = behind_btrfs(b, mount);
	else
		any = behind_source(b, mount->source);
	come_back(b);
	return any;
}
