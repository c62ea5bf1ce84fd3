/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_GENERATION_H
#define LARDER_LAYERS_GENERATION_H
/*
 * Generations: RUN/gen/N is a read-only overlay of layers, RUN/gen/N.list what it is made of (store/parts.h; the first on top),
 * RUN/cache the link to the one that is served. The list is written before the overlay is mounted, the overlay is mounted before
 * the link is renamed: whatever a crash leaves, the link names a whole generation, and the rest is taken away next time.
 *
 * A generation with a layer that is read in place cannot be an overlay; nor can any where the kernel has none. Then RUN/gen/N is a
 * directory with a file "apart" in it, and larderd asks the parts one by one.
 */
#include <stdbool.h>

#include "base/diag.h"
#include "store/parts.h"

/* The number that RUN/cache names; 0: none, or it is neither mounted nor apart. */
unsigned generation_current(const char *run_dir);

/* Is this generation made of exactly these parts? */
bool generation_is(const char *run_dir, unsigned number, const struct part *parts, size_t n);

/* What it is made of; parts_list_free() (store/parts_inside.h) is the caller's. -ENOENT: it has no list; -EINVAL: it is none. */
int generation_read(const char *run_dir, unsigned number, struct part **ret, size_t *ret_n);

/* Is one of its parts at this path? */
bool generation_has(const char *run_dir, unsigned number, const char *path);

/*
 * Mounts the next generation of the n parts (the first on top) and makes RUN/cache name it. *ret_apart: why it is no overlay, the
 * caller's; NULL: it is one, or has layers that are read in place.
 */
int generation_publish(const char *run_dir, const struct part *parts, size_t n,
		       unsigned *ret_number, char **ret_apart, struct diag *diag);

/*
 * Unmounts every generation but keep (0: all, and RUN/cache goes as well). -EBUSY: one is still in use; it is detached, and goes when
 * its last user ends.
 */
int generation_clean(const char *run_dir, unsigned keep);

#endif
