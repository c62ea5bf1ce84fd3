/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/table.h"

#include <endian.h>
#include <string.h>

#include "base/io.h"

/* A header on the disk (UEFI 2.10, table 5.5); little endian. */
struct __attribute__((packed)) raw_header {
	char signature[8];
	uint32_t revision, header_size, header_crc, reserved;
	uint64_t my_lba, other_lba, first_usable, last_usable;
	uint8_t disk_uuid[16];
	uint64_t entries_lba;
	uint32_t n_slots, slot_bytes, entries_crc;
};

struct __attribute__((packed)) raw_entry {
	uint8_t type[16], uuid[16];
	uint64_t first, last, attributes;
	uint16_t name[36];
};

_Static_assert(sizeof(struct raw_header) == 92, "UEFI says 92");
_Static_assert(sizeof(struct raw_entry) == GPT_ENTRY_BYTES, "UEFI says 128");

#define HEADER_BYTES_MAX 4096

static uint32_t crc32_more(uint32_t crc, const uint8_t *data, size_t size)
{
	static const uint32_t nibbles[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return crc;
}

static uint32_t crc32_of(const uint8_t *data, size_t size)
{
	return ~crc32_more(~0U, data, size);
}

/* FNV-1a: to notice changes, not attackers. */
static void fingerprint_add(uint64_t *fingerprint, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*fingerprint = (*fingerprint ^ data[i]) * 0x100000001b3ULL;
}

enum mbr_kind mbr_parse(const uint8_t sector[static 512])
{
	unsigned protective = 0, others = 0;
	bool odd = false;

	if (sector[510] != 0x55 || sector[511] != 0xaa)
		return MBR_NONE;
	for (size_t i = 0; i < 4; i++) {
		const uint8_t *record = sector + 446 + 16 * i;
		uint32_t start;
		memcpy(&start, record + 8, sizeof(start));
		if (record[4] == 0)
			continue;
		if (record[4] == 0xee) {
			protective++;
			odd |= le32toh(start) != 1;
		} else {
			others++;
		}
	}
	if (protective == 0)
		return others ? MBR_DOS : MBR_NONE;
	if (others || protective > 1)
		return MBR_HYBRID;
	return odd ? MBR_ODD : MBR_PROTECTIVE;
}

void gpt_parse_header(const uint8_t *sector, unsigned sector_size, uint64_t lba,
		      struct gpt_copy *ret)
{
	struct raw_header h;
	uint8_t copy[HEADER_BYTES_MAX];

	memcpy(&h, sector, sizeof(h));
	ret->lba = lba;
	ret->signature = memcmp(h.signature, "EFI PART", 8) == 0;
	uint32_t size = le32toh(h.header_size);
	if (!ret->signature || le32toh(h.revision) >> 16 != 1 || size < sizeof(h) ||
	    size > sector_size || size > sizeof(copy) || le64toh(h.my_lba) != lba)
		return;
	memcpy(copy, sector, size);
	memset(copy + offsetof(struct raw_header, header_crc), 0, sizeof(h.header_crc));
	if (crc32_of(copy, size) != le32toh(h.header_crc))
		return;
	ret->header_valid = true;
	ret->other_lba = le64toh(h.other_lba);
	ret->entries_lba = le64toh(h.entries_lba);
	ret->first_usable = le64toh(h.first_usable);
	ret->last_usable = le64toh(h.last_usable);
	ret->n_slots = le32toh(h.n_slots);
	ret->slot_bytes = le32toh(h.slot_bytes);
	ret->entries_crc = le32toh(h.entries_crc);
	memcpy(ret->disk_uuid, h.disk_uuid, sizeof(ret->disk_uuid));
}

static char *put_utf8(char *at, uint32_t point)
{
	if (point < 0x80) {
		*at++ = (char)point;
	} else if (point < 0x800) {
		*at++ = (char)(0xc0 | point >> 6);
		*at++ = (char)(0x80 | (point & 0x3f));
	} else if (point < 0x10000) {
		*at++ = (char)(0xe0 | point >> 12);
		*at++ = (char)(0x80 | (point >> 6 & 0x3f));
		*at++ = (char)(0x80 | (point & 0x3f));
	} else {
		*at++ = (char)(0xf0 | point >> 18);
		*at++ = (char)(0x80 | (point >> 12 & 0x3f));
		*at++ = (char)(0x80 | (point >> 6 & 0x3f));
		*at++ = (char)(0x80 | (point & 0x3f));
	}
	return at;
}

static void parse_name(const uint16_t units[static 36], char name[static GPT_NAME_BYTES])
{
	char *at = name;

	for (size_t i = 0; i < 36 && units[i]; i++) {
		uint32_t unit = le16toh(units[i]);
		uint32_t next = i + 1 < 36 ? le16toh(units[i + 1]) : 0;
		if (unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
			unit = 0x10000 + ((unit & 0x3ff) << 10) + (next & 0x3ff);
			i++;
		} else if (unit >= 0xd800 && unit < 0xe000) {
			unit = 0xfffd;
		}
		at = put_utf8(at, unit);
	}
	*at = '\0';
}

static bool all_zero(const uint8_t *data, size_t size)
{
	return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

int gpt_parse_entries(const uint8_t *slots, unsigned n, unsigned bytes, struct gpt_entry **ret,
		      size_t *ret_n)
{
	_cleanup_free_ struct gpt_entry *entries = calloc(n + 1, sizeof(*entries));
	size_t n_entries = 0;

	if (!entries)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		struct gpt_entry *e = &entries[n_entries];
		struct raw_entry raw;
		uint16_t name[36];
		memcpy(&raw, slots + (size_t)i * bytes, sizeof(raw));
		if (all_zero(raw.type, sizeof(raw.type)))
			continue;
		e->number = i + 1;
		e->first = le64toh(raw.first);
		e->last = le64toh(raw.last);
		e->attributes = le64toh(raw.attributes);
		memcpy(e->type, raw.type, sizeof(e->type));
		memcpy(e->uuid, raw.uuid, sizeof(e->uuid));
		memcpy(name, raw.name, sizeof(name));
		parse_name(name, e->name);
		n_entries++;
	}
	*ret = TAKE_PTR(entries);
	*ret_n = n_entries;
	return 0;
}

static bool slots_make_sense(const struct gpt *gpt, const struct gpt_copy *copy)
{
	return copy->n_slots >= 1 && copy->n_slots <= GPT_ENTRIES_MAX &&
	       copy->slot_bytes >= GPT_ENTRY_BYTES && copy->slot_bytes <= GPT_ENTRY_BYTES_MAX &&
	       (copy->slot_bytes & (copy->slot_bytes - 1)) == 0 && copy->entries_lba >= 2 &&
	       copy->entries_lba < gpt->n_sectors;
}

/* Header and entries at lba. What lies beyond the end of the disk is damage. */
static int read_copy(int fd, struct gpt *gpt, uint64_t lba, struct gpt_copy *copy)
{
	uint8_t sector[HEADER_BYTES_MAX];

	if (lba == 0 || lba >= gpt->n_sectors)
		return 0;
	int r = pread_exact(fd, sector, gpt->sector_size, lba * gpt->sector_size);
	if (r < 0)
		return r;
	fingerprint_add(&gpt->fingerprint, sector, gpt->sector_size);
	gpt_parse_header(sector, gpt->sector_size, lba, copy);
	if (!copy->header_valid || !slots_make_sense(gpt, copy))
		return 0;

	size_t size = (size_t)copy->n_slots * copy->slot_bytes;
	_cleanup_free_ uint8_t *slots = malloc(size);
	if (!slots)
		return -ENOMEM;
	r = pread_exact(fd, slots, size, copy->entries_lba * gpt->sector_size);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	fingerprint_add(&gpt->fingerprint, slots, size);
	copy->valid = crc32_of(slots, size) == copy->entries_crc;
	return gpt_parse_entries(slots, copy->n_slots, copy->slot_bytes, &copy->entries,
				 &copy->n_entries);
}

static int read_all(int fd, struct gpt *gpt)
{
	uint8_t sector[HEADER_BYTES_MAX];
	int r = pread_exact(fd, sector, gpt->sector_size, 0);

	if (r < 0)
		return r;
	fingerprint_add(&gpt->fingerprint, sector, gpt->sector_size);
	gpt->mbr = mbr_parse(sector);
	r = read_copy(fd, gpt, 1, &gpt->primary);
	if (r < 0)
		return r;
	r = read_copy(fd, gpt, gpt->n_sectors - 1, &gpt->backup);
	if (r < 0 || gpt->backup.valid || !gpt->primary.valid ||
	    gpt->primary.other_lba == gpt->n_sectors - 1)
		return r;
	/* A disk that has grown: the backup is where the end was. */
	free(gpt->backup.entries);
	gpt->backup = (struct gpt_copy){ 0 };
	return read_copy(fd, gpt, gpt->primary.other_lba, &gpt->backup);
}

int gpt_read(int fd, unsigned sector_size, uint64_t n_sectors, struct gpt *ret, struct diag *diag)
{
	_cleanup_gpt_ struct gpt gpt = {
		.sector_size = sector_size,
		.n_sectors = n_sectors,
		.fingerprint = 0xcbf29ce484222325ULL,
	};

	if (sector_size < 512 || sector_size > HEADER_BYTES_MAX || n_sectors < 3)
		return diag_set(diag, -EINVAL, "%llu sectors of %u bytes are no disk",
				(unsigned long long)n_sectors, sector_size);
	int r = read_all(fd, &gpt);
	if (r < 0)
		return diag_set(diag, r, "cannot read the partition table: %s", strerror(-r));
	*ret = gpt;
	gpt = (struct gpt){ 0 };
	return 0;
}

unsigned gpt_other_sector_size(int fd, unsigned sector_size)
{
	uint8_t sector[HEADER_BYTES_MAX];

	for (unsigned size = 512; size <= HEADER_BYTES_MAX; size *= 2) {
		struct gpt_copy copy = { 0 };
		if (size == sector_size || pread_exact(fd, sector, size, size) < 0)
			continue;
		gpt_parse_header(sector, size, 1, &copy);
		if (copy.header_valid)
			return size;
	}
	return 0;
}

void gpt_done(struct gpt *gpt)
{
	free(gpt->primary.entries);
	free(gpt->backup.entries);
	*gpt = (struct gpt){ 0 };
}

const struct gpt_entry *gpt_find(const struct gpt_copy *copy, const char *name)
{
	for (size_t i = 0; i < copy->n_entries; i++)
		if (strcmp(copy->entries[i].name, name) == 0)
			return &copy->entries[i];
	return NULL;
}

const char *uuid_text(const uint8_t uuid[static 16], char buffer[static UUID_TEXT_BYTES])
{
	/* The first three groups are little endian (UEFI 2.10, appendix A). */
	snprintf(buffer, UUID_TEXT_BYTES,
		 "%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X", uuid[3],
		 uuid[2], uuid[1], uuid[0], uuid[5], uuid[4], uuid[7], uuid[6], uuid[8], uuid[9],
		 uuid[10], uuid[11], uuid[12], uuid[13], uuid[14], uuid[15]);
	return buffer;
}
