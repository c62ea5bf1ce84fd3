/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hashing one content in slices. */
#include "store/verify.h"

#include <string.h>

#define PIECE (64U << 10) /* bytes read at once */

struct blob_check {
	struct content content;
	struct digest expected;
	struct hasher *hasher;
	uint64_t at;
};

void blob_check_free(struct blob_check *c)
{
	content_done(&c->content);
	if (c->hasher)
		hasher_free(c->hasher);
	free(c);
}

int blob_check_new(const struct content *content, const struct digest *digest,
		   struct blob_check **ret)
{
	_cleanup_(blob_check_freep) struct blob_check *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->content = CONTENT_INIT;
	c->expected = *digest;
	int r = content_copy(content, &c->content);
	if (r == 0)
		r = hasher_new(digest->algorithm, &c->hasher);
	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

uint64_t blob_check_left(const struct blob_check *c)
{
	return c->content.id.size - c->at;
}

static int finish(struct blob_check *c, bool *ret_sound)
{
	struct digest digest;
	int r = hasher_finish(c->hasher, &digest);

	if (r < 0)
		return r;
	if (!content_holds(&c->content))
		return -EAGAIN;
	*ret_sound = digest_equal(&digest, &c->expected);
	return 1;
}

int blob_check_step(struct blob_check *c, bool *ret_sound)
{
	char piece[PIECE];
	uint64_t slice = blob_check_left(c);

	if (slice > BLOB_CHECK_SLICE)
		slice = BLOB_CHECK_SLICE;
	while (slice > 0) {
		ssize_t n =
			content_read(&c->content, piece,
				     slice < sizeof(piece) ? (size_t)slice : sizeof(piece), c->at);
		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		int r = hasher_update(c->hasher, piece, (size_t)n);
		if (r < 0)
			return r;
		c->at += (uint64_t)n;
		slice -= (uint64_t)n;
	}
	return blob_check_left(c) > 0 ? 0 : finish(c, ret_sound);
}
