/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_GENERATION_H
#define LARDER_LAYERS_GENERATION_H
/*
 * Generations: RUN/gen/N is a read-only overlay of layers, RUN/gen/N.list the directories that it was made of (the first on top),
 * RUN/cache the link to the one that is served. The list is written before the overlay is mounted, the overlay is mounted before
 * the link is renamed: whatever a crash leaves, the link names a whole generation, and the rest is taken away next time.
 */
#include "base/diag.h"

/* The number that RUN/cache names; 0: none, or it is not mounted. */
unsigned generation_current(const char *run_dir);

/* Is the current generation made of exactly these directories? */
int generation_is(const char *run_dir, unsigned number, const char *const *lower, size_t n);

/* Mounts the next generation of the n directories (the first on top) and makes RUN/cache name it. */
int generation_publish(const char *run_dir, const char *const *lower, size_t n,
		       unsigned *ret_number, struct diag *diag);

/*
 * Unmounts every generation but keep (0: all, and RUN/cache goes as well). -EBUSY: one is still in use; it is detached, and goes when
 * its last user ends.
 */
int generation_clean(const char *run_dir, unsigned keep);

#endif
