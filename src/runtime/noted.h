/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_NOTED_H
#define LARDER_RUNTIME_NOTED_H
/*
 * Which files were there before larder wrote them: SAVED_DIR/digests, a line for each,
 *
 *	sha256:… /etc/docker/daemon.json
 *	none /etc/containerd/certs.d/_default/hosts.toml
 *
 * so that a copy of a user's file that was deleted or changed since is never taken for "there was no file". While a copy is being
 * replaced, its path has a line for the old one and a line for the new one. A path without a line is of an earlier version of larder, or
 * holds a newline, or the file was lost: nothing is known of it.
 */
#include "runtime/rootfs.h"

#define NOTED_NAME "/digests" /* below SAVED_DIR */

struct noted {
	char **lines; /* strv; those that are none of these are ignored */
	bool changed; /* since it was read or written */
};

/* No such file: nothing is noted. Errors of rootfs_read(). */
int noted_read(int root, struct noted *ret);

/* If it changed. The file goes with its last line. */
int noted_write(int root, struct noted *n);
void noted_done(struct noted *n);
#define _cleanup_noted_ _cleanup_(noted_done)

/* Is there a line for path? */
bool noted_any(const struct noted *n, const char *path);

/* Is this (text NULL: no file) what is noted of path? */
bool noted_has(const struct noted *n, const char *path, const struct rootfs_file *file);

/* Notes it beside what is noted of path, or in its place. */
int noted_add(struct noted *n, const char *path, const struct rootfs_file *file);
int noted_set(struct noted *n, const char *path, const struct rootfs_file *file);

/* Forgets all paths but these (strv). */
void noted_keep(struct noted *n, char **paths);

#endif
