/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_IMAGES_H
#define LARDER_LAYERS_IMAGES_H
/*
 * Images of this machine's cache: those of active layers and those of the volume's loose tree, with what of them is there. Content is
 * looked for where larderd looks: the loose tree, then the active layers.
 */
#include "layers/layers.h"

#define IMAGES_MISSING_MAX 100 /* digests named per image */
#define IMAGES_DEPTH_MAX   3   /* an index in an index in an index, as in contents.h */

struct image {
	char *reference;
	char *layer; /* name of the layer; NULL: the loose tree */
	struct digest digest;
	uint64_t size;	  /* bytes of manifests and blobs that are there */
	char **platforms; /* there */
	char **omitted;	  /* in its index, and left out on purpose: not there at all */
	char **missing; /* what is needed and not there; a platform's manifest that is there needs all its blobs */
};

struct image_list {
	struct image *images; /* by reference, then as larderd would find them */
	size_t n_images;
};

/*
 * The layers of the result must be open or mounted (layers_survey_locked()). asked (NULL: none): references of which those with a digest
 * are listed, too, where their manifest is there and no tag of their repository has it; larderd serves them. -ENOMEM.
 */
int images_read(const char *run_dir, const struct layers_result *layers, char *const *asked,
		struct image_list *ret);
void images_done(struct image_list *list);
#define _cleanup_images_ _cleanup_(images_done)

/* Is the reference listed? One with a digest is if any of its repository has that digest. */
bool images_have(const struct image_list *list, const char *reference);

/*
 * Hashes everything that is in the loose tree and in active layers. *ret_broken: one line each for what is wrong, with where it is; NULL:
 * nothing. progress as in struct layers_request.
 */
int images_verify(const struct layers_request *request, const struct layers_result *layers,
		  char ***ret_broken);

/* The request's images, under the lock while layers are opened. */
int layers_images(const struct layers_request *request, char *const *asked,
		  struct layers_result *ret_layers, struct image_list *ret, struct diag *diag);

#endif
