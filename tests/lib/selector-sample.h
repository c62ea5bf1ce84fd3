/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_SELECTOR_SAMPLE_H
#define LARDER_TESTS_SELECTOR_SAMPLE_H
/* One disk and one partition of it, as selectors see them: for tests, fuzz targets and benches. */
#include "cel/selector_fields.h"

static const char *const sample_symlinks[] = { "/dev/disk/by-id/nvme-A", "/dev/disk/by-path/pci-1",
					       NULL };

static const struct disk_fields sample_disk = {
	.size = 1920383410176,
	.io_size = 512,
	.sector_size = 512,
	.dev_path = "/dev/nvme0n1",
	.pretty_size = "1.9 TB",
	.model = "SAMSUNG MZQL21T9HCJR",
	.serial = "S64GNE0R123456",
	.modalias = "",
	.wwid = "eui.36344730526123450025384500000001",
	.uuid = "",
	.bus_path = "/pci0000:80/0000:81:00.0/nvme",
	.sub_system = "/sys/class/block",
	.transport = "nvme",
	.firmware_version = "GDC5602Q",
	.symlinks = sample_symlinks,
};

static const struct volume_fields sample_volume = {
	.size = 1048576000,
	.partition_index = 2,
	.dev_path = "/dev/nvme0n1p2",
	.type = "partition",
	.device_path = "",
	.parent = "nvme0n1",
	.parent_dev_path = "/dev/nvme0n1",
	.pretty_size = "1.0 GB",
	.name = "ext4",
	.uuid = "",
	.label = "LARDER_1",
	.partition_uuid = "",
	.partition_type = "",
	.partition_label = "IMAGECACHE",
};

#endif
