/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_DIGEST_H
#define LARDER_STORE_DIGEST_H
/*
 * Content digests (OCI image specification, descriptor.md "Digests"): an algorithm and its value. Two
 * spellings: "sha256:<hex>" on the wire, "sha256-<hex>" as a file name of the cache tree. Only lower-case hex of the full
 * length is a digest. The struct is a plain value: unused bytes are zero, so memcmp and hashing of it work.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

enum digest_algorithm {
	DIGEST_NONE = 0, /* an empty struct is no digest */
	DIGEST_SHA256,
	DIGEST_SHA512,
};

#define DIGEST_BYTES_MAX  64
#define DIGEST_STRING_MAX (sizeof("sha512:") + 2 * DIGEST_BYTES_MAX)

struct digest {
	enum digest_algorithm algorithm;
	uint8_t bytes[DIGEST_BYTES_MAX];
};

/* -EINVAL: not a digest; -EOPNOTSUPP: well formed, but of an algorithm that larder does not know. */
int digest_parse(const char *text, struct digest *ret);
int digest_parse_n(const char *text, size_t size, struct digest *ret);
int digest_parse_file_name(const char *name, struct digest *ret);

const char *digest_format(const struct digest *d, char buffer[static DIGEST_STRING_MAX]);
const char *digest_format_file_name(const struct digest *d, char buffer[static DIGEST_STRING_MAX]);

bool digest_equal(const struct digest *a, const struct digest *b);

/* An order of digests, for qsort() and bsearch(). */
int digest_compare(const void *a, const void *b);

/* The digest of what is in memory. 0, or -EIO when the library refuses. */
int digest_of(enum digest_algorithm algorithm, const void *data, size_t size, struct digest *ret);

/* Hashing piece by piece. */
struct hasher;
int hasher_new(enum digest_algorithm algorithm, struct hasher **ret);
int hasher_update(struct hasher *h, const void *data, size_t size);
int hasher_finish(struct hasher *h, struct digest *ret); /* once; then only hasher_free() */
void hasher_free(struct hasher *h);
DEFINE_CLEANUP(struct hasher *, hasher_free);

#endif
