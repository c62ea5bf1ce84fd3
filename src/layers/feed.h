/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_FEED_H
#define LARDER_LAYERS_FEED_H
/*
 * Writes contents as a cache tree in a tar stream, in a fixed order: directories, layer manifest, manifests, tags, blobs. Every
 * byte is hashed while it passes, so nothing gets into a layer that its digest does not name, and nothing is read twice.
 */
#include "layers/contents.h"

/* Called now and then while blobs are written; what: the image that is being written. */
typedef void (*feed_progress_fn)(uint64_t done, uint64_t total, const char *what, void *user);

struct feed {
	const struct contents *contents;
	const char *layer_manifest; /* text */
	const char *name;	    /* of the layer */
	int fd;			    /* where the tar stream goes */
	int64_t time;		    /* of every file, seconds since 1970 */
	feed_progress_fn progress;  /* may be NULL */
	void *user;
};

/* -EBADMSG with diag: the bytes of a blob are not what its digest says. -EPIPE: the reader is gone. */
int feed_write(const struct feed *feed, struct diag *diag);

#endif
