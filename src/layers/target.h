/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_TARGET_H
#define LARDER_LAYERS_TARGET_H
/* The volume as the place where layers are copied to, and where room is made for them. */
#include "layers/layers.h"

struct target {
	const struct layers_request *request;
	char *layers_dir, *incoming; /* on the volume */
};

/*
 * -ENODEV with diag: there is no volume that larder prepared below RUN. (An empty directory would do to copy into, and fill
 * memory.) run_dir of the request is a real path.
 */
int target_open(const struct layers_request *request, struct target *ret, struct diag *diag);
void target_done(struct target *t);

/* Copies a layer file under its own name (layers/copy.h); without a sum beside it everything in it is hashed instead. */
int target_copy(const struct target *t, const char *file, struct diag *diag);

/*
 * Deletes superseded layers on the volume beyond those that "keep" keeps, the oldest versions first, and what interrupted copies left of
 * layers that are not on a medium to be copied from, once every trusted medium can be looked at; and notes each. The result is of a survey or an activation. How many were deleted, or a
 * negative errno.
 */
int target_make_room(const struct target *t, struct layers_result *result);

/*
 * Deletes what lies beside layers that are not there any more (NAME.sqsh.sha256, .sig, .roothash, .verity), and notes each; and, without
 * a word, what a killed run left half written. Not while somebody adds layers.
 */
int target_remove_orphans(const struct target *t, struct layers_result *result);

/* Removes unfinished copies. After a run in which nothing failed, those that are left belong to layers that nobody offers any more. */
int target_clean(const struct target *t);

#endif
