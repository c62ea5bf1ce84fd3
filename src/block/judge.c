/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a partition table that was read is good for (block/table.h). */
#include "block/table.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"

/* The sector where libfdisk puts the entries of a primary copy that it makes anew. */
#define NEW_ENTRIES 2

bool gpt_is_our_name(const char *name)
{
	return strcmp(name, NAME_VOLUME) == 0 || strcmp(name, NAME_VOLUME_NEW) == 0;
}

static bool has_our_name(const struct gpt_copy *copy)
{
	return gpt_find(copy, NAME_VOLUME) || gpt_find(copy, NAME_VOLUME_NEW);
}

static bool entries_equal(const struct gpt_entry *a, const struct gpt_entry *b)
{
	return a->number == b->number && a->first == b->first && a->last == b->last &&
	       a->attributes == b->attributes && memcmp(a->type, b->type, sizeof(a->type)) == 0 &&
	       memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0 && strcmp(a->name, b->name) == 0;
}

static size_t skip_ours(const struct gpt_copy *copy, size_t i)
{
	while (i < copy->n_entries && gpt_is_our_name(copy->entries[i].name))
		i++;
	return i;
}

/* Equal but for entries with our names. */
static bool copies_agree(const struct gpt_copy *a, const struct gpt_copy *b)
{
	if (memcmp(a->disk_uuid, b->disk_uuid, sizeof(a->disk_uuid)) != 0 ||
	    a->n_slots != b->n_slots || a->slot_bytes != b->slot_bytes ||
	    a->first_usable != b->first_usable)
		return false;
	size_t i = skip_ours(a, 0), j = skip_ours(b, 0);
	while (i < a->n_entries && j < b->n_entries) {
		if (!entries_equal(&a->entries[i], &b->entries[j]))
			return false;
		i = skip_ours(a, i + 1);
		j = skip_ours(b, j + 1);
	}
	return i == a->n_entries && j == b->n_entries;
}

static int words(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int words(char **ret, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	*ret = text_vformat(format, ap);
	va_end(ap);
	return -EINVAL;
}

static int check_entry(const struct gpt *gpt, const struct gpt_copy *copy,
		       const struct gpt_entry *e, char **ret_words)
{
	if (e->first > e->last)
		return words(ret_words, "a GPT whose partition %u ends before it begins",
			     e->number);
	if (e->last >= gpt->n_sectors)
		return words(ret_words,
			     "a GPT whose partition %u ends beyond the disk (sector %llu of %llu)",
			     e->number, (unsigned long long)e->last,
			     (unsigned long long)gpt->n_sectors);
	if (e->first < copy->first_usable || e->last > copy->last_usable)
		return words(ret_words, "a GPT whose partition %u lies outside the usable sectors",
			     e->number);
	return 0;
}

/* Bounds and overlaps; quadratic, and n is at most GPT_ENTRIES_MAX. */
static int check_entries(const struct gpt *gpt, const struct gpt_copy *copy, char **ret_words)
{
	if (copy->first_usable > copy->last_usable || copy->last_usable >= gpt->n_sectors)
		return words(ret_words,
			     "a GPT for a disk of another size (usable up to sector %llu of %llu)",
			     (unsigned long long)copy->last_usable,
			     (unsigned long long)gpt->n_sectors);
	for (size_t i = 0; i < copy->n_entries; i++) {
		const struct gpt_entry *a = &copy->entries[i];
		int r = check_entry(gpt, copy, a, ret_words);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++) {
			const struct gpt_entry *b = &copy->entries[j];
			if (a->first <= b->last && b->first <= a->last)
				return words(ret_words, "a GPT whose partitions %u and %u overlap",
					     b->number, a->number);
		}
	}
	return 0;
}

static uint64_t entry_sectors(const struct gpt *gpt, const struct gpt_copy *copy)
{
	uint64_t bytes = (uint64_t)copy->n_slots * copy->slot_bytes;

	return (bytes + gpt->sector_size - 1) / gpt->sector_size;
}

/* Do the entries of copy lie where table has partitions? */
static bool entries_in_usable(const struct gpt *gpt, const struct gpt_copy *copy,
			      const struct gpt_copy *table)
{
	return copy->valid && copy->entries_lba <= table->last_usable &&
	       copy->entries_lba + entry_sectors(gpt, copy) > table->first_usable;
}

/*
 * May the table be written? Not one of larger entries, nor where partitions may be. The backup is written at the end of the disk, so a
 * table that was made for a larger disk has partitions there.
 */
static int check_writable(const struct gpt *gpt, const struct gpt_copy *copy, char **ret_words)
{
	/* libfdisk makes a copy of such a table anew as if its entries had 128 bytes. */
	if (copy->slot_bytes != GPT_ENTRY_BYTES)
		return words(ret_words,
			     "a GPT with entries of %u bytes, which larder does not write",
			     copy->slot_bytes);
	if (entries_in_usable(gpt, &gpt->primary, copy) ||
	    entries_in_usable(gpt, &gpt->backup, copy))
		return words(ret_words, "a GPT whose entries lie among the usable sectors");
	if (copy->last_usable + entry_sectors(gpt, copy) + 1 >= gpt->n_sectors)
		return words(ret_words,
			     "a GPT without room for its backup (usable up to sector %llu of %llu)",
			     (unsigned long long)copy->last_usable,
			     (unsigned long long)gpt->n_sectors);
	/* libfdisk moves a backup to the end from anywhere else. */
	if (gpt->primary.valid && gpt->primary.other_lba == gpt->n_sectors)
		return words(
			ret_words,
			"a GPT that says its backup is at sector %llu, right behind the end of the disk",
			(unsigned long long)gpt->n_sectors);
	if (!gpt->primary.valid && copy->first_usable < NEW_ENTRIES + entry_sectors(gpt, copy))
		return words(ret_words,
			     "a GPT without room for its primary copy (usable from sector %llu)",
			     (unsigned long long)copy->first_usable);
	return 0;
}

static enum gpt_state judge_primary(const struct gpt *gpt, char **ret_words)
{
	const struct gpt_copy *p = &gpt->primary, *b = &gpt->backup;

	if (b->valid && !copies_agree(p, b)) {
		words(ret_words, "a GPT whose two copies differ");
		return GPT_READABLE;
	}
	if (!b->valid)
		words(ret_words, "the backup GPT is damaged; writing makes it anew");
	else if (b->lba != gpt->n_sectors - 1)
		words(ret_words, "the backup GPT is not at the end; writing moves it there");
	return GPT_GOOD;
}

bool gpt_needs_repair(const struct gpt *gpt)
{
	const struct gpt_copy *p = &gpt->primary, *b = &gpt->backup;

	/*
	 * Where the entries were elsewhere, a boot loader may lie in their usual place. Without our names in the backup, nothing but a
	 * deletion of ours may be what was cut off.
	 */
	return gpt->mbr == MBR_PROTECTIVE && !p->valid && p->header_valid &&
	       p->entries_lba == NEW_ENTRIES && b->valid && p->n_slots == b->n_slots &&
	       memcmp(p->disk_uuid, b->disk_uuid, sizeof(p->disk_uuid)) == 0 &&
	       (has_our_name(b) || copies_agree(p, b));
}

static enum gpt_state judge_backup(const struct gpt *gpt, char **ret_words)
{
	words(ret_words, "a GPT whose primary copy is damaged");
	return gpt_needs_repair(gpt) ? GPT_GOOD : GPT_READABLE;
}

static const char *bad_mbr(enum mbr_kind kind)
{
	switch (kind) {
	case MBR_NONE:
		return "a GPT without its protective MBR";
	case MBR_HYBRID:
		return "a hybrid MBR: a GPT and MS-DOS partitions side by side";
	case MBR_DOS:
		return "an MS-DOS partition table (and a GPT)";
	case MBR_ODD:
		return "a protective MBR that does not begin at sector 1";
	default:
		return NULL;
	}
}

/* Why neither copy was taken. */
static void describe_unread(const struct gpt *gpt, char **ret_words)
{
	const struct gpt_copy *c = gpt->primary.header_valid ? &gpt->primary : &gpt->backup;

	if (c->n_slots > GPT_ENTRIES_MAX || c->slot_bytes > GPT_ENTRY_BYTES_MAX)
		words(ret_words,
		      "a GPT of %u entries of %u bytes, and larder reads at most %d of %d bytes",
		      c->n_slots, c->slot_bytes, GPT_ENTRIES_MAX, GPT_ENTRY_BYTES_MAX);
	else
		words(ret_words, "a GPT of which both copies are damaged");
}

enum gpt_state gpt_judge(const struct gpt *gpt, const struct gpt_copy **ret_copy, char **ret_words)
{
	const struct gpt_copy *copy = gpt->primary.valid  ? &gpt->primary
				      : gpt->backup.valid ? &gpt->backup
							  : NULL;
	const char *bad = bad_mbr(gpt->mbr);

	*ret_copy = NULL;
	*ret_words = NULL;
	if (!gpt->primary.signature && !gpt->backup.signature && gpt->mbr != MBR_PROTECTIVE &&
	    gpt->mbr != MBR_HYBRID)
		return GPT_ABSENT;
	if (bad) {
		words(ret_words, "%s", bad);
		return GPT_UNUSABLE;
	}
	if (!copy) {
		describe_unread(gpt, ret_words);
		return GPT_UNUSABLE;
	}
	if (check_entries(gpt, copy, ret_words) < 0)
		return GPT_UNUSABLE;
	*ret_copy = copy;
	if (check_writable(gpt, copy, ret_words) < 0)
		return GPT_READABLE;
	return copy == &gpt->primary ? judge_primary(gpt, ret_words) : judge_backup(gpt, ret_words);
}
