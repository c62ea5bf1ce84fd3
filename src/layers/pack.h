/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_PACK_H
#define LARDER_LAYERS_PACK_H
/*
 * Writes contents as a cache tree into a squashfs image (squash.h), from front to back, their data in a fixed order: layer manifest,
 * manifests, blobs; tags are links. Every byte is hashed while it passes, so nothing gets into a layer that its digest does not name, and
 * nothing is read twice: the sum of the image is made on the way, too.
 */
#include "layers/contents.h"

/* Called now and then while blobs are written; what: the image that is being written. */
typedef void (*pack_progress_fn)(uint64_t done, uint64_t total, const char *what, void *user);

struct pack {
	struct contents *contents;
	const char *layer_manifest; /* text */
	const char *name;	    /* of the layer */
	int fd;			    /* where the image goes: a file that is empty */
	int64_t time;		    /* of every file, seconds since 1970 */
	pack_progress_fn progress;  /* may be NULL */
	void *user;
};

/* ret: of the image. -EBADMSG with diag: the bytes of a blob are not what its digest says. */
int pack_write(const struct pack *pack, uint64_t *ret_size, struct digest *ret, struct diag *diag);

#endif
