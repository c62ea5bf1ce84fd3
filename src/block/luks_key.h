/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_LUKS_KEY_H
#define LARDER_BLOCK_LUKS_KEY_H
/*
 * The keys of an encrypted volume (block/luks.h): what opens a slot, and how each is put into a new header.
 */
#include "block/luks_session.h"
#include "config/machine_config.h"

#define LUKS_KEY_TOKEN_TPM                                                                         \
	"systemd-tpm2" /* what systemd-cryptenroll stores, and libcryptsetup's plugin opens */

/* Could this key be stored on this machine? Writes nothing. -EOPNOTSUPP, -EINVAL, -ENOENT: no; diag says what is missing. */
int luks_key_can_store(const char *root, const char *label, const struct encryption_key *key,
		       struct diag *diag);

/*
 * Stores all keys in the header that was just formatted at path. A TPM key is enrolled by systemd-cryptenroll, in the lowest slot
 * that is free then; until that has happened a random key is there in its place.
 */
int luks_keys_store(struct luks_session *s, const char *root, const char *path, const char *label,
		    const struct encryption_config *config, struct diag *diag);

/* Opens with one key. name NULL: only tries it. flags: CRYPT_ACTIVATE_… Negative errno: it does not open. */
int luks_key_activate(struct luks_session *s, const char *root, const char *label,
		      const struct encryption_key *key, const char *name, uint32_t flags,
		      struct diag *diag);

#endif
