/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "block/blank.h"

#include <blkid.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/table.h"

DEFINE_CLEANUP(blkid_probe, blkid_free_probe);

static const char *value_of(blkid_probe probe, const char *name)
{
	const char *value;

	return blkid_probe_lookup_value(probe, name, &value, NULL) == 0 ? value : NULL;
}

/* What lies on a disk must not draw on a terminal. */
static void write_printable(FILE *f, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f || *text == '"' ? '?' : *text,
		      f);
}

static const char *kind_of(const char *usage)
{
	static const char *const kinds[][2] = {
		{ "filesystem", "filesystem" },
		{ "raid", "(member of an array or volume group)" },
		{ "crypto", "(encrypted)" },
		{ "other", "area" },
	};

	for (size_t i = 0; usage && i < ARRAY_SIZE(kinds); i++)
		if (strcmp(usage, kinds[i][0]) == 0)
			return kinds[i][1];
	return "signature";
}

static void write_signature(FILE *f, blkid_probe probe)
{
	const char *type = value_of(probe, "TYPE"), *table = value_of(probe, "PTTYPE");
	const char *label = value_of(probe, "LABEL");

	if (type) {
		write_printable(f, type);
		fprintf(f, " %s", kind_of(value_of(probe, "USAGE")));
	} else {
		write_printable(f, table ? table : "unknown");
		fputs(" partition table", f);
	}
	if (label && *label) {
		fputs(" \"", f);
		write_printable(f, label);
		fputc('"', f);
	}
}

static int list_signatures(blkid_probe probe, FILE *f)
{
	for (int n = 0; n < SIGNATURES_MAX; n++) {
		errno = 0;
		int r = blkid_do_probe(probe);
		if (r == 1)
			return 0;
		if (r < 0)
			return errno ? -errno : -EIO;
		if (n > 0)
			fputs(", ", f);
		write_signature(f, probe);
	}
	return 0;
}

static int set_chains(blkid_probe probe, enum signature_chains chains)
{
	if (blkid_probe_enable_superblocks(probe, !!(chains & SIGNATURE_CONTENT)) < 0 ||
	    blkid_probe_set_superblocks_flags(
		    probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_LABEL |
				   BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM) < 0 ||
	    blkid_probe_enable_partitions(probe, !!(chains & SIGNATURE_TABLES)) < 0 ||
	    blkid_probe_set_partitions_flags(probe, BLKID_PARTS_FORCE_GPT | BLKID_PARTS_MAGIC) < 0)
		return -ENOMEM;
	return 0;
}

int signature_find(int fd, uint64_t offset, uint64_t size, unsigned sector_size,
		   enum signature_chains chains, char **ret_found, struct diag *diag)
{
	_cleanup_(blkid_free_probep) blkid_probe probe = blkid_new_probe();
	_cleanup_free_ char *found = NULL;
	size_t length = 0;

	if (!probe)
		return -ENOMEM;
	errno = 0;
	if (blkid_probe_set_device(probe, fd, (blkid_loff_t)offset, (blkid_loff_t)size) != 0)
		return diag_set(diag, errno ? -errno : -EIO, "cannot probe for signatures: %s",
				errno ? strerror(errno) : "no reason given");
	(void)blkid_probe_set_sectorsize(probe, sector_size);
	int r = set_chains(probe, chains);
	if (r < 0)
		return r;
	FILE *f = open_memstream(&found, &length);
	if (!f)
		return -ENOMEM;
	r = list_signatures(probe, f);
	if (fclose(f) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0)
		return diag_set(diag, r, "cannot probe for signatures: %s", strerror(-r));
	*ret_found = length > 0 ? TAKE_PTR(found) : NULL;
	return 0;
}

/* Index of the first byte that is not zero; size: none. */
static size_t first_data(const uint8_t *data, size_t size)
{
	if (size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0))
		return size;
	for (size_t i = 0; i < size; i++)
		if (data[i])
			return i;
	return size;
}

/* Both ends of a disk, and where a new table's parts lie in them. */
struct ends {
	uint8_t *head, *tail;
	size_t bytes; /* of each */
	uint64_t size;
	unsigned sector_size;
};

static void ends_done(struct ends *e)
{
	free(e->head);
	free(e->tail);
}

static int read_ends(int fd, unsigned sector_size, uint64_t size, struct ends *e)
{
	e->bytes = size < BLANK_END_BYTES ? (size_t)size : BLANK_END_BYTES;
	e->size = size;
	e->sector_size = sector_size;
	e->head = malloc(e->bytes);
	e->tail = malloc(e->bytes);
	if (!e->head || !e->tail)
		return -ENOMEM;
	int r = pread_exact(fd, e->head, e->bytes, 0);
	return r < 0 ? r : pread_exact(fd, e->tail, e->bytes, size - e->bytes);
}

static bool ends_zero(const struct ends *e)
{
	return first_data(e->head, e->bytes) == e->bytes &&
	       first_data(e->tail, e->bytes) == e->bytes;
}

#define NEW_TABLE_SLOTS		128
#define NEW_TABLE_ENTRIES_BYTES (NEW_TABLE_SLOTS * GPT_ENTRY_BYTES)

/* All zero, or our one entry and nothing else. */
static bool entries_ours(const uint8_t *slots, bool *ret_present)
{
	_cleanup_free_ struct gpt_entry *entries = NULL;
	size_t n = 0;

	*ret_present = first_data(slots, NEW_TABLE_ENTRIES_BYTES) < NEW_TABLE_ENTRIES_BYTES;
	if (!*ret_present)
		return true;
	if (first_data(slots + GPT_ENTRY_BYTES, NEW_TABLE_ENTRIES_BYTES - GPT_ENTRY_BYTES) <
	    NEW_TABLE_ENTRIES_BYTES - GPT_ENTRY_BYTES)
		return false;
	return gpt_parse_entries(slots, NEW_TABLE_SLOTS, GPT_ENTRY_BYTES, &entries, &n) == 0 &&
	       n == 1 && strcmp(entries[0].name, NAME_VOLUME_NEW) == 0;
}

/* All zero, or a header with a right checksum. */
static bool header_ours(const struct ends *e, const uint8_t *sector, uint64_t lba)
{
	struct gpt_copy copy = { 0 };

	if (first_data(sector, e->sector_size) == e->sector_size)
		return true;
	gpt_parse_header(sector, e->sector_size, lba, &copy);
	return copy.header_valid && copy.n_slots == NEW_TABLE_SLOTS;
}

static bool ends_unfinished(const struct ends *e)
{
	size_t sector = e->sector_size, slots = NEW_TABLE_ENTRIES_BYTES;
	size_t rest = e->size % sector; /* an image may end within a sector */
	bool primary, backup;

	if (e->bytes < 2 * sector + slots || e->size < 4 * (uint64_t)BLANK_END_BYTES)
		return false;
	const uint8_t *tail_header = e->tail + e->bytes - rest - sector;
	const uint8_t *tail_slots = tail_header - slots;
	if (first_data(e->head, sector) < sector ||
	    first_data(e->head + 2 * sector + slots, e->bytes - 2 * sector - slots) <
		    e->bytes - 2 * sector - slots ||
	    first_data(e->tail, (size_t)(tail_slots - e->tail)) < (size_t)(tail_slots - e->tail) ||
	    first_data(tail_header + sector, rest) < rest)
		return false;
	return entries_ours(tail_slots, &backup) && entries_ours(e->head + 2 * sector, &primary) &&
	       backup && header_ours(e, e->head + sector, 1) &&
	       header_ours(e, tail_header, e->size / sector - 1);
}

/* struct disklabel has its magic number at its start and 132 bytes behind, in either byte order. It lies in the first or second sector. */
static bool has_bsd_label(const struct ends *e)
{
	static const uint8_t magic[][4] = { { 0x57, 0x45, 0x56, 0x82 },
					    { 0x82, 0x56, 0x45, 0x57 } };
	static const size_t places[] = { 0, 64, 128, 512, 4096 };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		for (size_t k = 0; k < ARRAY_SIZE(magic); k++)
			if (places[i] + 136 <= e->bytes &&
			    memcmp(e->head + places[i], magic[k], 4) == 0 &&
			    memcmp(e->head + places[i] + 132, magic[k], 4) == 0)
				return true;
	return false;
}

static char *describe_data(const struct ends *e)
{
	size_t at = first_data(e->head, e->bytes);

	if (has_bsd_label(e))
		return strdup("a BSD label");
	if (at < e->bytes)
		return text_format("data in the first MiB (at byte %zu) that nothing here knows",
				   at);
	return text_format(
		"data in the last MiB (at byte %llu) that nothing here knows",
		(unsigned long long)(e->size - e->bytes + first_data(e->tail, e->bytes)));
}

int blank_prove(int fd, unsigned sector_size, uint64_t size, enum blankness *ret, char **ret_found,
		struct diag *diag)
{
	_cleanup_(ends_done) struct ends ends = { 0 };
	_cleanup_free_ char *found = NULL;
	int r = read_ends(fd, sector_size, size, &ends);

	if (r < 0)
		return diag_set(diag, r, "cannot read: %s", strerror(-r));
	bool unfinished = !ends_zero(&ends) && ends_unfinished(&ends);
	r = signature_find(fd, 0, size, sector_size, unfinished ? SIGNATURE_CONTENT : SIGNATURE_ALL,
			   &found, diag);
	if (r < 0)
		return r;
	if (!found && !unfinished && !ends_zero(&ends)) {
		found = describe_data(&ends);
		if (!found)
			return -ENOMEM;
	}
	*ret = found ? BLANK_NOT : unfinished ? BLANK_UNFINISHED : BLANK_ZERO;
	*ret_found = TAKE_PTR(found);
	return 0;
}
