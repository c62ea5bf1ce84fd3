/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_INGEST_H
#define LARDER_STORE_INGEST_H
/*
 * The one way into a cache tree: bytes go to a temporary file in .tmp/, are hashed on the way, and only when the digest is
 * right does the file get its name: fsync, rename, fsync of the directory. After a power cut a name in the tree is the whole
 * content, or is not there; what is left over in .tmp/ belongs to nobody and is removed by ingest_clean().
 *
 *	_cleanup_(ingest_freep) struct ingest *i = NULL;
 *	r = ingest_new(tree, DIGEST_SHA256, &i);
 *	while (r == 0 && more) r = ingest_write(i, data, size);
 *	if (r == 0) r = ingest_commit(i, &expected, "blob/sha256-…", diag);
 */
#include <stdint.h>

#include "base/diag.h"
#include "store/digest.h"

struct ingest;

/* tree: descriptor of the cache tree, borrowed until the end. .tmp/ is made when it is not there. */
int ingest_new(int tree, enum digest_algorithm algorithm, struct ingest **ret);

/* -ENOSPC and -EDQUOT: the volume is full. */
int ingest_write(struct ingest *i, const void *data, size_t size);

/* Copies size bytes of fd from offset on. -ENODATA: the source ends before. */
int ingest_copy(struct ingest *i, int fd, uint64_t offset, uint64_t size);

/*
 * Gives the content its name below tree (its directories are made). expected may be NULL: then the content is taken as it is.
 * -EBADMSG with diag: the digest is another; nothing was added. An older file of that name is replaced.
 */
int ingest_commit(struct ingest *i, const struct digest *expected, const char *path,
		  struct diag *diag);

/* What was not committed is removed. */
void ingest_free(struct ingest *i);
DEFINE_CLEANUP(struct ingest *, ingest_free);

/* Removes what ingests that crashed left in .tmp/, and nothing else. 0 if there is no .tmp/. */
int ingest_clean(int tree);

#endif
