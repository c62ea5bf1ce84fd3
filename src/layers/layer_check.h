/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_LAYER_CHECK_H
#define LARDER_LAYERS_LAYER_CHECK_H
/*
 * Is what is in this directory a cache layer, and does it hold what its layer manifest says? Names and manifests are checked here;
 * blobs are hashed when they are first served.
 *
 * Refused are symlinks, devices and anything else that is neither file nor directory in the cache tree, names that no reference
 * can have, tags that the layer manifest does not list, and listed ones that are not there or point elsewhere.
 */
#include "base/diag.h"
#include "layers/layer_manifest.h"

#define LAYER_SCAN_DEPTH_MAX   48
#define LAYER_SCAN_ENTRIES_MAX (1024 * 1024)

/*
 * dir: the root of the layer. *ret_id is the digest of the layer manifest's bytes; *ret_text (may be NULL) those bytes.
 * -EINVAL with diag: it is broken.
 */
int layer_check(int dir, struct layer_manifest *ret, struct digest *ret_id, char **ret_text,
		struct diag *diag);

/*
 * Hashes every listed blob and every manifest of the layer. -EBADMSG: some are wrong; *broken gets a line for each (where: digest: what),
 * where is what the layer is called in it. progress as in struct layers_request.
 */
int layer_verify(int dir, const struct layer_manifest *manifest, const char *where,
		 void (*progress)(uint64_t done, uint64_t total, const char *what, void *user),
		 void *user, char ***broken);

#endif
