/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_TRANSPORT_H
#define LARDER_BLOCK_TRANSPORT_H
/*
 * How a disk is attached, in the words of Talos: nvme, virtio, xenblk, mmc and dm by the name; behind a SCSI host spi, fc, sas, ibp,
 * iscsi, usb, sata, ata, virtio, or the name of the host's driver ("megaraid_sas"); "" for what is attached to nothing
 * (loop, md, zram).
 */
#include "block/disk.h"

/* root and disk: directories of the root and of the device (/sys/devices/…/sda, also given as path). Fills buffer. */
void transport_read(int root, int disk, const char *path, const char *name,
		    char buffer[static DISK_ATTRIBUTE_MAX]);

#endif
