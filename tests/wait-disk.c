/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wait-disk MS SIZE: waits until there is a disk of SIZE bytes. wait-disk --event MS: waits for any event. For tests. */
#include <stdio.h>
#include <string.h>

#include "block/wait.h"

static int has_size(struct disk_list *disks, void *user)
{
	const uint64_t *size = user;

	for (size_t i = 0; i < disks->n_disks; i++)
		if (disks->disks[i].fields.size == *size)
			return 1;
	return 0;
}

static int wait_for_event(uint64_t ms)
{
	_cleanup_disk_monitor_ struct disk_monitor m = DISK_MONITOR_INIT;
	int r = disk_monitor_open(&m);

	if (r < 0) {
		printf("no events: %s\n", strerror(-r));
		return 3;
	}
	printf("listening\n");
	fflush(stdout);
	r = disk_monitor_wait(&m, ms);
	printf("%s\n", r > 0 ? "event" : "silence");
	return r > 0 ? 0 : 1;
}

int main(int argc, char *argv[])
{
	_cleanup_disk_list_ struct disk_list disks = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	if (argc != 3)
		return 2;
	if (strcmp(argv[1], "--event") == 0)
		return wait_for_event(strtoull(argv[2], NULL, 10));
	uint64_t size = strtoull(argv[2], NULL, 10);
	int r = disk_wait(strtoull(argv[1], NULL, 10), has_size, &size, &disks, &diag);
	printf("%s\n", r < 0 ? diag_text(&diag) : "there");
	return r < 0;
}
