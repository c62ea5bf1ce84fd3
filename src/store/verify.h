/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_VERIFY_H
#define LARDER_STORE_VERIFY_H
/*
 * What was verified in this boot, so that every blob is hashed once and none goes out before. The record says of a digest and of
 * the identity of the bytes (struct content_id) whether they belong together; when a file changes, its identity does, and it is unknown
 * again. What was found sound is also appended to a file, which a restart reads back: 16 bytes for each, a truncated SHA-256 of
 * digest and identity, after a header with the id of the boot. A file of another boot, or one that others may write to, is not
 * believed.
 *
 * Threads may share a record.
 */
#include "store/digest.h"
#include "store/place.h"

enum verdict {
	VERDICT_UNKNOWN,
	VERDICT_SOUND,
	VERDICT_CORRUPT, /* remembered while the process runs, never written */
};

struct verified;

/*
 * path NULL: in memory only. A file that cannot be read or written is no failure: *ret_file says how it went (0, or a
 * negative errno; -EPERM: others may write to it) and the record is in memory only.
 */
int verified_open(const char *path, struct verified **ret, int *ret_file);
void verified_free(struct verified *v);
DEFINE_CLEANUP(struct verified *, verified_free);

enum verdict verified_get(struct verified *v, const struct digest *digest,
			  const struct content_id *id);

/* Returns whether this is news. */
bool verified_set(struct verified *v, const struct digest *digest, const struct content_id *id,
		  bool sound);

/* Sound no more, in this process: the bytes could not be read when they were wanted. */
void verified_forget(struct verified *v, const struct digest *digest, const struct content_id *id);

/* How many are known to be sound. */
size_t verified_count(struct verified *v);

/*
 * Hashing one content in slices, so that a thread can do something more urgent in between:
 *
 *	while ((r = blob_check_step(c)) == 0) …;
 *
 * blob_check_new() borrows nothing: it becomes another owner of content. Step returns 0: there is more; 1: ended, and *ret_sound
 * says how; or a negative errno: the bytes could not be read. A content that changed meanwhile is -EAGAIN.
 */
/* Bytes; little, since who asks for what is being hashed ahead of need waits for a slice of a thread that gets hardly any time. */
#define BLOB_CHECK_SLICE (256U << 10)
struct blob_check;
int blob_check_new(const struct content *content, const struct digest *digest,
		   struct blob_check **ret);
int blob_check_step(struct blob_check *c, bool *ret_sound);
uint64_t blob_check_left(const struct blob_check *c); /* bytes */
void blob_check_free(struct blob_check *c);
DEFINE_CLEANUP(struct blob_check *, blob_check_free);

#endif
