/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/disk_sequence.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "base/io.h"

#define NUMBER_MAX (64U << 10) /* bytes of the file: sysfs says a page of any */

uint64_t disk_sequence(dev_t device)
{
	/* A partition is below its disk. */
	static const char *const names[] = { "diskseq", "../diskseq" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *text = NULL;
		char path[64];
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(device),
			 minor(device), names[i]);
		if (read_file_at(AT_FDCWD, path, NUMBER_MAX, &text, NULL) == 0)
			return strtoull(text, NULL, 10);
	}
	return 0;
}
