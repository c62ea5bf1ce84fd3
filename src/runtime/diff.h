/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_DIFF_H
#define LARDER_RUNTIME_DIFF_H
/* Unified diffs (POSIX diff -u, three lines of context) of small texts. */
#include <stdio.h>

#define DIFF_LINES_MAX 2000 /* that differ; more are shown as one replaced block */

/* Writes the difference from old to new (NULL: there is no file). Nothing if they are the same. -ENOMEM. */
int diff_write(FILE *f, const char *path, const char *old, const char *new);

#endif
