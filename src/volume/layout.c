/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/layout.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* [start, end) inwards to multiples of grain; empty when nothing remains. */
static struct range align_inwards(uint64_t start, uint64_t end, uint64_t grain)
{
	uint64_t up = start % grain ? start - start % grain + grain : start;
	struct range r = { up, end - end % grain };

	if (up < start || r.end <= r.start)
		return (struct range){ 0, 0 };
	return r;
}

int layout_free(struct range usable, struct range *used, size_t n, uint64_t grain,
		struct range **ret, size_t *ret_n)
{
	_cleanup_free_ struct range *list = calloc(n + 1, sizeof(*list));
	uint64_t at = usable.start;
	size_t found = 0;

	if (!list)
		return -ENOMEM;
	if (n > 0)
		qsort(used, n, sizeof(*used), compare_ranges);
	for (size_t i = 0; i <= n; i++) {
		uint64_t end = i < n && used[i].start < usable.end ? used[i].start : usable.end;
		struct range r = align_inwards(at, end > at ? end : at, grain);
		if (r.end > r.start)
			list[found++] = r;
		if (i < n && used[i].end > at)
			at = used[i].end;
	}
	*ret = TAKE_PTR(list);
	*ret_n = found;
	return 0;
}

static int say(char **ret, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int say(char **ret, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	*ret = text_vformat(format, ap);
	va_end(ap);
	return err;
}

static int too_small(uint64_t size, uint64_t least, const struct size_spec *max, uint64_t available,
		     char **ret_words)
{
	char a[TEXT_SIZE_MAX], b[TEXT_SIZE_MAX], c[TEXT_SIZE_MAX];

	text_size_iec(available, a);
	text_size_iec(least, b);
	text_size_iec(size, c);
	if (max->kind == SIZE_PERCENT || max->kind == SIZE_NEGATIVE) {
		_cleanup_free_ char *spec = size_describe(max);
		return say(
			ret_words, -ENOSPC,
			"maxSize (%s) of the %s that are free in one piece is %s, and at least %s are needed",
			spec ? spec : "?", a, c, b);
	}
	/* "only 4 GiB, and at least 4 GiB" would say nothing. */
	if (strcmp(a, b) == 0)
		return say(
			ret_words, -ENOSPC,
			"only %llu bytes are free in one piece, and at least %llu bytes are needed",
			(unsigned long long)available, (unsigned long long)least);
	return say(ret_words, -ENOSPC, "only %s are free in one piece, and at least %s are needed",
		   a, b);
}

int layout_size(const struct size_spec *min, const struct size_spec *max, uint64_t available,
		uint64_t grain, uint64_t sector, uint64_t *ret, char **ret_words)
{
	uint64_t least = min->kind == SIZE_BYTES ? min->value : 0;
	uint64_t size = max->kind == SIZE_UNSET ? available : size_resolve(max, available);
	char a[TEXT_SIZE_MAX], b[TEXT_SIZE_MAX];

	if (max->kind == SIZE_BYTES && max->value < least)
		return say(ret_words, -EINVAL, "minSize (%s) is larger than maxSize (%s)",
			   text_size_iec(least, a), text_size_iec(max->value, b));
	if (max->kind == SIZE_BYTES && max->value < LAYOUT_SIZE_LEAST)
		return say(ret_words, -EINVAL,
			   "maxSize (%s) is too small: a volume has at least %s",
			   text_size_iec(max->value, a), text_size_iec(LAYOUT_SIZE_LEAST, b));
	if (least < LAYOUT_SIZE_LEAST)
		least = LAYOUT_SIZE_LEAST;
	if (size > available)
		size = available;
	uint64_t rounded = size - size % grain;
	if (rounded < least)
		rounded = size - size % sector;
	if (rounded < least)
		return too_small(size, least, max, available, ret_words);
	*ret = rounded;
	return 0;
}

static size_t largest(const struct range *ranges, size_t n, const bool *skip)
{
	size_t best = n;

	for (size_t i = 0; i < n; i++) {
		if (skip && skip[i])
			continue;
		if (best == n ||
		    ranges[i].end - ranges[i].start > ranges[best].end - ranges[best].start)
			best = i;
	}
	return best;
}

/* Why even the largest range will not do. */
static int none_fits(const struct range *ranges, size_t n, const bool *skip,
		     const struct size_spec *min, const struct size_spec *max, uint64_t grain,
		     uint64_t sector, char **ret_words)
{
	size_t best = largest(ranges, n, skip);
	uint64_t size;

	return layout_size(min, max, best == n ? 0 : ranges[best].end - ranges[best].start, grain,
			   sector, &size, ret_words);
}

int layout_choose(const struct range *ranges, size_t n, const bool *skip,
		  const struct size_spec *min, const struct size_spec *max, uint64_t grain,
		  uint64_t sector, size_t *ret_index, uint64_t *ret_size, char **ret_words)
{
	uint64_t best_size = 0, best_length = 0;
	size_t best = n;

	for (size_t i = 0; i < n; i++) {
		uint64_t length = ranges[i].end - ranges[i].start, size;
		_cleanup_free_ char *words = NULL;
		if ((skip && skip[i]) ||
		    layout_size(min, max, length, grain, sector, &size, &words) < 0)
			continue;
		if (best < n && (size < best_size || (size == best_size && length >= best_length)))
			continue;
		best = i;
		best_size = size;
		best_length = length;
	}
	if (best == n)
		return none_fits(ranges, n, skip, min, max, grain, sector, ret_words);
	*ret_index = best;
	*ret_size = best_size;
	return 0;
}
