/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/image_grow.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"

#define CHUNK_BYTES (64 * 1024)

/* The image and the copy of its partition. */
struct copy {
	int image, copy;
	uint64_t offset, size;
	char *path; /* of the copy */
	uint8_t chunk[CHUNK_BYTES], other[CHUNK_BYTES];
};

static void copy_done(struct copy *c)
{
	if (c->path)
		(void)unlink(c->path);
	free(c->path);
	close_fd(c->copy);
	close_fd(c->image);
	free(c);
}
DEFINE_CLEANUP(struct copy *, copy_done);

static size_t chunk_size(const struct copy *c, uint64_t at)
{
	return c->size - at < CHUNK_BYTES ? (size_t)(c->size - at) : CHUNK_BYTES;
}

static int open_copy(const struct format_target *target, struct copy **ret)
{
	_cleanup_(copy_donep) struct copy *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->copy = -1;
	c->offset = target->offset;
	c->size = target->size;
	c->image = open(target->path, O_RDWR | O_CLOEXEC);
	if (c->image < 0)
		return -errno;
	char *path;
	if (asprintf(&path, "%s.growing.XXXXXX", target->path) < 0)
		return -ENOMEM;
	c->copy = mkostemp(path, O_CLOEXEC);
	if (c->copy < 0) {
		int r = -errno;
		free(path);
		return r;
	}
	c->path = path;
	if (ftruncate(c->copy, (off_t)c->size) < 0)
		return -errno;
	*ret = TAKE_PTR(c);
	return 0;
}

static int copy_out(struct copy *c)
{
	static const uint8_t zeros[CHUNK_BYTES];

	for (uint64_t at = 0; at < c->size; at += CHUNK_BYTES) {
		size_t n = chunk_size(c, at);
		int r = pread_exact(c->image, c->chunk, n, c->offset + at);
		if (r == 0 && memcmp(c->chunk, zeros, n) != 0)
			r = pwrite_exact(c->copy, c->chunk, n, at);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_back_chunk(struct copy *c, uint64_t at)
{
	size_t n = chunk_size(c, at);
	int r = pread_exact(c->copy, c->chunk, n, at);

	if (r == 0)
		r = pread_exact(c->image, c->other, n, c->offset + at);
	if (r == 0 && memcmp(c->chunk, c->other, n) != 0)
		r = pwrite_exact(c->image, c->chunk, n, c->offset + at);
	return r;
}

/* All but the first chunk, which holds the superblock; that one when the rest is on the disk. */
static int write_back(struct copy *c)
{
	int r = 0;

	for (uint64_t at = CHUNK_BYTES; r == 0 && at < c->size; at += CHUNK_BYTES)
		r = write_back_chunk(c, at);
	if (r == 0 && fsync(c->image) < 0)
		r = -errno;
	if (r == 0)
		r = write_back_chunk(c, 0);
	if (r == 0 && fsync(c->image) < 0)
		r = -errno;
	return r;
}

int image_grow_ext4(const struct format_target *target, struct diag *diag)
{
	_cleanup_(copy_donep) struct copy *c = NULL;
	int r = open_copy(target, &c);

	if (r == 0)
		r = copy_out(c);
	if (r < 0)
		return diag_set(diag, r, "%s: cannot copy the partition to grow it: %s",
				target->path, strerror(-r));
	const struct format_target copy = { .path = c->path };
	r = ext4_check(&copy, true, diag);
	if (r == 0)
		r = ext4_grow(&copy, diag);
	if (r < 0)
		return r;
	r = write_back(c);
	return r < 0 ? diag_set(diag, r, "%s: cannot write the grown filesystem: %s", target->path,
				strerror(-r))
		     : 0;
}
