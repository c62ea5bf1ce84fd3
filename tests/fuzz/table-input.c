/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/table-input.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "volume/plan.h"

#define DISK_BYTES (32ULL << 20)
#define HALF_MAX   (64 * 1024)

enum {
	FLAG_SECTORS_4096 = 1,
	FLAG_MEND_PRIMARY = 2,
	FLAG_MEND_BACKUP = 4,
	FLAG_GROW = 8,
};

static uint32_t crc32(const uint8_t *data, size_t size)
{
	uint32_t crc = ~0U;

	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void put32(uint8_t *p, uint32_t value)
{
	memcpy(p, &value, sizeof(value));
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/* Makes the checksums of the copy whose header is at lba right, if its fields lead anywhere. */
static void mend(uint8_t *disk, unsigned sector, uint64_t lba)
{
	uint8_t *header = disk + lba * sector;
	uint64_t entries = get64(header + 72),
		 bytes = (uint64_t)get32(header + 80) * get32(header + 84);
	uint32_t size = get32(header + 12);

	if (entries < DISK_BYTES / sector && bytes < DISK_BYTES - entries * sector)
		put32(header + 88, crc32(disk + entries * sector, bytes));
	put32(header + 16, 0);
	if (size <= sector)
		put32(header + 16, crc32(header, size));
}

static int make_disk(const uint8_t *data, size_t size, unsigned sector, unsigned flags)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);
	size_t half = size / 2 < HALF_MAX ? size / 2 : HALF_MAX;

	if (fd < 0 || ftruncate(fd, DISK_BYTES) < 0)
		abort();
	uint8_t *disk = mmap(NULL, DISK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (disk == MAP_FAILED)
		abort();
	memcpy(disk, data, half);
	memcpy(disk + DISK_BYTES - half, data + size - half, half);
	if (flags & FLAG_MEND_PRIMARY)
		mend(disk, sector, 1);
	if (flags & FLAG_MEND_BACKUP)
		mend(disk, sector, DISK_BYTES / sector - 1);
	munmap(disk, DISK_BYTES);
	return fd;
}

/* What a plan may never do. */
static void check_plan(const struct inspection *in, const struct volume_plan *plan)
{
	const struct gpt_copy *table = inspection_table(in);
	uint64_t end = plan->start + (plan->grow_to ? plan->grow_to : plan->size);

	if (plan->action == VOLUME_NONE)
		return;
	if (in->content == DISK_FOREIGN || plan->start < 2 * in->sector_size || end > in->size ||
	    end <= plan->start || plan->number == 0)
		abort();
	for (size_t i = 0; table && i < table->n_entries; i++) {
		const struct gpt_entry *e = &table->entries[i];
		uint64_t first = e->first * in->sector_size, last = (e->last + 1) * in->sector_size;
		if (e->number != plan->number && first < end && plan->start < last)
			abort();
		if (e->number == plan->number &&
		    (plan->action == VOLUME_ADD || plan->action == VOLUME_CREATE))
			abort();
		if (e->number == plan->number && plan->action == VOLUME_FINISH &&
		    !gpt_is_our_name(e->name))
			abort();
	}
}

static void plan_for(const struct inspection *in, unsigned flags)
{
	const struct volume_config config = {
		.min_size = { SIZE_BYTES, 16 << 20 },
		.max_size = { SIZE_PERCENT, 10000 },
		.grow = flags & FLAG_GROW,
	};
	const struct volume_candidate candidate = { .path = "disk",
						    .matched = true,
						    .inspection = *in };
	_cleanup_plan_ struct volume_plan plan = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	if (volume_plan_make(&config, &candidate, 1, NULL, &plan, &diag) == 0)
		check_plan(in, &plan);
}

void table_input(const uint8_t *data, size_t size)
{
	_cleanup_inspection_ struct inspection in = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	if (size < 1)
		return;
	unsigned flags = data[0], sector = flags & FLAG_SECTORS_4096 ? 4096 : 512;
	_cleanup_close_ int fd = make_disk(data + 1, size - 1, sector, flags);
	const struct inspection_target target = {
		.fd = fd, .image = true, .sector_size = sector, .grow = true
	};
	if (inspect_disk(&target, &in, &diag) == 0)
		plan_for(&in, flags);
}
