/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_SIGN_H
#define LARDER_LAYERS_SIGN_H
/*
 * Signing: Ed25519 (RFC 8032) over the bytes of the layer manifest, 64 bytes raw in LAYER.sqsh.sig. A pair of keys is made by
 * "openssl genpkey -algorithm ed25519 -out site.key" and "openssl pkey -in site.key -pubout -out site.pub".
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

#define SIGNATURE_BYTES 64
#define KEY_BYTES_MAX	65536 /* of a file with a key */

/* Reads a private key in PEM. -EINVAL with diag: it is none, or of another algorithm, or has a passphrase. */
struct signing_key;
int signing_key_read(const char *path, struct signing_key **ret, struct diag *diag);
void signing_key_free(struct signing_key *key);
DEFINE_CLEANUP(struct signing_key *, signing_key_free);

int sign_text(struct signing_key *key, const char *text, size_t size,
	      unsigned char ret[static SIGNATURE_BYTES]);

#endif
