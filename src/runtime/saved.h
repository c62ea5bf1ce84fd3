/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_SAVED_H
#define LARDER_RUNTIME_SAVED_H
/*
 * What files were before larder changed them. Below SAVED_DIR, by path:
 *
 *	original/etc/docker/daemon.json   the user's file, with its mode and owner; none: there was no such file
 *	next/etc/docker/daemon.json       what larder is about to write; gone once it is written
 *	written/etc/docker/daemon.json    what larder wrote last
 *	directories                       directories that larder made for its files, one in a line
 *	digests                           of which files there is an original (runtime/noted.h)
 *	kept/etc/docker/daemon.json       a copy that somebody changed, and that a new one took the place of
 *
 * Written in this order, original, next, the file itself, written, so that at any moment each file can be told apart: it is
 * what larder wrote or was about to write, or what was there before, or it was edited since. Between these steps rootfs_sync() makes
 * sure of the order; it is the caller's, since one is enough for many files. The directory lies in /etc because that is there whenever
 * a file of /etc can be changed, also at early boot.
 */
#include "runtime/noted.h"

#define SAVED_DIR "/etc/larder/runtime"

enum saved_state {
	SAVED_NONE,	   /* larder never wrote this file */
	SAVED_OURS,	   /* the file is what larder wrote */
	SAVED_INTERRUPTED, /* so it is, but larder was stopped before it could note that */
	SAVED_BEFORE,	   /* larder meant to write and did not: it is the original */
	SAVED_EDITED,	   /* larder wrote it, and somebody changed it since */
};

enum saved_copy {
	SAVED_COPY_WHOLE,   /* as larder made it; or it is noted that there was no file */
	SAVED_COPY_GONE,    /* there was a file, and its copy is not there */
	SAVED_COPY_CHANGED, /* it is another file than larder saved */
	SAVED_COPY_UNKNOWN, /* there is none, and it is not noted whether there was a file */
};

/*
 * Compares the file at path (current, as read) with what is saved and noted. ret_original: the saved file, text NULL if there is
 * none; owned by the caller.
 */
int saved_compare(int root, const struct noted *noted, const char *path,
		  const struct rootfs_file *current, enum saved_state *ret_state,
		  enum saved_copy *ret_copy, struct rootfs_file *ret_original);

/* The copy of the user's file as it is; text NULL: there is none. Owned by the caller. */
int saved_original(int root, const char *path, struct rootfs_file *ret);

/* What larder wrote last (text NULL: nothing), and what it was about to write when it was stopped. Owned by the caller. */
int saved_texts(int root, const char *path, struct rootfs_file *ret_written,
		struct rootfs_file *ret_next);

/* What restore brings back; text NULL: there was no file. On the disk before the next step. */
int saved_set_original(int root, const char *path, const struct rootfs_file *original);

/* Moves a copy that larder cannot vouch for out of the way of a new one, to KEPT_DIR. */
#define KEPT_DIR SAVED_DIR "/kept"
int saved_keep(int root, const char *path);

/* What is about to be written. On the disk before the file itself changes. */
int saved_set_next(int root, const char *path, const struct rootfs_file *next);

/* After the file was written. */
int saved_written(int root, const char *path, const struct rootfs_file *written);

/* The file could not be written and is what it was, current: as if nothing had been about to happen. */
int saved_abandon(int root, const char *path, const struct rootfs_file *current);

/* After restoring. keep_original: restore could not bring it back, so the copy stays where it is for the user. */
int saved_forget(int root, const char *path, bool keep_original);

/* Removes what runs that were killed left here, empty directories too, and what is the same as the file that it was kept of. */
int saved_tidy(int root);

/* Paths of all files that larder wrote or was about to write; strv, owned by the caller. */
int saved_list(int root, char ***ret);

/* Directories that larder made; strv, owned by the caller. One whose name holds a newline is not remembered, and stays. */
int saved_directories(int root, char ***ret);
int saved_set_directories(int root, char **list);

#endif
