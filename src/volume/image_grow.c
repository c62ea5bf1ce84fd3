/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/image_grow.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"

#define CHUNK_BYTES (64 * 1024)

/* A temporary file beside the image; gone at the end unless it was renamed. */
struct temporary {
	int fd;
	char *path;
};

static void temporary_done(struct temporary *t)
{
	if (t->path)
		(void)unlink(t->path);
	free(t->path);
	t->fd = close_fd(t->fd);
}

static int temporary_make(const char *image, struct temporary *ret)
{
	char *path = text_format("%s.growing.XXXXXX", image);

	if (!path)
		return -ENOMEM;
	ret->fd = mkostemp(path, O_CLOEXEC);
	if (ret->fd < 0) {
		int r = -errno;
		free(path);
		return r;
	}
	ret->path = path;
	return 0;
}

/* Makes size bytes of to at to_offset equal to those of from; what is equal already is not written, so that holes stay. */
static int copy_range(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t size)
{
	_cleanup_free_ uint8_t *chunk = malloc(2 * CHUNK_BYTES);
	int r = chunk ? 0 : -ENOMEM;

	for (uint64_t at = 0; r == 0 && at < size; at += CHUNK_BYTES) {
		size_t n = size - at < CHUNK_BYTES ? (size_t)(size - at) : CHUNK_BYTES;
		r = pread_exact(from, chunk, n, from_offset + at);
		if (r == 0)
			r = pread_exact(to, chunk + CHUNK_BYTES, n, to_offset + at);
		if (r == 0 && memcmp(chunk, chunk + CHUNK_BYTES, n) != 0)
			r = pwrite_exact(to, chunk, n, to_offset + at);
	}
	return r;
}

/* A copy of the whole image, with its owner and mode. */
static int copy_image(int image, struct temporary *t)
{
	struct stat st;

	if (fstat(image, &st) < 0)
		return -errno;
	if (fchmod(t->fd, st.st_mode & 07777) < 0)
		return -errno;
	if (fchown(t->fd, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		return -errno;
	if (ioctl(t->fd, FICLONE, image) == 0)
		return 0;
	if (ftruncate(t->fd, st.st_size) < 0)
		return -errno;
	return copy_range(image, 0, t->fd, 0, (uint64_t)st.st_size);
}

static int copy_partition(const struct format_target *target, const char *beside, int image,
			  struct temporary *t)
{
	int r = temporary_make(beside, t);

	if (r == 0 && ftruncate(t->fd, (off_t)target->size) < 0)
		r = -errno;
	return r < 0 ? r : copy_range(image, target->offset, t->fd, 0, target->size);
}

/* The image with another partition, under the image's name, in one step. name: no symbolic link. */
static int replace_image(const struct format_target *target, const char *name, int image,
			 int partition)
{
	_cleanup_(temporary_done) struct temporary t = { .fd = -1 };
	struct stat st;
	int r = temporary_make(name, &t);

	if (r == 0)
		r = copy_image(image, &t);
	/* resize2fs has cut off what the filesystem does not use. */
	if (r == 0 && fstat(partition, &st) < 0)
		r = -errno;
	if (r == 0)
		r = copy_range(partition, 0, t.fd, target->offset, (uint64_t)st.st_size);
	if (r == 0 && (fsync(t.fd) < 0 || rename(t.path, name) < 0))
		r = -errno;
	if (r < 0)
		return r;
	free(t.path);
	t.path = NULL;
	return fsync_parent_at(AT_FDCWD, name);
}

int image_grow_ext4(const struct format_target *target, struct diag *diag)
{
	_cleanup_(temporary_done) struct temporary partition = { .fd = -1 };
	_cleanup_free_ char *name = realpath(target->path, NULL);
	_cleanup_close_ int image = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	int r = image < 0 ? -errno : copy_partition(target, name, image, &partition);

	if (r < 0)
		return diag_set(diag, r, "%s: cannot copy the partition to grow it: %s",
				target->path, strerror(-r));
	const struct format_target copy = { .path = partition.path };
	r = ext4_check(&copy, true, diag);
	if (r == 0)
		r = ext4_grow(&copy, diag);
	if (r < 0)
		return diag_prefix(diag, r, "%s: in a copy, which is gone again", target->path);
	r = replace_image(target, name, image, partition.fd);
	return r < 0 ? diag_set(diag, r, "%s: cannot write the grown image: %s", target->path,
				strerror(-r))
		     : 0;
}
