/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_REPLACE_H
#define LARDER_LAYERS_REPLACE_H
/*
 * A layer and what lies beside it (beside.h), in place of another of the same file name: five files that count only together. They are
 * gathered in a directory of unfinished ones, and the rename of that directory decides:
 *
 *	INCOMING/NAME.set.part   gathered: the old layer counts, and this is removed
 *	INCOMING/NAME.set        decided: the new one counts, and whoever looks at the layers next puts it into place first
 *
 * All under RUN/lock.
 */
#include "base/diag.h"

struct replacement {
	const char *incoming; /* directory of unfinished files, on the filesystem of to */
	const char *to;	      /* directory of layers */
	const char *name;     /* file name of the layer */
};

/* Makes the directory that the new files are gathered in, empty. Its path is the caller's. */
int replace_begin(const struct replacement *r, char **ret_dir);

/*
 * The files in the directory, all of them durable, take the place of the layer TO/NAME and of what is beside it; what they lack is
 * removed there. A failure leaves the old ones; only one that comes after the image has its name leaves the rest for
 * replace_finish_all(), and is told all the same.
 */
int replace_commit(const struct replacement *r);

/* Removes what was gathered. */
void replace_abandon(const struct replacement *r);

/* Completes what was decided and interrupted, and removes what was not decided. -errno of the last that failed, with diag. */
int replace_finish_all(const char *incoming, const char *to, struct diag *diag);

#endif
