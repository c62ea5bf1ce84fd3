/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_LOOP_H
#define LARDER_LAYERS_LOOP_H
/*
 * Read-only loop devices (loop(4)) that detach by themselves when their last user goes, so that a crash leaves none behind.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

#define LOOP_PATH_MAX 32

/* Files up to this many bytes stay in the page cache, where reading ahead helps; for larger ones being cached twice would cost more. */
#define LOOP_BUFFERED_MAX (16 * 1024 * 1024)

/*
 * Attaches an open file (borrowed) to a free device, which is made where there is none; direct I/O for large files where it works. *ret_fd keeps it
 * alive until it is mounted. -ENODEV: this kernel has no loop devices.
 */
int loop_attach(int file, int *ret_fd, char ret_path[static LOOP_PATH_MAX]);

/* The file behind a loop device (its number as in struct stat), as it was when it was attached. -ENXIO: none is attached. */
int loop_backing(dev_t device, dev_t *ret_dev, ino_t *ret_ino);

#endif
