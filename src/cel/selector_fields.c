/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/selector_fields.h"

#include <string.h>

#include "cel/eval.h"
#include "cel/glob.h"

#define FIELD(kind_, type, name)                                                                   \
	{                                                                                          \
#name, kind_, offsetof(struct type, name)                                          \
	}
#define DISK_FIELD(kind, name)	 FIELD(kind, disk_fields, name)
#define VOLUME_FIELD(kind, name) FIELD(kind, volume_fields, name)

static const struct cel_field disk_fields[] = {
	[DISK_FIELD_SIZE] = DISK_FIELD(CEL_FIELD_UINT, size),
	[DISK_FIELD_IO_SIZE] = DISK_FIELD(CEL_FIELD_UINT, io_size),
	[DISK_FIELD_SECTOR_SIZE] = DISK_FIELD(CEL_FIELD_UINT, sector_size),
	[DISK_FIELD_READONLY] = DISK_FIELD(CEL_FIELD_BOOL, readonly),
	[DISK_FIELD_MODEL] = DISK_FIELD(CEL_FIELD_STRING, model),
	[DISK_FIELD_SERIAL] = DISK_FIELD(CEL_FIELD_STRING, serial),
	[DISK_FIELD_MODALIAS] = DISK_FIELD(CEL_FIELD_STRING, modalias),
	[DISK_FIELD_WWID] = DISK_FIELD(CEL_FIELD_STRING, wwid),
	[DISK_FIELD_BUS_PATH] = DISK_FIELD(CEL_FIELD_STRING, bus_path),
	[DISK_FIELD_SUB_SYSTEM] = DISK_FIELD(CEL_FIELD_STRING, sub_system),
	[DISK_FIELD_TRANSPORT] = DISK_FIELD(CEL_FIELD_STRING, transport),
	[DISK_FIELD_ROTATIONAL] = DISK_FIELD(CEL_FIELD_BOOL, rotational),
	[DISK_FIELD_CDROM] = DISK_FIELD(CEL_FIELD_BOOL, cdrom),
	[DISK_FIELD_DEV_PATH] = DISK_FIELD(CEL_FIELD_STRING, dev_path),
	[DISK_FIELD_PRETTY_SIZE] = DISK_FIELD(CEL_FIELD_STRING, pretty_size),
	[DISK_FIELD_SECONDARY_DISKS] = DISK_FIELD(CEL_FIELD_STRINGS, secondary_disks),
	[DISK_FIELD_UUID] = DISK_FIELD(CEL_FIELD_STRING, uuid),
	[DISK_FIELD_SYMLINKS] = DISK_FIELD(CEL_FIELD_STRINGS, symlinks),
	[DISK_FIELD_FIRMWARE_VERSION] = DISK_FIELD(CEL_FIELD_STRING, firmware_version),
};

static const struct cel_field volume_fields[] = {
	VOLUME_FIELD(CEL_FIELD_UINT, size),
	VOLUME_FIELD(CEL_FIELD_UINT, sector_size),
	VOLUME_FIELD(CEL_FIELD_UINT, io_size),
	VOLUME_FIELD(CEL_FIELD_STRING, name),
	VOLUME_FIELD(CEL_FIELD_STRING, uuid),
	VOLUME_FIELD(CEL_FIELD_STRING, label),
	VOLUME_FIELD(CEL_FIELD_UINT, block_size),
	VOLUME_FIELD(CEL_FIELD_UINT, filesystem_block_size),
	VOLUME_FIELD(CEL_FIELD_UINT, probed_size),
	VOLUME_FIELD(CEL_FIELD_STRING, partition_uuid),
	VOLUME_FIELD(CEL_FIELD_STRING, partition_type),
	VOLUME_FIELD(CEL_FIELD_STRING, partition_label),
	VOLUME_FIELD(CEL_FIELD_UINT, partition_index),
	VOLUME_FIELD(CEL_FIELD_STRING, type),
	VOLUME_FIELD(CEL_FIELD_STRING, device_path),
	VOLUME_FIELD(CEL_FIELD_STRING, parent),
	VOLUME_FIELD(CEL_FIELD_STRING, dev_path),
	VOLUME_FIELD(CEL_FIELD_STRING, pretty_size),
	VOLUME_FIELD(CEL_FIELD_UINT, offset),
	VOLUME_FIELD(CEL_FIELD_STRING, parent_dev_path),
};

const struct cel_object_type selector_disk_type = {
	.name = "talos.resource.definitions.block.DiskSpec",
	.type = { CEL_OBJECT, .object = &selector_disk_type },
	.fields = disk_fields,
	.n_fields = ARRAY_SIZE(disk_fields),
	.size = sizeof(struct disk_fields),
};

const struct cel_object_type selector_volume_type = {
	.name = "talos.resource.definitions.block.DiscoveredVolumeSpec",
	.type = { CEL_OBJECT, .object = &selector_volume_type },
	.fields = volume_fields,
	.n_fields = ARRAY_SIZE(volume_fields),
	.size = sizeof(struct volume_fields),
};

static const struct cel_object_type *const objects[] = { &selector_disk_type,
							 &selector_volume_type };

static const struct cel_variable variables[SELECTOR_N_VARIABLES] = {
	[SELECTOR_VAR_DISK] = { "disk", &selector_disk_type.type },
	[SELECTOR_VAR_SYSTEM_DISK] = { "system_disk", &cel_bool },
	[SELECTOR_VAR_VOLUME] = { "volume", &selector_volume_type.type },
};

#define KIB 1024ULL
#define KB  1000ULL

#define UNIT(name, value)                                                                          \
	{                                                                                          \
		name, &cel_uint,                                                                   \
		{                                                                                  \
			.kind = CEL_UINT, .u = (value)                                             \
		}                                                                                  \
	}

static const struct cel_constant units[] = {
	UNIT("KiB", KIB),
	UNIT("MiB", KIB *KIB),
	UNIT("GiB", KIB *KIB *KIB),
	UNIT("TiB", KIB *KIB *KIB *KIB),
	UNIT("PiB", KIB *KIB *KIB *KIB *KIB),
	UNIT("EiB", KIB *KIB *KIB *KIB *KIB *KIB),
	UNIT("kB", KB),
	UNIT("MB", KB *KB),
	UNIT("GB", KB *KB *KB),
	UNIT("TB", KB *KB *KB *KB),
	UNIT("PB", KB *KB *KB *KB *KB),
	UNIT("EB", KB *KB *KB *KB *KB *KB),
};

static void fn_glob(struct cel_eval *e, const struct cel_value *args, size_t n,
		    struct cel_value *ret)
{
	(void)n;
	if (args[0].kind != CEL_STRING || args[1].kind != CEL_STRING)
		cel_fail(e, ret, CEL_E_NO_OVERLOAD);
	else if (cel_charge_text(e, (size_t)args[0].length * args[1].length))
		*ret = cel_value_bool(
			glob_matches(args[0].s, args[0].length, args[1].s, args[1].length));
}

static const struct cel_overload glob_overloads[] = {
	{ false, 2, 0, { &cel_string, &cel_string }, &cel_bool },
};

static const struct cel_function functions[] = {
	{ "glob", "glob(pattern, text)", fn_glob, glob_overloads, ARRAY_SIZE(glob_overloads) },
};

#define ENVIRONMENT(n)                                                                             \
	{                                                                                          \
		.variables = variables, .n_variables = (n), .constants = units,                    \
		.n_constants = ARRAY_SIZE(units), .functions = functions,                          \
		.n_functions = ARRAY_SIZE(functions), .objects = objects,                          \
		.n_objects = ARRAY_SIZE(objects),                                                  \
	}

const struct cel_env *selector_env(enum selector_kind kind)
{
	static const struct cel_env disk = ENVIRONMENT(SELECTOR_VAR_VOLUME);
	static const struct cel_env volume = ENVIRONMENT(SELECTOR_N_VARIABLES);

	return kind == SELECTOR_VOLUME ? &volume : &disk;
}
