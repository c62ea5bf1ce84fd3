/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_SELECTOR_H
#define LARDER_CEL_SELECTOR_H
/*
 * Selectors: CEL expressions in the environment of Talos, compiled once and evaluated for each disk or volume. This is
 * what the rest of larder uses of the language; cel/cel.h is the language itself.
 *
 *	disk selector      disk, system_disk          → bool
 *	volume selector    disk, volume, system_disk  → bool
 *
 * and in both KiB … EiB, kB … EB (uint) and glob(pattern, string).
 *
 * The structs below are what an expression sees. Strings are never NULL when a selector is evaluated with them;
 * "" stands for what is not known. Nothing in them is owned here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

struct disk_fields {
	uint64_t size; /* bytes */
	uint64_t io_size;
	uint64_t sector_size;
	bool readonly;
	bool cdrom;
	bool rotational;
	const char *dev_path;
	const char *pretty_size;
	const char *model;
	const char *serial;
	const char *modalias;
	const char *wwid;
	const char *uuid;
	const char *bus_path;
	const char *sub_system;
	const char *transport;
	const char *firmware_version;
	const char *const *symlinks; /* sorted; ends with NULL; NULL is the empty list */
	const char *const *secondary_disks;
};

/* For initializers: nothing is known of it yet. */
#define DISK_FIELDS_UNKNOWN                                                                        \
	.dev_path = "", .pretty_size = "", .model = "", .serial = "", .modalias = "", .wwid = "",  \
	.uuid = "", .bus_path = "", .sub_system = "", .transport = "", .firmware_version = ""

/* The fields as an expression names them, in the order of Talos's message; for sets of them: a bit each. */
enum disk_field {
	DISK_FIELD_SIZE,
	DISK_FIELD_IO_SIZE,
	DISK_FIELD_SECTOR_SIZE,
	DISK_FIELD_READONLY,
	DISK_FIELD_MODEL,
	DISK_FIELD_SERIAL,
	DISK_FIELD_MODALIAS,
	DISK_FIELD_WWID,
	DISK_FIELD_BUS_PATH,
	DISK_FIELD_SUB_SYSTEM,
	DISK_FIELD_TRANSPORT,
	DISK_FIELD_ROTATIONAL,
	DISK_FIELD_CDROM,
	DISK_FIELD_DEV_PATH,
	DISK_FIELD_PRETTY_SIZE,
	DISK_FIELD_SECONDARY_DISKS,
	DISK_FIELD_UUID,
	DISK_FIELD_SYMLINKS,
	DISK_FIELD_FIRMWARE_VERSION,
};

#define DISK_FIELDS(field) (UINT64_C(1) << (field)) /* the set of this one */
#define DISK_FIELDS_ALL	   UINT64_MAX

struct volume_fields {
	uint64_t size, sector_size, io_size, offset; /* bytes */
	uint64_t block_size, filesystem_block_size, probed_size;
	uint64_t partition_index;
	const char *dev_path;
	const char *type;	 /* "disk" or "partition" */
	const char *device_path; /* below /sys/devices */
	const char *parent;
	const char *parent_dev_path;
	const char *pretty_size;
	const char *name; /* the filesystem or table found: "ext4", "gpt", … */
	const char *uuid;
	const char *label;
	const char *partition_uuid;
	const char *partition_type;
	const char *partition_label;
};

enum selector_kind {
	SELECTOR_DISK,
	SELECTOR_VOLUME,
};

struct selector;

/*
 * Parses and checks text (not needed afterwards). -EINVAL with line, column, excerpt and, where one is near, the name
 * that was probably meant; also for a pattern of matches() that is written out and wrong. The diag's source is left empty: the caller knows where the text came from.
 */
int selector_compile(enum selector_kind kind, const char *text, struct selector **ret,
		     struct diag *diag);

/*
 * Evaluates. volume may be NULL for disk selectors. -EDOM with diag: the expression errs on this disk (a division by zero, an
 * index out of range), which says nothing about other disks.
 */
int selector_match(const struct selector *s, const struct disk_fields *disk,
		   const struct volume_fields *volume, bool system_disk, bool *ret,
		   struct diag *diag);

/* The text it was compiled from. */
const char *selector_text(const struct selector *s);

/* Does it mention the variable system_disk? (Then the caller must know which disk that is.) */
bool selector_uses_system_disk(const struct selector *s);

/* The set of fields of the disk that it may read (DISK_FIELDS()). */
uint64_t selector_disk_fields(const struct selector *s);

void selector_free(struct selector *s);
DEFINE_CLEANUP(struct selector *, selector_free);

#endif
