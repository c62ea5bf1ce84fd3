/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_SYSFS_H
#define LARDER_BLOCK_SYSFS_H
/*
 * Reading /sys, and text in its forms. Directories are descriptors below a root, so that a captured machine reads like a
 * real one. Attributes are short texts; what is missing or unreadable reads as "", since most attributes are
 * optional by nature.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block/disk.h"

/* The root itself as a descriptor (O_PATH); root NULL is /. Returns it or a negative errno. */
int sysfs_open_root(const char *root);

/*
 * The first DISK_ATTRIBUTE_MAX - 1 bytes of an attribute, white space at both ends removed, cut at a NUL, every byte that is no
 * UTF-8 replaced by '?'. Returns its length.
 */
size_t sysfs_text(int dir, const char *path, char buffer[static DISK_ATTRIBUTE_MAX]);

/* A decimal number. -ENOENT: there is nothing; -EINVAL: it is something else. */
int sysfs_number(int dir, const char *path, uint64_t *ret);

/* "1". */
bool sysfs_flag(int dir, const char *path);

/* Directory of a device: a link such as sys/block/sda leads there. Its path from the root ("/sys/devices/…/sda") goes
 * to path. Returns the descriptor or a negative errno. */
int sysfs_open_device(int root, const char *link, char path[static DISK_ATTRIBUTE_MAX]);

/* The same texts, for what is in memory: trimmed and cleaned in place, returns the new length. */
size_t sysfs_clean(char *text, size_t size);

/* The value of KEY in lines "KEY=value" (uevent; with prefix "E:" udev's database). Points into text; *ret_size is its
 * length. NULL: no such line. */
const char *sysfs_line_value(const char *text, const char *key, size_t *ret_size);

/*
 * The path that a link means: target as it is if absolute, else from the directory that the link lies in; "." and ".."
 * are carried out on the text, and never leave "/". -ENAMETOOLONG: it does not fit into size bytes.
 */
int sysfs_resolve(const char *directory, const char *target, char *ret, size_t size);

/* What follows the last slash. */
const char *sysfs_base_name(const char *path);

#endif
