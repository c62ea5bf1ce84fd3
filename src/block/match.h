/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_MATCH_H
#define LARDER_BLOCK_MATCH_H
/*
 * A selector applied to every disk of a list. What goes wrong with one disk is that disk's answer, and says nothing about the
 * others.
 */
#include "block/disk.h"
#include "cel/selector.h"

enum match_answer {
	MATCH_NO = 0,
	MATCH_YES,
	MATCH_ERROR, /* the disk cannot be used, or the expression errs on it */
};

struct disk_match {
	const struct disk *disk; /* in the list that was matched */
	enum match_answer answer;
	char *reason; /* of an error; else NULL */
};

struct match_list {
	struct disk_match *matches; /* one per disk, in the list's order */
	size_t n_matches;
	size_t n_yes;
};

/*
 * The list must have been read with the fields that the selector mentions, else the answer is an error; must know its system disk
 * (system_disk_find()) if it mentions that; and must outlive the result. 0 or -ENOMEM.
 */
int match_disks(const struct selector *selector, const struct disk_list *list,
		struct match_list *ret);
void match_list_done(struct match_list *list);
#define _cleanup_match_list_ _cleanup_(match_list_done)

/* The same for one disk. */
int match_disk(const struct selector *selector, const struct disk *disk, struct disk_match *ret);
void disk_match_done(struct disk_match *match);

/* "yes", "no", or the reason. */
const char *match_text(const struct disk_match *match);

#endif
