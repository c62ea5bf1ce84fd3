/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_TABLE_H
#define LARDER_BLOCK_TABLE_H
/*
 * The partition table of a disk as its bytes say (UEFI specification 2.10, chapter 5): the MS-DOS record in sector 0, the
 * primary GPT in sector 1 and the backup GPT. Read-only and strict; libfdisk writes (block/gpt.h), because it
 * keeps the safe order, but it shows no table without a protective MBR and repairs what it reads without asking.
 *
 * A copy is valid when both of its checksums are right and it says that it lies where it was found. What is made of the
 * copies is decided by gpt_judge(), apart from reading.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

#define GPT_ENTRIES_MAX	    1024 /* 128 is what nearly every tool makes */
#define GPT_ENTRY_BYTES	    128	 /* tables with larger entries are read, and never written */
#define GPT_ENTRY_BYTES_MAX 4096
#define GPT_NAME_BYTES	    109 /* 36 UTF-16 code units as UTF-8, and the NUL */

#define UUID_TEXT_BYTES	    37
#define GPT_TYPE_LINUX_DATA "0FC63DAF-8483-4772-8E79-3D69D8477DE4"

struct gpt_entry {
	unsigned number;      /* from 1 */
	uint64_t first, last; /* sectors, both included */
	uint64_t attributes;
	uint8_t type[16], uuid[16]; /* in the byte order of the disk */
	char name[GPT_NAME_BYTES];  /* UTF-8; what is no UTF-16 is U+FFFD */
};

struct gpt_copy {
	bool signature;	   /* "EFI PART" is there */
	bool header_valid; /* and its own checksum and place are right */
	bool valid;	   /* and the entries' checksum, too */
	uint64_t lba, other_lba, entries_lba, first_usable, last_usable;
	uint32_t n_slots, slot_bytes, entries_crc;
	uint8_t disk_uuid[16];
	struct gpt_entry *entries; /* in use, by number; also of a wrong checksum */
	size_t n_entries;
};

enum mbr_kind {
	MBR_NONE,	/* no signature 0x55aa, or no record in use */
	MBR_PROTECTIVE, /* one record, of type 0xee, from sector 1 */
	MBR_HYBRID,	/* such a record, and others */
	MBR_DOS,	/* records of other types only */
	MBR_ODD,	/* a record of type 0xee that does not begin at sector 1 */
};

struct gpt {
	unsigned sector_size; /* bytes */
	uint64_t n_sectors;
	enum mbr_kind mbr;
	struct gpt_copy primary, backup;
	uint64_t fingerprint; /* of every byte that was read: has anything changed since? */
};

/* Reads sector 0 and both copies. Damage is no error; -EIO and the like are. ret is to be released with gpt_done(). */
int gpt_read(int fd, unsigned sector_size, uint64_t n_sectors, struct gpt *ret, struct diag *diag);
void gpt_done(struct gpt *gpt);
#define _cleanup_gpt_ _cleanup_(gpt_done)

enum gpt_state {
	GPT_ABSENT,   /* neither copy has a signature */
	GPT_GOOD,     /* may be added to */
	GPT_READABLE, /* can be located on, not written: a copy is damaged, they differ, or writing would hit partitions */
	GPT_UNUSABLE, /* hybrid, contradictory, or both copies damaged */
};

/*
 * What the table is good for. ret_copy: the copy that counts (NULL if none); belongs to gpt. ret_words (owned by the caller): what is
 * wrong, NULL when nothing is. Copies may differ in entries named IMAGECACHE or IMAGECACHE.new: this is what a power cut
 * while larder writes leaves, and it is still GPT_GOOD.
 */
enum gpt_state gpt_judge(const struct gpt *gpt, const struct gpt_copy **ret_copy, char **ret_words);

/*
 * Is this what a power cut leaves between the primary's entries and its header, with one of larder's names in the backup, or with one
 * deleted from it? The primary is mended before anything else is written: else there may be no sound copy for a moment.
 */
bool gpt_needs_repair(const struct gpt *gpt);

/*
 * The sector size, other than that one, at which the disk begins with the header of a primary GPT whose checksum is right; 0: none. What
 * was copied from a disk with other sectors is no table here.
 */
unsigned gpt_other_sector_size(int fd, unsigned sector_size);

/* Is it one of the two names that larder writes? */
bool gpt_is_our_name(const char *name);

/* The kind of MS-DOS record in a sector. */
enum mbr_kind mbr_parse(const uint8_t sector[static 512]);

/* The entries in use among n slots of bytes each; owned by the caller. */
int gpt_parse_entries(const uint8_t *slots, unsigned n, unsigned bytes, struct gpt_entry **ret,
		      size_t *ret_n);

/* Checks signature, revision, size, checksum and place of a header. ret is filled as far as the bytes can be trusted. */
void gpt_parse_header(const uint8_t *sector, unsigned sector_size, uint64_t lba,
		      struct gpt_copy *ret);

/* The entry of that name; NULL: none. */
const struct gpt_entry *gpt_find(const struct gpt_copy *copy, const char *name);

/* "XXXXXXXX-XXXX-…", upper case. */
const char *uuid_text(const uint8_t uuid[static 16], char buffer[static UUID_TEXT_BYTES]);

#endif
