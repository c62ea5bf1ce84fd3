/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_LAYER_MANIFEST_H
#define LARDER_LAYERS_LAYER_MANIFEST_H
/*
 * The layer manifest, larder/layers/<name>.yaml in a cache layer: what the layer is called and everything that it holds. Since it
 * names every tag's digest and every blob, and these are hashes, a signature over its bytes covers the whole layer.
 *
 *	apiVersion: larder/v1alpha1
 *	kind: CacheLayer
 *	name: k8s
 *	version: 1.34.2
 *	images:
 *	  - reference: registry.k8s.io/pause:3.10
 *	    digest: sha256:…
 *	    size: 743512            (bytes of its manifests and blobs)
 *	    platforms: [linux/amd64]
 *	    omitted: [linux/arm64]  (in its index, not in this layer)
 *	blobs: [sha256:…, …]
 *
 * larder-layer(5) is the format's documentation.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/names.h"
#include "store/digest.h"

#define LAYER_API_VERSION "larder/v1alpha1"
#define LAYER_KIND	  "CacheLayer"

#define LAYER_MANIFEST_IMAGES_MAX 10000
#define LAYER_MANIFEST_BLOBS_MAX  50000
#define LAYER_MANIFEST_DEPTH_MAX  8
#define LAYER_TEXT_MAX		  1024 /* bytes of author and description */

struct layer_image {
	char *reference; /* canonical; with a tag, or with the digest */
	struct digest digest;
	uint64_t size;
	char **platforms, **omitted;
};

struct layer_manifest {
	char *name;
	char *version;		    /* NULL: none */
	char *author, *description; /* NULL: none */
	struct layer_image *images; /* sorted by reference */
	size_t n_images;
	struct digest *blobs; /* sorted */
	size_t n_blobs;
};

/* -EINVAL with line, column and message; the diag's source is left empty. */
int layer_manifest_parse(const char *text, size_t size, struct layer_manifest *ret,
			 struct diag *diag);
void layer_manifest_done(struct layer_manifest *m);
#define _cleanup_layer_manifest_ _cleanup_(layer_manifest_done)

/* The YAML text: the same struct always gives the same bytes. Owned by the caller; NULL: out of memory. */
char *layer_manifest_format(const struct layer_manifest *m);

/* The order of images. */
int layer_image_compare(const void *a, const void *b);

/* Does it list an image under exactly this reference? */
bool layer_manifest_lists(const struct layer_manifest *m, const char *reference);

#endif
