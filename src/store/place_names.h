/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_PLACE_NAMES_H
#define LARDER_STORE_PLACE_NAMES_H
/*
 * A place that has only names: what directories of another place held when somebody listed them. Whoever has looked at every entry
 * of a tree keeps it here, and what asks for the same directories afterwards (store/tree.h) costs no system calls and sees the same.
 * place_list() and place_list_any() work as in any place; there is nothing to open.
 */
#include "store/place.h"

struct names; /* one directory; the place's */

int place_new_names(struct place **ret);

/* A directory of this path, which has none yet. */
int place_names_directory(struct place *names, const char *path, struct names **ret);

/* One entry more. type: S_IFMT of st_mode. */
int names_add(struct names *directory, const char *name, mode_t type);

/* As place_list_any(). visit may make other directories, but must not add to this one. */
int names_list(const struct names *directory, place_visit_any_fn visit, void *user);

#endif
