/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "volume/wipe.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/blank.h"
#include "block/gpt.h"
#include "volume/candidates.h"

#define WIPE_BYTES (1024 * 1024) /* at either end: every signature that libblkid knows lies there */

struct volume_wipe {
	const struct volume_request *request;
	struct candidates candidates;
	const struct volume_candidate *disk;
	struct gpt_entry entry;
	char *found; /* in the partition; NULL: nothing */
	char *words;
};

void volume_wipe_done(struct volume_wipe *w)
{
	candidates_done(&w->candidates);
	free(w->found);
	free(w->words);
	free(w);
}

const char *volume_wipe_words(const struct volume_wipe *w)
{
	return w->words;
}

/* The partition of that name; how many there are. */
static size_t find(struct volume_wipe *w, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < w->candidates.n; i++) {
		const struct volume_candidate *c = &w->candidates.list[i];
		const struct gpt_copy *table = c->matched ? inspection_table(&c->inspection) : NULL;
		for (size_t k = 0; table && k < table->n_entries; k++) {
			if (strcmp(table->entries[k].name, name) != 0)
				continue;
			w->disk = c;
			w->entry = table->entries[k];
			n++;
		}
	}
	return n;
}

static struct range place_of(const struct volume_wipe *w)
{
	unsigned sector = w->disk->inspection.sector_size;

	return (struct range){ w->entry.first * sector, (w->entry.last + 1) * sector };
}

struct volume_wipe_target volume_wipe_target(const struct volume_wipe *w)
{
	struct range place = place_of(w);

	return (struct volume_wipe_target){
		.disk = w->disk->path,
		.number = w->entry.number,
		.name = w->entry.name,
		.start = place.start,
		.size = place.end - place.start,
		.found = w->found,
	};
}

static int describe(struct volume_wipe *w, struct diag *diag)
{
	_cleanup_close_ int fd = candidate_open(w->request, w->disk, O_RDONLY, diag);
	struct range place = place_of(w);
	char size[TEXT_SIZE_MAX];

	if (fd < 0)
		return fd;
	int r = signature_find(fd, place.start, place.end - place.start,
			       w->disk->inspection.sector_size, SIGNATURE_ALL, &w->found, diag);
	if (r < 0)
		return r;
	w->words = text_format("partition %u of %s (%s, %s, %s)", w->entry.number, w->disk->path,
			       w->entry.name, text_size_iec(place.end - place.start, size),
			       w->found ? w->found : "no filesystem");
	if (!w->words)
		return -ENOMEM;
	return 0;
}

/* Deleting the partition writes both copies of the table, as adding one does. */
static int check_writable(const struct volume_candidate *disk, struct diag *diag)
{
	if (disk->inspection.can_add)
		return 0;
	return diag_set(diag, -EPERM, "%s has %s; mend that first", disk->path,
			disk->inspection.words);
}

int volume_wipe_prepare(const struct volume_request *request, struct volume_wipe **ret,
			struct diag *diag)
{
	_cleanup_(volume_wipe_donep) struct volume_wipe *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->request = request;
	int r = candidates_read(request, &w->candidates, diag);
	if (r < 0)
		return r;
	size_t n = find(w, NAME_VOLUME);
	if (n == 0)
		n = find(w, NAME_VOLUME_NEW);
	if (n == 0 && request->image)
		return diag_set(diag, -ENOENT,
				"%s has no volume " NAME_VOLUME
				" to wipe; \"larder volume plan --image\" shows what is in it",
				request->image);
	if (n == 0)
		return diag_set(
			diag, -ENOENT,
			"there is no volume " NAME_VOLUME
			" to wipe; \"larder disks\" shows the disks, and the disk selector must match the one that has it");
	if (n > 1)
		return diag_set(
			diag, -EINVAL,
			"%zu partitions are called %s; let the disk selector match one disk only",
			n, w->entry.name);
	if (w->disk->read_only)
		return diag_set(diag, -EROFS,
				"%s is read-only: make it writable to wipe its volume",
				w->disk->path);
	r = check_writable(w->disk, diag);
	if (r < 0)
		return r;
	r = describe(w, diag);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(w);
	return 0;
}

static int zero(int fd, uint64_t start, uint64_t end)
{
	_cleanup_free_ char *zeros = calloc(1, WIPE_BYTES);
	size_t bytes = end - start < WIPE_BYTES ? (size_t)(end - start) : WIPE_BYTES;

	if (!zeros)
		return -ENOMEM;
	int r = pwrite_exact(fd, zeros, bytes, start);
	if (r == 0)
		r = pwrite_exact(fd, zeros, bytes, end - bytes);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* Zeroes through the partition's own node, held exclusively: a mounted one is refused by the kernel. */
static int zero_partition(const struct volume_wipe *w, int disk, struct diag *diag)
{
	struct range place = place_of(w);
	struct kernel_partition p;
	struct stat st;

	if (w->request->image)
		return zero(disk, place.start, place.end);
	if (fstat(disk, &st) < 0)
		return -errno;
	int r = partition_announce(disk, major(st.st_rdev), minor(st.st_rdev), w->entry.number,
				   place.start, place.end - place.start, &p, diag);
	if (r < 0)
		return r;
	_cleanup_close_ int fd = partition_open(&p, O_RDWR | O_EXCL, NULL, diag);
	if (fd == -EBUSY)
		return diag_set(diag, -EBUSY, "it is mounted or in use; run \"larder stop\" first");
	return fd < 0 ? fd : zero(fd, 0, place.end - place.start);
}

static int check_unchanged(const struct volume_wipe *w, int fd, struct diag *diag)
{
	const struct inspection *in = &w->disk->inspection;
	_cleanup_gpt_ struct gpt now = { 0 };
	int r = gpt_read(fd, in->sector_size, in->gpt.n_sectors, &now, diag);

	if (r < 0)
		return r;
	if (now.fingerprint != in->gpt.fingerprint)
		return diag_set(
			diag, -ESTALE,
			"the partition table has changed in the meantime; nothing was wiped: end what changes it, and try again");
	return 0;
}

int volume_wipe_apply(const struct volume_wipe *w, struct diag *diag)
{
	_cleanup_close_ int fd = candidate_lock(w->request, w->disk, O_RDWR, diag);
	const struct gpt_device device = {
		.fd = fd,
		.path = w->disk->path,
		.sector_size = w->disk->inspection.sector_size,
	};

	if (fd < 0)
		return fd;
	int r = check_unchanged(w, fd, diag);
	if (r == 0 && w->disk->inspection.repair)
		r = gpt_repair(&device, diag);
	if (r == 0)
		r = zero_partition(w, fd, diag);
	if (r < 0)
		return diag_prefix(diag, r, "cannot wipe %s", w->words);
	if (!w->request->image)
		r = partition_forget(fd, w->entry.number, diag);
	if (r < 0)
		return diag_prefix(diag, r, "%s", device.path);
	return gpt_delete(&device, w->entry.number, diag);
}
