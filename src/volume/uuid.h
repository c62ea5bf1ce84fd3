/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_UUID_H
#define LARDER_VOLUME_UUID_H
/*
 * Identifiers for new tables, partitions and filesystems: random, or derived from a seed so that the same input gives the
 * same image. Not for secrets.
 */
#include "block/table.h"

/* A version 4 UUID as text. seed NULL: random. what: "disk", "partition", "filesystem"; each has its own from one seed. */
int uuid_make(const char *seed, const char *what, char ret[static UUID_TEXT_BYTES]);

#endif
