/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BASE_TEXT_H
#define LARDER_BASE_TEXT_H
/*
 * Strings: natural order, near names for "did you mean", lists of strings, sizes for people.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"

/*
 * Natural order: runs of digits compare as numbers of any length, everything else by byte. nvme1n1 <
 * nvme10n1, 2 < 11. Equal numbers with different leading zeros: the shorter run first, so the order is total.
 */
int natural_compare(const char *a, const char *b);

/*
 * The candidate that was probably meant by word: the one at the smallest edit distance (insert, delete,
 * replace, swap; letter case counts nothing) if that is at most a third of the word's length, at least 1. NULL: none
 * is near. Words over 64 bytes are near to nothing.
 */
const char *text_nearest(const char *word, const char *const candidates[], size_t n_candidates);

bool text_starts_with(const char *text, const char *prefix);
bool text_ends_with(const char *text, const char *suffix);

/* Is text valid UTF-8 (RFC 3629: no surrogates, no overlong forms, no NUL within size)? */
bool text_is_utf8(const char *text, size_t size);

/*
 * Size in SI units with at most two significant figures, as people buy disks: 54000000000 → "54 GB", 4096
 * → "4.1 kB", 10 → "10 B".
 */
#define TEXT_SIZE_MAX 16
const char *text_size_si(uint64_t bytes, char buffer[static TEXT_SIZE_MAX]);

/* Size in binary units with at most one decimal: 524288000 → "500 MiB", 1610612736 → "1.5 GiB". */
const char *text_size_iec(uint64_t bytes, char buffer[static TEXT_SIZE_MAX]);

/* As asprintf(3) and vasprintf(3), but the text is returned, the caller's; NULL: out of memory. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *text_vformat(const char *format, va_list ap) __attribute__((format(printf, 1, 0)));

/*
 * Text in double quotes with a backslash before quotes and backslashes: a string of TOML, YAML and CEL, which write control
 * characters in two ways.
 */
enum text_escape {
	TEXT_ESCAPE_U, /* \u0007: TOML */
	TEXT_ESCAPE_X, /* \x07: YAML, CEL */
};
void text_write_quoted(FILE *f, const char *text, enum text_escape escape);
char *text_quote(const char *text, enum text_escape escape); /* the caller's; NULL: out of memory */

/*
 * A list of strings that ends with NULL and owns them; NULL is the empty list. The additions return 0 or
 * -ENOMEM; strv_take() also consumes its string when it fails, and takes NULL as "out of memory".
 */
size_t strv_length(char *const *list);
int strv_add(char ***list, const char *text);
int strv_take(char ***list, char *text);
int strv_addf(char ***list, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool strv_contains(char *const *list, const char *text);
void strv_sort_natural(char **list);
void strv_sort_bytes(char **list);
void strv_free(char **list);
DEFINE_CLEANUP(char **, strv_free);
#define _cleanup_strv_ _cleanup_(strv_freep)

#define STRV_FOREACH(item, list) for (char **item = (list); item && *item; item++)

#endif
