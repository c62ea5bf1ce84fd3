/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_MARKED_H
#define LARDER_RUNTIME_MARKED_H
/*
 * Larder's lines in a file of somebody else, between two comment lines that begin with #. What is outside of them belongs to
 * the user; what is inside is written anew each time.
 */
#include "runtime/plan.h"

#define MARK	   "# larder" /* every mark begins so */
#define MARK_BEGIN MARK ": begin"
#define MARK_END   MARK ": end"

/* text with the block at offset (0 … its length), which is put on lines of its own. NULL: out of memory. */
char *marked_insert(const char *text, size_t offset, const char *block);

/*
 * text without what base shows that larder wrote, and without its blocks; *ret NULL: nothing but white space is left. A
 * plan_strip. -EINVAL: a mark has no counterpart.
 */
int marked_strip(const char *text, const struct plan_base *base, char **ret, struct diag *diag);

#endif
