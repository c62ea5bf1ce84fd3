/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_WAIT_H
#define LARDER_BLOCK_WAIT_H
/*
 * Waiting for a disk that is not there yet: controllers and iSCSI sessions come up while the machine boots. Woken by udev's events, so
 * that names and serial numbers are complete, or by the kernel's where no udevd runs; and now and then by the clock,
 * since an event can be lost.
 *
 *	static int there(struct disk_list *disks, void *user) { return …; }
 *	r = disk_wait(10000, there, user, &disks, &diag);
 */
#include "block/disk.h"

#define DISK_WAIT_POLL_MS 1000
#define UDEV_CONTROL                                                                               \
	"/run/udev/control" /* is there while udevd runs, and before, when systemd has its sockets */

/* Called with each new list, read whole. 1: this is it; 0: wait on; negative: give up with this error. */
typedef int (*disk_wait_fn)(struct disk_list *disks, void *user);

/*
 * Reads the disks, and again after each event, until done says so; it is called at least once, also with timeout 0. 0 with
 * the list, -ETIMEDOUT, what done returned, or what disk_list_read() returned.
 */
int disk_wait(uint64_t timeout_ms, disk_wait_fn done, void *user, struct disk_list *ret,
	      struct diag *diag);

/* The events alone. A machine that gives no events (a container) is -EPERM or another error of socket(2). */
struct disk_monitor {
	int fd;
};

#define DISK_MONITOR_INIT ((struct disk_monitor){ -1 })

int disk_monitor_open(struct disk_monitor *ret);
void disk_monitor_close(struct disk_monitor *m);
#define _cleanup_disk_monitor_ _cleanup_(disk_monitor_close)

/* 1: something happened to a block device since the last call; 0: nothing did for timeout_ms. */
int disk_monitor_wait(struct disk_monitor *m, uint64_t timeout_ms);

#endif
