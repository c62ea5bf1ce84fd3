/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_MOUNT_API_H
#define LARDER_LAYERS_MOUNT_API_H
/*
 * Mounting read-only, nosuid, nodev, noexec: by fsopen(2), fsconfig(2), fsmount(2) and move_mount(2) where the kernel has
 * them, by mount(2) elsewhere. What the kernel has is found out by doing it: -ENOSYS here means "take the other way".
 */
#include <stddef.h>

#include "base/diag.h"
#include "block/mounts.h"

/*
 * A filesystem on a device, mounted nowhere yet: *ret is a descriptor of its root, and closing it unmounts it. -ENOSYS: not by
 * this kernel. What the kernel says of a failure is in diag.
 */
int mount_detached(const char *fstype, const char *device, int *ret, struct diag *diag);

/* Puts it at a directory. */
int mount_attach(int mount, const char *target, struct diag *diag);

/* mount(2). options may be NULL. */
int mount_classic(const char *fstype, const char *device, const char *target, const char *options,
		  struct diag *diag);

/* A read-only overlay of the n lower directories, the first on top, at target. At least two, at most 500. */
#define OVERLAY_LINKS_SUFFIX                                                                       \
	".short" /* of the target: a directory that is there meanwhile, where the kernel wants short names */
int mount_overlay(const char *const *lower, size_t n, const char *target, struct diag *diag);

/*
 * Unmounts what is mounted at target and removes the directory. -EBUSY: it is in use; then it is detached from the tree all the
 * same and goes when its last user ends.
 */
int unmount(const char *target);

/*
 * Has the kernel load the modules that mounting a volume and its layers needs, beside what the caller does meanwhile. Nothing is reported:
 * a module that is missing is found missing by who mounts.
 */
void mount_load_ahead(void);

/* What is mounted in this namespace (block/mounts.h). */
int mounts_now(struct mounts *ret);

#endif
