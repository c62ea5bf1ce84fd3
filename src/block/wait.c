/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/wait.h"

#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define GROUP_KERNEL	1
#define GROUP_UDEV	2
#define EVENT_BYTES_MAX 8192
#define EVENTS_AT_ONCE	10000 /* drained before the disks are looked at again */
#define BLOCK_SUBSYSTEM "SUBSYSTEM=block"

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int disk_monitor_open(struct disk_monitor *ret)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = access(UDEV_CONTROL, F_OK) == 0 ? GROUP_UDEV : GROUP_KERNEL,
	};
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	ret->fd = TAKE_FD(fd);
	return 0;
}

void disk_monitor_close(struct disk_monitor *m)
{
	m->fd = close_fd(m->fd);
}

/* Both the kernel's and udev's messages are strings that end with NUL, after a header. Events only wake us up: what they say is read
 * from /sys, so a forged one does no harm. */
static bool is_block_event(const char *message, size_t size)
{
	return memmem(message, size, BLOCK_SUBSYSTEM, sizeof(BLOCK_SUBSYSTEM)) != NULL;
}

/* Takes what is there. More than fits into the socket was lost: then something happened, too. */
static bool drain(int fd)
{
	char message[EVENT_BYTES_MAX];
	bool any = false;

	for (unsigned i = 0; i < EVENTS_AT_ONCE; i++) {
		ssize_t n = recv(fd, message, sizeof(message), 0);
		if (n < 0 && errno == ENOBUFS)
			any = true;
		else if (n < 0 && errno != EINTR)
			break;
		else if (n > 0)
			any |= is_block_event(message, (size_t)n);
	}
	return any;
}

int disk_monitor_wait(struct disk_monitor *m, uint64_t timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = m->fd, .events = POLLIN };
		uint64_t now = now_ms(), left = end > now ? end - now : 0;
		int n = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && drain(m->fd))
			return 1;
		if (left == 0)
			return 0;
	}
}

/* Without events (no monitor), the clock alone. */
static int wait_for_change(struct disk_monitor *m, uint64_t left)
{
	uint64_t pause = left < DISK_WAIT_POLL_MS ? left : DISK_WAIT_POLL_MS;

	if (m->fd >= 0)
		return disk_monitor_wait(m, pause);
	struct timespec t = { (time_t)(pause / 1000), (long)(pause % 1000) * 1000000 };
	(void)nanosleep(&t, NULL);
	return 0;
}

int disk_wait(uint64_t timeout_ms, disk_wait_fn done, void *user, struct disk_list *ret,
	      struct diag *diag)
{
	_cleanup_disk_monitor_ struct disk_monitor monitor = DISK_MONITOR_INIT;
	uint64_t start = now_ms();

	/* Before the first look, so that nothing is missed in between. */
	(void)disk_monitor_open(&monitor);
	for (;;) {
		_cleanup_disk_list_ struct disk_list list = { 0 };
		int r = disk_list_read(NULL, DISK_FIELDS_ALL, &list, diag);
		r = r < 0 ? r : done(&list, user);
		if (r < 0)
			return r;
		if (r > 0) {
			*ret = list;
			list = (struct disk_list){ 0 };
			return 0;
		}
		uint64_t spent = now_ms() - start;
		if (spent >= timeout_ms)
			return diag_set(diag, -ETIMEDOUT, "no such disk came up within %.1f s",
					(double)timeout_ms / 1000);
		r = wait_for_change(&monitor, timeout_ms - spent);
		if (r < 0)
			return r;
	}
}
