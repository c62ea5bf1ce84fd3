/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_TESTS_STORE_H
#define LARDER_TESTS_STORE_H
/*
 * A cache tree made for a test, always the same bytes:
 *
 *	docker.io/library/one:1           an image of a config and two layers
 *	docker.io/library/one:index       an index of it for this host, and one for another platform that is not there
 *	ghcr.io/acme/app:broken           an image whose layer is missing
 *	ghcr.io/acme/app:signed           the image, with a referrer of artifact type "test/signature"
 *
 * All functions abort when the disk does not let them.
 */
#include <stddef.h>

#include "store/digest.h"

void store_make(const char *dir);

/* Parts by themselves: add a blob, add a manifest (with a tag unless tag is NULL); both return the digest. */
struct digest store_add_blob(const char *dir, const void *data, size_t size);
struct digest store_add_manifest(const char *dir, const char *repository, const char *tag,
				 const char *text);

/* Digests of what store_make() makes. */
extern struct digest store_config, store_layer, store_second_layer, store_image, store_index,
	store_broken, store_referrer;

/* The second layer: STORE_LAYER_BYTES of a pattern. */
#define STORE_LAYER_BYTES 100000

#endif
