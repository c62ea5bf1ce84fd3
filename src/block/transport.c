/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/transport.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "block/sysfs.h"

static const struct {
	const char *prefix;
	const char *transport;
} by_name[] = {
	{ "nvme", "nvme" },  { "vd", "virtio" }, { "xvd", "xenblk" },
	{ "mmcblk", "mmc" }, { "dm-", "dm" },
};

static const char *transport_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(by_name); i++)
		if (text_starts_with(name, by_name[i].prefix))
			return by_name[i].transport;
	return NULL;
}

/* Is there /sys/class/<kind>_host/host<N>? Then the host is of that kind. */
static bool host_is(int root, unsigned host, const char *kind)
{
	char path[64];

	snprintf(path, sizeof(path), "sys/class/%s_host/host%u", kind, host);
	return faccessat(root, path, F_OK, 0) == 0;
}

/* "0:2:1:0" (host, channel, target, unit) is what the device link of a SCSI disk ends with. */
static bool scsi_host_of(int disk, unsigned *ret)
{
	char target[DISK_ATTRIBUTE_MAX];
	ssize_t n = readlinkat(disk, "device", target, sizeof(target) - 1);
	int end = 0;
	unsigned host, channel;
	unsigned long id, lun;

	if (n < 0)
		return false;
	target[n] = '\0';
	const char *address = sysfs_base_name(target);
	if (!isdigit((unsigned char)*address) ||
	    sscanf(address, "%u:%u:%lu:%lu%n", &host, &channel, &id, &lun, &end) != 4 ||
	    address[end] != '\0')
		return false;
	*ret = host;
	return true;
}

static const char *transport_by_driver(const char *driver)
{
	if (strcmp(driver, "ahci") == 0 || strcmp(driver, "sata") == 0)
		return "sata";
	if (strstr(driver, "ata"))
		return "ata";
	if (strcmp(driver, "virtio_scsi") == 0)
		return "virtio";
	return NULL;
}

static const char *transport_by_host(int root, int disk, const char *path, unsigned host)
{
	static const char *const first[] = { "spi", "fc", "sas" };

	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		if (host_is(root, host, first[i]))
			return first[i];
	if (faccessat(disk, "device/ieee1394_id", F_OK, 0) == 0)
		return "ibp";
	if (host_is(root, host, "iscsi"))
		return "iscsi";
	return strstr(path, "/usb") ? "usb" : NULL;
}

void transport_read(int root, int disk, const char *path, const char *name,
		    char buffer[static DISK_ATTRIBUTE_MAX])
{
	const char *found = transport_by_name(name);
	unsigned host;

	*buffer = '\0';
	if (!found && scsi_host_of(disk, &host)) {
		found = transport_by_host(root, disk, path, host);
		if (!found) {
			char attribute[64];
			snprintf(attribute, sizeof(attribute),
				 "sys/class/scsi_host/host%u/proc_name", host);
			sysfs_text(root, attribute, buffer);
			found = transport_by_driver(buffer);
		}
	}
	if (found)
		strcpy(buffer, found);
}
