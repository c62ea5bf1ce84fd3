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

/*
 * Attaches an open file (borrowed) to a free device, which is made where there is none. *ret_fd keeps it alive until it is mounted.
 * -ENODEV: this kernel has no loop devices.
 *
 * Its reads go through the page cache, not past it by direct I/O: squashfs waits for one block at a time, and reading ahead in the file
 * is what keeps the disk busy meanwhile. What is cached of the file is of no use once squashfs has it, and the kernel is told so, for
 * this open file.
 */
int loop_attach(int file, int *ret_fd, char ret_path[static LOOP_PATH_MAX]);

/* The file behind a loop device (its number as in struct stat), as it was when it was attached. -ENXIO: none is attached. */
int loop_backing(dev_t device, dev_t *ret_dev, ino_t *ret_ino);

#endif
