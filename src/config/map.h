/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_MAP_H
#define LARDER_CONFIG_MAP_H
#include "config/node.h"

/* A map whose pairs have been read: refuses a key that stands twice, and carries out "<<". -EINVAL with position. */
int map_finish(struct pool *pool, struct node *map, struct diag *diag);

#endif
