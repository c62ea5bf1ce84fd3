/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_BESIDE_H
#define LARDER_LAYERS_BESIDE_H
/*
 * What lies beside LAYER.sqsh and goes where it goes: .sha256 (made anew by every copy), .sig, .verity, .roothash. It comes from
 * where the layer comes from and is trusted as little: nothing but a regular file is copied, and no symlink is followed.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

#define BESIDE_SMALL_MAX 4096 /* bytes of .sha256, .sig and .roothash */

/*
 * Opens LAYER<suffix> for reading; what it is, is for the caller to see: nothing is waited for. follow: also through a symlink, which is for
 * the administrator's own directories. The descriptor or a negative errno.
 */
int beside_open(const char *layer, const char *suffix, bool follow);

/* One copy: from/NAME.sqsh to to/NAME.sqsh; incoming is for unfinished files, on the filesystem of to. */
struct beside {
	const char *from; /* LAYER.sqsh */
	const char *to, *incoming, *name;
	uint64_t max; /* bytes of .verity: a tree is never larger than what it covers */
};

/*
 * Copies FROM<suffix> durably, or removes what has that name at the target if there is none. -EINVAL with diag: it is no regular file, or
 * too large.
 */
int beside_copy(const struct beside *b, const char *suffix, struct diag *diag);

/* How much of a file's name is the name of what it lies beside; 0: it is none of ours. */
size_t beside_stem(const char *name);

/* Removes everything beside a layer. Durable. */
int beside_remove_sidecars(const char *layer);

/* Renames what is beside one layer, where it is there, to be beside another, on the same filesystem. Durable. */
int beside_move(const char *from, const char *to);

/* What is beside one layer is then beside the other, too, on the same filesystem, and nothing else is. May be repeated. */
int beside_replace(const char *from, const char *to);

/* Removes a layer, the image first: what lies beside it means nothing without it. Durable. */
int beside_remove_all(const char *layer);

#endif
