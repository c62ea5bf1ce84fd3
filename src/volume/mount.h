/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_VOLUME_MOUNT_H
#define LARDER_VOLUME_MOUNT_H
/*
 * The volume's mount and what lies in its root directory.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/diag.h"

/* Is something mounted exactly at path? *ret_device is then its device number; ret_source (owned by the caller) may be NULL. */
int mount_find(const char *path, bool *ret_mounted, dev_t *ret_device, char **ret_source,
	       struct diag *diag);

enum mount_how {
	MOUNT_WRITABLE,
	MOUNT_READ_ONLY,
	MOUNT_UNRECOVERED, /* read-only, and without the journal, which cannot be written back */
};

/* Mounts the ext4 on source at path with nosuid,nodev,noexec. -EUCLEAN: the kernel does not take the filesystem. */
int mount_volume(const char *source, const char *path, enum mount_how how, struct diag *diag);

/* 0 also if nothing is mounted there. -EBUSY: still used. */
int unmount_volume(const char *path, struct diag *diag);

struct store_owner {
	uid_t uid;
	gid_t gid;
};
#define STORE_OWNER_ANY ((struct store_owner){ (uid_t)-1, (gid_t)-1 })

/* The user larder; where there is none, as in an initramfs, STORE_OWNER_ANY: what is there stays whose it is. */
struct store_owner store_owner_find(void);

/*
 * Makes blob/, manifests/, layers/, state/, .tmp/ and the file format in dir where they are missing, and gives everything to owner if
 * that was different. -EPROTO: the volume was made by a newer larder; nothing is changed then.
 */
int volume_prepare(int dir, struct store_owner owner, struct diag *diag);

/* Only looks: -EPROTO as above. */
int volume_check_format(int dir, struct diag *diag);

#endif
