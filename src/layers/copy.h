/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_COPY_H
#define LARDER_LAYERS_COPY_H
/*
 * A layer file from one filesystem to another, checked on the way. What an interrupted copy left is taken up again: the
 * bytes that are there are hashed, and the rest is added. The name of the part says which content it is a part of, so it can
 * never be continued with another.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "store/digest.h"

#define PART_SUFFIX ".part" /* of unfinished copies */

/* The digest in FILE.sha256 (as sha256sum(1) writes it). -ENOENT: there is none; -EINVAL with diag: it is none. */
int copy_read_sum(const char *file, struct digest *ret, struct diag *diag);

/* Is that what a part is called with which an interrupted copy of the layer file "name" (NULL: of any) can go on? */
bool copy_part_is_of(const char *part, const char *name);

struct copy_job {
	const char *from;     /* LAYER.sqsh */
	const char *to;	      /* directory of the target, on the volume */
	const char *incoming; /* directory of unfinished copies, on the same filesystem */
	const char *name;     /* file name in both */
	void (*progress)(uint64_t done, uint64_t total, const char *what, void *user);
	void *user;
};

/*
 * Copies, checks, makes durable, then gives it its name, with FILE.sha256 and what else lies beside it (beside.h). With a sum the whole is
 * checked against it; without one verify() is asked, which is given the finished part's path. -EBADMSG with diag: the content is not
 * what it should be; nothing is left. -ENOSPC with diag: the rest does not fit; the part is removed.
 */
int copy_layer(const struct copy_job *job,
	       int (*verify)(const char *path, void *user, struct diag *diag), void *verify_user,
	       struct diag *diag);

#endif
