/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_UDEV_H
#define LARDER_BLOCK_UDEV_H
/*
 * What udev adds to disks: their names in /dev/disk, and the serial numbers of those that have none in /sys. A boot looks at
 * disks before udev has been at them; a selector that asks for these things then must wait, and no other does. "Every disk but that one" would
 * else hold for that one, too.
 */
#include "block/disk.h"
#include "cel/selector.h"

#define UDEV_WAIT_MS 30000 /* an udevd that is broken must not keep a machine from booting */

/*
 * If udev has yet to be at a disk of the list, and one of the fields (a set, as of selector_disk_fields()) depends on it, waits
 * for that and reads the list anew. 0 also where no udevd runs; -ETIMEDOUT names a disk, and each that udev has not been
 * at has its error set: no selector is true for it, since what is not known may be what excludes it. Another error of
 * disk_list_read().
 */
int udev_complete(uint64_t fields, struct disk_list *list, struct diag *diag);

#endif
