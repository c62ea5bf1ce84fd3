/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_VERITY_H
#define LARDER_BLOCK_VERITY_H
/*
 * dm-verity: a read-only device whose every block the kernel checks against a hash tree when it is read, and the tree against one root
 * hash. Trees are what "veritysetup format" writes, with their superblock. Through libcryptsetup (block/cryptsetup.h).
 *
 * A device is called larder-verity-<32 hex digits>, which the caller makes of all that the device is: two that are the same share the
 * name. It is removed by the kernel when its last user goes (deferred removal), so that an unmount is enough, and a crash leaves one
 * only between its making and its mount: verity_clean().
 *
 * Several threads may ask whether it is available, and open devices.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/diag.h"

#define VERITY_NAME_PREFIX   "larder-verity-"
#define VERITY_NAME_MAX	     64
#define VERITY_PATH_MAX	     (VERITY_NAME_MAX + 16)
#define VERITY_ROOT_HEX_MAX  128 /* digits of a root hash */
#define VERITY_ROOT_TEXT_MAX (VERITY_ROOT_HEX_MAX + 1)
#define VERITY_SALT_BYTES    32
#define VERITY_BLOCK_BYTES   4096

/* 64 or 128 hex digits in lower case? */
bool verity_root_hash_is_valid(const char *text);

/* -EOPNOTSUPP with diag: this kernel has no device-mapper, or libcryptsetup is not installed. */
int verity_available(struct diag *diag);

/* Could verity_create() be done? -EOPNOTSUPP with diag: libcryptsetup is not installed. */
int verity_can_create(struct diag *diag);

/*
 * Writes the tree of the file data to the new file tree: SHA-256, blocks of 4096 bytes. The same salt and UUID give the same bytes.
 * Needs no device-mapper. -EINVAL with diag: data is not made of whole blocks.
 */
int verity_create(const char *data, const char *tree, const uint8_t salt[static VERITY_SALT_BYTES],
		  const char *uuid, char ret_root_hash[static VERITY_ROOT_TEXT_MAX],
		  struct diag *diag);

/*
 * Maps two block devices as one that is checked, or finds the one that has the name already. *ret_fd keeps it until it is mounted,
 * ret_path is what to mount. -EOPNOTSUPP with diag: not on this machine; others with diag: the tree does not fit.
 */
int verity_open(const char *data, const char *tree, const char *root_hash, const char *name,
		int *ret_fd, char ret_path[static VERITY_PATH_MAX], struct diag *diag);

/* Has the kernel found a block that the root hash does not cover? Only since the device was made, and only what was read. */
bool verity_found_corruption(const char *name);

/* The name of a device of ours, by its number. -ENOENT: it is none. */
int verity_name_of(dev_t device, char ret[static VERITY_NAME_MAX]);

/* Removes those of our devices that nobody uses. */
void verity_clean(void);

#endif
