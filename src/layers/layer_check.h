/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_LAYER_CHECK_H
#define LARDER_LAYERS_LAYER_CHECK_H
/*
 * Is what is in this place a cache layer, and does it hold what its layer manifest says? Names and manifests are checked here;
 * blobs are hashed when they are first served.
 *
 * Refused are symlinks, devices and anything else that is neither file nor directory in the cache tree, names that no reference
 * can have, tags that the layer manifest does not list, listed ones that are not there or point elsewhere, listed blobs that are not there, and
 * blobs that are out of all proportion to the file.
 */
#include "base/diag.h"
#include "layers/layer_manifest.h"

struct place;

#define LAYER_SCAN_DEPTH_MAX   48
#define LAYER_SCAN_ENTRIES_MAX (1024 * 1024)

/* What the blobs of a layer may take up, as a multiple of its file: blobs are compressed already, so more is a bomb. */
#define LAYER_EXPANSION_MAX 64

/*
 * place: the root of the layer, a directory or its image (store/place.h). *ret_id is the digest of the layer manifest's bytes; *ret_text (may be NULL) those bytes.
 * file_size: bytes of the image file. -EINVAL with diag: it is broken.
 */
int layer_check(struct place *place, uint64_t file_size, struct layer_manifest *ret,
		struct digest *ret_id, char **ret_text, struct diag *diag);

/*
 * Hashes every listed blob and every manifest of the layer. -EBADMSG: some are wrong; *broken gets a line for each (where: digest: what),
 * where is what the layer is called in it. progress as in struct layers_request.
 */
int layer_verify(struct place *place, const struct layer_manifest *manifest, const char *where,
		 void (*progress)(uint64_t done, uint64_t total, const char *what, void *user),
		 void *user, char ***broken);

#endif
