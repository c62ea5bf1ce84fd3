/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_CONTENTS_H
#define LARDER_LAYERS_CONTENTS_H
/*
 * What a new layer will hold: images, and every manifest and blob that they need, each with the file where its bytes are now,
 * or the layer, which is read in place (store/place.h).
 * Sources (source.h) fill it; build.c writes it. Manifests are read and followed here; blobs are only located, and hashed while
 * they are written.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "layers/layer_manifest.h"
#include "store/manifest.h"
#include "store/place.h"

#define CONTENTS_MAX	   60000 /* manifests and blobs */
#define CONTENTS_DEPTH_MAX 3	 /* an index in an index in an index */

struct item {
	struct digest digest;
	uint64_t size;
	const char *layer; /* the layer's file, if they are in one: that string of the list; NULL */
	char *path;	   /* the file that holds exactly these bytes; in a layer: LAYER/PATH */
	char *repository;  /* manifests: "registry/repository"; NULL: a blob */
	const char *image; /* reference of the first image that needs it: that string of images */
};

struct tag {
	char *registry, *repository, *tag; /* tag NULL: known by digest only */
	struct digest digest;
};

struct contents {
	struct item *items; /* blobs and manifests, in the order in which a pull needs them */
	size_t n_items;
	struct tag *tags;
	size_t n_tags;
	struct layer_image *images;
	size_t n_images;
	void *index; /* items by digest and repository */
	uint64_t bytes;
	/* Of layers that are read one is open at a time, however many the list has: that one, and its file. */
	struct place *place;
	const char *layer;
};

/*
 * Where the bytes of a digest are: the source's answer. *ret_path is owned by the caller. -ENOENT: it does not have them.
 */
struct locator {
	int (*locate)(const struct locator *self, const struct digest *digest, bool manifest,
		      char **ret_path);
	const void *data;
	const char *layer; /* of struct item */
};

struct platform_choice {
	bool all;
	const struct platform *platforms; /* those wanted, unless all */
	size_t n_platforms;
};

/* Is an image for p wanted? */
bool platform_is_chosen(const struct platform_choice *choice, const struct platform *p);

/*
 * Is item i of an index wanted? What says no platform is taken as containerd and skopeo take it: an index may have a wanted one in it, and
 * an image is wanted if no platform that is said is, the first of them.
 */
bool index_takes(const struct platform_choice *choice, const struct manifest *index, size_t i);

/*
 * Adds the image whose manifest or index has that digest, under reference. -ENOENT: something that it needs is not in the
 * source; -EBADMSG: a manifest's bytes are not what its digest says; -EINVAL: no manifest, or no wanted platform; all with diag.
 */
int contents_add_image(struct contents *c, const struct locator *locator, const char *reference,
		       const struct digest *digest, const struct platform_choice *choice,
		       struct diag *diag);

/* Opens a layer unless it is open. -EINVAL and others with diag: it cannot be read. */
int contents_open_layer(struct contents *c, const char *layer, struct diag *diag);

/* Opens what item.layer and item.path say. -EINVAL: it is no regular file; all errors with diag, which names it. */
int contents_open(struct contents *c, const char *layer, const char *path, struct content *ret,
		  struct diag *diag);

/* What a negative errno of reading means. layer: NULL, where none is read. */
const char *contents_why(const char *layer, int r);

/* No image will be added any more: what only that needs goes, a seventh of a large layer's memory. */
void contents_end(struct contents *c);

void contents_done(struct contents *c);
#define _cleanup_contents_ _cleanup_(contents_done)

#endif
