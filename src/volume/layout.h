/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_LAYOUT_H
#define LARDER_VOLUME_LAYOUT_H
/*
 * Where on a disk the volume goes and how large it becomes: arithmetic on byte ranges, no input or output. Ranges are half open:
 * [start, end).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/sizes.h"

#define LAYOUT_GRAIN	  (1024 * 1024ULL)	/* alignment at least */
#define LAYOUT_SIZE_LEAST (16 * 1024 * 1024ULL) /* an ext4 with a journal and room in it */

struct range {
	uint64_t start, end;
};

/*
 * What of usable is not covered by the n used ranges (any order, may overlap; sorted in place), inwards to multiples of grain, lowest
 * first. *ret (owned by the caller) may be NULL when there is nothing.
 */
int layout_free(struct range usable, struct range *used, size_t n, uint64_t grain,
		struct range **ret, size_t *ret_n);

/*
 * The size that min and max mean where available bytes are free: max resolved and cut to what is available, rounded down to
 * grain (to sector, if only that keeps it at min). -ENOSPC with words (owned by the caller) that have the numbers in them; -EINVAL: min
 * is over max.
 */
int layout_size(const struct size_spec *min, const struct size_spec *max, uint64_t available,
		uint64_t grain, uint64_t sector, uint64_t *ret, char **ret_words);

/*
 * The range to use: the one in which the volume becomes largest; among equals the smallest, so that large ranges stay whole; then the
 * lowest. skip (may be NULL): ranges not to consider. Fills *ret_size. -ENOSPC with words about the largest range.
 */
int layout_choose(const struct range *ranges, size_t n, const bool *skip,
		  const struct size_spec *min, const struct size_spec *max, uint64_t grain,
		  uint64_t sector, size_t *ret_index, uint64_t *ret_size, char **ret_words);

#endif
