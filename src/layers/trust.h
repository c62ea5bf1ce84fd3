/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_TRUST_H
#define LARDER_LAYERS_TRUST_H
/*
 * Signatures: LAYER.sqsh.sig holds an Ed25519 signature (RFC 8032, 64 bytes raw) over the bytes of the layer manifest, which
 * names everything in the layer by its digest.
 */
#include "layers/layers.h"

/* Of a layer with a signature that may be by a key that could not be read. */
#define TRUST_UNCHECKED "its signature cannot be checked: a trust key could not be read"

/*
 * Sets is_signed and unchecked of every open layer whose signature is by one of trust.keys (public keys as PEM). A key that cannot be
 * read is a note. A signature that is there and fits no key is a reason only if nothing else is. -ENOMEM.
 */
int trust_check(const struct layers_request *request, struct layers_result *result);

#endif
