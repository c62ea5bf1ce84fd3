/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_TREE_H
#define LARDER_TESTS_TREE_H
/*
 * Captured machines as text: one file holds a tree of /sys, /dev, /proc and /run, easy to read and to review.
 *
 *	# comment
 *	[sys/devices/pci0000:00/0000:00:05.0/virtio2/block/vda]     names below are in this directory
 *	size: 20971520                                              a file with this line
 *	uevent: MAJOR=254\nMINOR=0\nDEVNAME=vda                     \n is a new line, \0 a NUL, \\ a backslash
 *	subsystem -> ../../../../../../class/block                  a symlink
 *	slaves/                                                     a directory
 *	[]                                                          back at the top
 *
 * Directories come into being as they are needed. A file ends with a new line, as in /sys, unless it is empty.
 */
#include <stddef.h>

/*
 * Unpacks text below the directory dir. Strict is for test data: a line that says none of the above is -EINVAL (its number is then in
 * *ret_line, which may be NULL). Otherwise such lines are left out. Nothing is written outside dir: "..", and
 * symlinks that are absolute or lead out of it, are refused.
 */
int tree_unpack(int dir, const char *text, size_t size, int strict, unsigned *ret_line);

#endif
