/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_NEEDS_ENVIRONMENT_FILE_H
#define LARDER_NEEDS_ENVIRONMENT_FILE_H
/*
 * Files that EnvironmentFile= of a service names (systemd.exec(5)): lines "NAME=value", quoted as for a shell, nothing replaced
 * in them. What they say counts more than Environment=, and a later file more than an earlier one.
 */
#include "needs/unit_file.h"

#define ENVIRONMENT_FILES_MAX	  64   /* of one unit; each of at most ROOTFS_FILE_MAX bytes */
#define ENVIRONMENT_VARIABLES_MAX 1000 /* of one unit, with those that a later line sets anew */

/*
 * Adds "NAME=value" for each line of text to *list, in their order. Comments, and lines that set no variable, count nothing.
 * -E2BIG: more than ENVIRONMENT_VARIABLES_MAX; those are there then. -ENOMEM.
 */
int environment_file_parse(const char *text, char ***list);

/*
 * Reads the files of a unit below the root, once, so that unit_expand() knows their variables. What cannot be read is a note;
 * a file that need not be there ("-" before its path) and is not is none. 0 or -ENOMEM.
 */
int environment_files_read(struct collector *c, struct unit *unit);

#endif
