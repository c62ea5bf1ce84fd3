/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/disk_fields.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "block/sysfs.h"
#include "block/transport.h"

#define SECTOR		  512 /* what /sys counts in, whatever the disk's own sectors are */
#define SCSI_TYPE_CDROM	  5
#define UDEV_DATABASE_MAX (64 * 1024)
#define UDEV_SERIAL	  "E:ID_SERIAL_SHORT"
#define BUS_PATH_PREFIX	  "/sys/devices"
#define BUS_PATH_LEVELS	  2 /* "block/sda" is no part of it */
#define DM_LVM_PREFIX	  "LVM-"
#define DM_PARTITION	  "part"

static void disk_private_free(struct disk_private *p)
{
	free(p->sys_path);
	strv_free(p->texts);
	strv_free(p->symlinks);
	strv_free(p->secondary_disks);
	free(p);
}

void disk_done(struct disk *disk)
{
	if (disk->private_)
		disk_private_free(disk->private_);
	free(disk->name);
	free(disk->error);
	*disk = (struct disk){ 0 };
}

static struct disk_private *owned(struct disk *disk)
{
	return disk->private_;
}

/* One disk being read. */
struct reading {
	const struct disk_reader *reader;
	struct disk *disk;
	int dir; /* its directory */
};

static bool is_wanted(const struct reading *g, enum disk_field field)
{
	return g->reader->fields & DISK_FIELDS(field);
}

/* Keeps a copy of text with the disk and points the field, which is "", at it. Names in /sys need not be UTF-8 either. */
static int keep_text(struct disk *disk, const char **field, const char *text)
{
	if (*text == '\0')
		return 0;
	char *copy = strdup(text);
	if (copy)
		sysfs_clean(copy, strlen(copy));
	int r = strv_take(&owned(disk)->texts, copy);
	if (r == 0)
		*field = copy;
	return r;
}

/* The first of the attributes that is there. List ends with NULL. */
static int keep_attribute(struct reading *g, const char **field, const char *const paths[])
{
	char text[DISK_ATTRIBUTE_MAX];

	for (; *paths; paths++)
		if (sysfs_text(g->dir, *paths, text) > 0)
			return keep_text(g->disk, field, text);
	return 0;
}

static bool is_power_of_two(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* The first power of two among the attributes, else 512. */
static uint64_t first_power_of_two(const struct reading *g, const char *const paths[])
{
	uint64_t value;

	for (; *paths; paths++)
		if (sysfs_number(g->dir, *paths, &value) == 0 && is_power_of_two(value))
			return value;
	return SECTOR;
}

static void read_size(struct reading *g)
{
	uint64_t sectors = 0;

	if (sysfs_number(g->dir, "size", &sectors) == 0 &&
	    __builtin_mul_overflow(sectors, SECTOR, &g->disk->fields.size))
		g->disk->fields.size = 0;
}

static int read_sector_size(struct reading *g)
{
	static const char *const paths[] = { "queue/logical_block_size", NULL };

	g->disk->fields.sector_size = first_power_of_two(g, paths);
	return 0;
}

static int read_io_size(struct reading *g)
{
	static const char *const paths[] = { "queue/optimal_io_size", "queue/minimum_io_size",
					     "queue/logical_block_size", NULL };

	g->disk->fields.io_size = first_power_of_two(g, paths);
	return 0;
}

static int read_readonly(struct reading *g)
{
	g->disk->fields.readonly = sysfs_flag(g->dir, "ro");
	return 0;
}

static int read_rotational(struct reading *g)
{
	g->disk->fields.rotational = sysfs_flag(g->dir, "queue/rotational");
	return 0;
}

/* What no CD drive has the name of is only asked if it has no medium, or if somebody wants to know. */
static bool is_cdrom(const struct reading *g)
{
	uint64_t type;

	if (text_starts_with(g->disk->name, "sr"))
		return true;
	if (g->disk->fields.size != 0 && !is_wanted(g, DISK_FIELD_CDROM))
		return false;
	return text_starts_with(g->disk->name, "sd") &&
	       sysfs_number(g->dir, "device/type", &type) == 0 && type == SCSI_TYPE_CDROM;
}

/* udev's database knows the serial number of disks that have no such attribute (SATA, virtio-scsi). */
static int read_udev_serial(const struct disk_reader *reader, struct disk *disk)
{
	char path[64], text[DISK_ATTRIBUTE_MAX];
	_cleanup_free_ char *database = NULL;
	size_t size = 0;

	snprintf(path, sizeof(path), "run/udev/data/b%u:%u", disk->major, disk->minor);
	if (read_regular_at(reader->root, path, UDEV_DATABASE_MAX, &database, NULL) < 0)
		return 0;
	const char *value = sysfs_line_value(database, UDEV_SERIAL, &size);
	if (!value || size >= sizeof(text))
		return 0;
	memcpy(text, value, size);
	text[size] = '\0';
	sysfs_clean(text, size);
	return keep_text(disk, &disk->fields.serial, text);
}

static int read_serial(struct reading *g)
{
	static const char *const serial[] = { "serial", "device/serial", NULL };
	int r = keep_attribute(g, &g->disk->fields.serial, serial);

	if (r < 0 || *g->disk->fields.serial)
		return r;
	return read_udev_serial(g->reader, g->disk);
}

/* "/sys/devices/pci0000:00/…/virtio0/block/vda" → "/pci0000:00/…/virtio0" */
static int read_bus_path(struct reading *g)
{
	const char *sys_path = disk_sys_path(g->disk);
	char path[DISK_ATTRIBUTE_MAX];

	if (!text_starts_with(sys_path, BUS_PATH_PREFIX "/"))
		return 0;
	strcpy(path, sys_path + strlen(BUS_PATH_PREFIX));
	for (unsigned i = 0; i < BUS_PATH_LEVELS; i++) {
		char *slash = strrchr(path, '/');
		if (slash)
			*slash = '\0';
	}
	return keep_text(g->disk, &g->disk->fields.bus_path, path);
}

static int read_sub_system(struct reading *g)
{
	char target[DISK_ATTRIBUTE_MAX], path[DISK_ATTRIBUTE_MAX];
	ssize_t n = readlinkat(g->dir, "subsystem", target, sizeof(target) - 1);

	if (n < 0)
		n = 0;
	target[n] = '\0';
	if (n == 0 || sysfs_resolve(disk_sys_path(g->disk), target, path, sizeof(path)) < 0)
		*path = '\0';
	return keep_text(g->disk, &g->disk->fields.sub_system, path);
}

/* A partition's directory lies in that of its disk. */
static int disk_name_of(int root, const char *name, char path[static DISK_ATTRIBUTE_MAX])
{
	char link[sizeof("sys/class/block/") + NAME_MAX];

	snprintf(link, sizeof(link), "sys/class/block/%.*s", NAME_MAX, name);
	_cleanup_close_ int dir = sysfs_open_device(root, link, path);
	if (dir < 0)
		return dir;
	if (faccessat(dir, "partition", F_OK, 0) == 0)
		*strrchr(path, '/') = '\0';
	return 0;
}

static int read_secondary_disks(struct reading *g)
{
	char path[DISK_ATTRIBUTE_MAX];
	char ***list = &owned(g->disk)->secondary_disks;
	_cleanup_closedir_ DIR *slaves = opendir_at(g->dir, "slaves", 0);
	int r = 0;

	if (!slaves)
		return errno == ENOMEM ? -ENOMEM : 0;
	for (struct dirent *e = readdir(slaves); e && r == 0; e = readdir(slaves)) {
		if (e->d_name[0] == '.')
			continue;
		bool known = disk_name_of(g->reader->root, e->d_name, path) == 0;
		const char *name = known ? sysfs_base_name(path) : e->d_name;
		if (text_is_utf8(name, strlen(name)) && !strv_contains(*list, name))
			r = strv_add(list, name);
	}
	strv_sort_natural(*list);
	g->disk->fields.secondary_disks = (const char *const *)*list;
	return r;
}

static int read_symlinks(struct reading *g)
{
	struct disk *disk = g->disk;
	size_t n;
	const struct dev_link *link = dev_links_of(&g->reader->links, disk->fields.dev_path, &n);

	for (; n > 0; n--, link++) {
		int r = strv_add(&owned(disk)->symlinks, link->name);
		if (r < 0)
			return r;
	}
	disk->fields.symlinks = (const char *const *)owned(disk)->symlinks;
	return 0;
}

static int read_transport(struct reading *g)
{
	struct disk *disk = g->disk;
	char text[DISK_ATTRIBUTE_MAX];

	transport_read(g->reader->root, g->dir, disk_sys_path(disk), disk->name, text);
	return keep_text(disk, &disk->fields.transport, text);
}

static int read_pretty_size(struct reading *g)
{
	struct disk *disk = g->disk;
	char text[TEXT_SIZE_MAX];

	return keep_text(disk, &disk->fields.pretty_size, text_size_si(disk->fields.size, text));
}

static int set_error(struct disk *disk, const char *what, int err)
{
	free(disk->error);
	disk->error = text_format("%s: %s", what, strerror(err));
	return disk->error ? 0 : -ENOMEM;
}

/* Opening for reading disturbs nothing; O_NONBLOCK lets a drive without a medium open. */
static int try_to_open(struct disk *disk)
{
	_cleanup_close_ int fd =
		open(disk->fields.dev_path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? set_error(disk, "cannot be opened", errno) : 0;
}

static int read_fields(struct reading *g)
{
	/* Texts as they are in /sys: the first of the attributes that is there. */
	static const struct {
		enum disk_field field;
		size_t offset;
		const char *paths[3];
	} attributes[] = {
#define ATTRIBUTE(field, name, ...)                                                                \
	{                                                                                          \
		field, offsetof(struct disk_fields, name),                                         \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
		ATTRIBUTE(DISK_FIELD_MODEL, model, "device/model", "device/name"),
		ATTRIBUTE(DISK_FIELD_FIRMWARE_VERSION, firmware_version, "device/firmware_rev"),
		ATTRIBUTE(DISK_FIELD_MODALIAS, modalias, "device/modalias",
			  "device/device/modalias"),
		ATTRIBUTE(DISK_FIELD_WWID, wwid, "wwid", "device/wwid"),
		ATTRIBUTE(DISK_FIELD_UUID, uuid, "uuid", "device/uuid"),
#undef ATTRIBUTE
	};
	static const struct {
		enum disk_field field;
		int (*read)(struct reading *g);
	} others[] = {
		{ DISK_FIELD_PRETTY_SIZE, read_pretty_size },
		{ DISK_FIELD_SECTOR_SIZE, read_sector_size },
		{ DISK_FIELD_IO_SIZE, read_io_size },
		{ DISK_FIELD_READONLY, read_readonly },
		{ DISK_FIELD_ROTATIONAL, read_rotational },
		{ DISK_FIELD_SERIAL, read_serial },
		{ DISK_FIELD_BUS_PATH, read_bus_path },
		{ DISK_FIELD_SUB_SYSTEM, read_sub_system },
		{ DISK_FIELD_TRANSPORT, read_transport },
		{ DISK_FIELD_SECONDARY_DISKS, read_secondary_disks },
		{ DISK_FIELD_SYMLINKS, read_symlinks },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(attributes) && r == 0; i++)
		if (is_wanted(g, attributes[i].field))
			r = keep_attribute(
				g, (const char **)((char *)&g->disk->fields + attributes[i].offset),
				attributes[i].paths);
	for (size_t i = 0; i < ARRAY_SIZE(others) && r == 0; i++)
		if (is_wanted(g, others[i].field))
			r = others[i].read(g);
	return r;
}

static bool line_number(const char *text, const char *key, unsigned *ret)
{
	size_t size;
	const char *value = sysfs_line_value(text, key, &size);

	return value && sscanf(value, "%u", ret) == 1;
}

/* Of the uevent, else of "254:16"; 0:0 where that is not known. */
static void read_device_number(struct reading *g, const char *uevent)
{
	struct disk *disk = g->disk;
	char text[DISK_ATTRIBUTE_MAX];

	if (line_number(uevent, "MAJOR", &disk->major) &&
	    line_number(uevent, "MINOR", &disk->minor))
		return;
	sysfs_text(g->dir, "dev", text);
	if (sscanf(text, "%u:%u", &disk->major, &disk->minor) != 2)
		disk->major = disk->minor = 0;
}

/* The device node: DEVNAME of the uevent, which has slashes where the kernel name has exclamation marks. */
static int read_dev_path(struct disk *disk, const char *uevent)
{
	char path[NAME_MAX + sizeof("/dev/")];
	size_t size;
	const char *name = sysfs_line_value(uevent, "DEVNAME", &size);

	if (!name || size == 0 || size > NAME_MAX) {
		name = disk->name;
		size = strlen(name);
	}
	snprintf(path, sizeof(path), "/dev/%.*s", (int)size, name);
	for (char *c = path; *c; c++)
		*c = *c == '!' ? '/' : *c;
	return keep_text(disk, &disk->fields.dev_path, path);
}

/* Device-mapper nodes that are parts of something else: LVM's inner volumes (LVM-<id>-<layer>), partitions of a mapped disk. */
static bool is_inner_dm_node(const struct reading *g)
{
	char uuid[DISK_ATTRIBUTE_MAX];

	if (sysfs_text(g->dir, "dm/uuid", uuid) == 0)
		return false;
	if (text_starts_with(uuid, DM_LVM_PREFIX))
		return strchr(uuid + strlen(DM_LVM_PREFIX), '-') != NULL;
	if (!text_starts_with(uuid, DM_PARTITION))
		return false;
	const char *after = uuid + strlen(DM_PARTITION);
	return after[strspn(after, "0123456789")] == '-';
}

/* "ram0". Machines have sixteen of them. */
static bool is_ram_disk(const char *name)
{
	return text_starts_with(name, "ram") && isdigit((unsigned char)name[3]);
}

/*
 * Paths to an NVMe disk that has several ("nvme0c1n1") are hidden, and so far nothing else is. A disk that is read whole is asked
 * in any case.
 */
static bool is_hidden(const struct reading *g)
{
	const char *name = g->disk->name;
	bool may_be = text_starts_with(name, "nvme") && strchr(name, 'c');

	return (may_be || disk_is_whole(g->disk)) && sysfs_flag(g->dir, "hidden");
}

/* Is this a disk that anybody would select? uevent is "" if it was not read. */
static bool is_listed(const struct reading *g, const char *uevent)
{
	const char *name = g->disk->name;
	size_t size;
	const char *type = sysfs_line_value(uevent, "DEVTYPE", &size);

	if (type && (size != 4 || memcmp(type, "disk", 4) != 0))
		return false;
	if (is_ram_disk(name) || is_hidden(g))
		return false;
	return !text_starts_with(name, "dm-") || !is_inner_dm_node(g);
}

static int start_disk(struct disk *disk, const char *name, const char *sys_path)
{
	*disk = (struct disk){
		.fields = { DISK_FIELDS_UNKNOWN },
		.name = strdup(name),
		.private_ = calloc(1, sizeof(struct disk_private)),
	};
	if (!disk->name || !disk->private_)
		return -ENOMEM;
	owned(disk)->sys_path = strdup(sys_path);
	return owned(disk)->sys_path ? 0 : -ENOMEM;
}

int disk_read(const struct disk_reader *reader, const char *name, int dir, const char *path,
	      struct disk *disk)
{
	/* What is found by the device's number or node. */
	const uint64_t by_node = DISK_FIELDS(DISK_FIELD_DEV_PATH) | DISK_FIELDS(DISK_FIELD_SERIAL) |
				 DISK_FIELDS(DISK_FIELD_SYMLINKS);
	char uevent[DISK_ATTRIBUTE_MAX] = "";
	struct reading g = { reader, disk, dir };
	int r = start_disk(disk, name, path);

	if (r < 0)
		return r;
	disk->read = reader->fields | DISK_FIELDS(DISK_FIELD_SIZE);
	/* First, since machines have hundreds of loop devices without a file. */
	read_size(&g);
	disk->fields.cdrom = is_cdrom(&g);
	if (disk->fields.size == 0 && !disk->fields.cdrom)
		return 0;
	if (reader->fields & by_node) {
		sysfs_text(dir, "uevent", uevent);
		read_device_number(&g, uevent);
	}
	if (!is_listed(&g, uevent))
		return 0;
	r = read_dev_path(disk, uevent);
	r = r < 0 ? r : read_fields(&g);
	if (r == 0 && reader->real && disk_is_whole(disk)) {
		r = try_to_open(disk);
		/* Behind it: a drive whose medium was changed is often noticed when it is opened. */
		(void)sysfs_number(dir, "diskseq", &disk->sequence);
	}
	return r < 0 ? r : 1;
}
