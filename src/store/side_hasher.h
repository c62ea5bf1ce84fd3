/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_SIDE_HASHER_H
#define LARDER_STORE_SIDE_HASHER_H
/*
 * Hashing beside reading and writing, for long copies: a thread hashes the pieces that the caller has read, while the caller writes
 * them and reads the next. There are SIDE_HASHER_PIECES pieces, used in turn; they lie as long_write() wants them.
 *
 *	_cleanup_(side_hasher_freep) struct side_hasher *h = NULL;
 *	r = side_hasher_new(&h);
 *	r = side_hasher_begin(h, DIGEST_SHA256);
 *	while (more) {
 *		void *piece = side_hasher_piece(h);
 *		read(…, piece, size);
 *		side_hasher_push(h, size);
 *		write(…, piece, size);
 *	}
 *	r = side_hasher_finish(h, &digest);
 *
 * One caller at a time.
 */
#include "store/digest.h"

#define SIDE_HASHER_PIECE  (1024 * 1024) /* bytes */
#define SIDE_HASHER_PIECES 4

struct side_hasher;

/* -ENOMEM, or the error of pthread_create(3). */
int side_hasher_new(struct side_hasher **ret);
void side_hasher_free(struct side_hasher *h);
DEFINE_CLEANUP(struct side_hasher *, side_hasher_free);

/* A new content; what was pushed of an earlier one that was not finished is forgotten. As hasher_new(). */
int side_hasher_begin(struct side_hasher *h, enum digest_algorithm algorithm);

/* The piece to fill next, once the thread is done with what it held before. The caller's to read until the next call. */
void *side_hasher_piece(struct side_hasher *h);

/* The first size bytes of that piece are what comes next. From here on it is only read. */
void side_hasher_push(struct side_hasher *h, size_t size);

/* Waits for the thread. 0, or -EIO when the library refuses. Then begin() is next. */
int side_hasher_finish(struct side_hasher *h, struct digest *ret);

/* Hashes size bytes of a file from offset on, and reads beside it. -ENODATA: the file ends before. */
int side_hasher_of_fd(int fd, uint64_t offset, uint64_t size, enum digest_algorithm algorithm,
		      struct digest *ret);

#endif
