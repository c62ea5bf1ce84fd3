/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_PARTS_INSIDE_H
#define LARDER_STORE_PARTS_INSIDE_H
/* Inside of store/parts, and for larder, which compares what it finds with it: the text of the list. */
#include "store/parts.h"

/* list, its strings and *ret_n are the caller's: parts_list_free(). -EINVAL: a line is none. */
int parts_list_parse(const char *text, struct part **ret, size_t *ret_n);
void parts_list_free(struct part *list, size_t n);

#endif
