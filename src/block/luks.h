/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_LUKS_H
#define LARDER_BLOCK_LUKS_H
/*
 * Encryption of the volume: LUKS2 through libcryptsetup, which is loaded only when the machine config asks for it, so
 * that it need not be in an initramfs that does not encrypt. Keys as in Talos: a static passphrase; nodeID, made of the machine's
 * UUID and the partition's label; tpm, which systemd-cryptenroll stores and libcryptsetup's systemd-tpm2 token opens.
 */
#include <stdbool.h>

#include "base/diag.h"
#include "config/machine_config.h"

#define LUKS_MAPPER_NAME "larder-volume" /* /dev/mapper/larder-volume while it is open */

/* Is there a LUKS header at offset of the device or file open as fd? */
int luks_find(int fd, uint64_t offset, bool *ret);

/* Could luks_format() be done? Writes nothing. -EOPNOTSUPP: a tpm key and no TPM, or no libcryptsetup; -EINVAL: no such cipher. */
int luks_can_format(const char *root, const char *label, const struct encryption_config *config,
		    struct diag *diag);

/* Could a volume be opened here? -EOPNOTSUPP: the kernel has no device-mapper. */
int luks_can_open(struct diag *diag);

/*
 * Writes a LUKS2 header with every static and nodeID key in its slot, and every tpm key in a free one; refuses what
 * luks_can_format() refuses. root: prefix of /sys and /dev, to look for the machine's UUID and TPM; NULL: none. label names the header and goes into the nodeID key.
 */
int luks_format(const char *root, const char *path, const char *label,
		const struct encryption_config *config, struct diag *diag);

/* Does one of the keys open it? Needs no device-mapper. -EPERM: none does; diag says which were tried. */
int luks_check(const char *root, const char *path, const char *label,
	       const struct encryption_config *config, struct diag *diag);

/*
 * Opens it; *ret_path (owned by the caller) is the mapped device. One that is open already is success; -EBUSY: the name is
 * taken by another device.
 */
int luks_open(const char *root, const char *path, const char *label,
	      const struct encryption_config *config, bool read_only, char **ret_path,
	      struct diag *diag);

/* Lets the open volume on path follow its grown partition; the kernel wants a key for that. 0 if it is not open. */
int luks_resize(const char *root, const char *path, const char *label,
		const struct encryption_config *config, struct diag *diag);

/* Closes it; 0 if it is not open. Loads libcryptsetup only if it is. */
int luks_close(struct diag *diag);

#endif
