/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_LINKS_H
#define LARDER_BLOCK_LINKS_H
/*
 * The names that udev gives to devices: every symlink below /dev/disk, with the device node that it means. Read once for all
 * disks, sorted by node and then by name.
 */
#include <stddef.h>

#include "base/cleanup.h"

#define LINKS_MAX	65536 /* more are not read */
#define LINKS_DEPTH_MAX 4     /* directories below /dev/disk */

struct dev_link {
	char *name; /* "/dev/disk/by-label/DATA" */
	char *node; /* "/dev/sda1" */
};

struct dev_links {
	struct dev_link *links;
	size_t n_links;
};

/* No /dev/disk is an empty list. 0 or -ENOMEM. */
int dev_links_read(int root, struct dev_links *ret);
void dev_links_done(struct dev_links *links);
#define _cleanup_dev_links_ _cleanup_(dev_links_done)

/* The links to node: *ret_n of them, from the returned one on. */
const struct dev_link *dev_links_of(const struct dev_links *links, const char *node, size_t *ret_n);

/*
 * The node that a device path means: the path itself, or what the symlinks in /dev say (up to 8 of them). Owned by the
 * caller; NULL: out of memory, or not below /dev.
 */
char *dev_node_of(int root, const char *dev_path);

/* A label as udev writes it into a file name: what is neither a letter, a digit, one of #+-.:=@_ nor UTF-8 becomes \xNN. Owned by the
 * caller; NULL: out of memory. */
char *dev_link_encode(const char *label);

#endif
