/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_ROOTFS_H
#define LARDER_RUNTIME_ROOTFS_H
/*
 * Files of a system below a root directory, which may be an image that is being built: symbolic links are followed as
 * that system would follow them, never out of it (openat2(2), RESOLVE_IN_ROOT). Paths begin with a slash.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define ROOTFS_FILE_MAX (4 * 1024 * 1024)

struct rootfs_file {
	char *text; /* NUL-terminated; NULL: there is no such file */
	size_t size;
	mode_t mode; /* permission bits */
	uid_t uid;
	gid_t gid;
};

void rootfs_file_done(struct rootfs_file *file);
#define _cleanup_rootfs_file_ _cleanup_(rootfs_file_done)

/* Do both say the same, or are both not there? Modes and owners count nothing. */
bool rootfs_same(const struct rootfs_file *a, const struct rootfs_file *b);

/* The root as a descriptor; root NULL is /. */
int rootfs_open(const char *root);

/*
 * For as long as the descriptor that it returns is open, nobody else has it: one process at a time changes files of a system.
 * -ETIMEDOUT: somebody else still has it after ms.
 */
int rootfs_lock(int root, unsigned ms);

/* No such file is success with text NULL. -ELOOP: a symbolic link in the place of the file. -EFBIG, -EISDIR. */
int rootfs_read(int root, const char *path, struct rootfs_file *ret);

/* Why a file was not read, in words: strerror(3), and what the codes above mean here. */
const char *rootfs_why(int err);

/* The same for what is only read: a symbolic link is followed, as the program whose file it is would do. */
int rootfs_read_linked(int root, const char *path, struct rootfs_file *ret);

/*
 * Makes directories as needed (mode 0755) and replaces the file, with the file's mode and owner. What an interrupted call left beside
 * the file goes. After a power cut the file is whole, the old one or the new one; that it is the new one is sure after rootfs_sync().
 */
int rootfs_write(int root, const char *path, const struct rootfs_file *file);

/* The same by moving a file that says it already: from is gone then, with directories as in rootfs_remove(). */
int rootfs_move(int root, const char *from, const char *to, const char *below);

/* Is this what an interrupted rootfs_write() leaves beside some file? By its name. */
bool rootfs_is_leftover(const char *path);

/*
 * What was written, moved and removed in the directory that holds path is on the disk: syncfs(2) of its filesystem. known (NULL:
 * none): filesystems of which this was asked already, and the answers; zeroed before the first of several calls.
 */
#define ROOTFS_SYNCED_MAX 16
struct rootfs_synced {
	struct {
		dev_t device;
		int result;
	} filesystems[ROOTFS_SYNCED_MAX];
	size_t n;
};
int rootfs_sync(int root, const char *path, struct rootfs_synced *known);

/* 0 also if there is none. Directories that are empty then and that lie below "below" go, too (NULL: none). */
int rootfs_remove(int root, const char *path, const char *below);

/* Only if it is empty (-ENOTEMPTY). 0 also if there is none. */
int rootfs_remove_directory(int root, const char *path);

/* The directory at path and those below it, as far as they hold no file, and no more than depth levels down. No link is followed. */
void rootfs_prune(int root, const char *path, unsigned depth);

/* The directories above path that are not there, the topmost first; strv, owned by the caller. */
int rootfs_missing(int root, const char *path, char ***ret);

bool rootfs_exists(int root, const char *path);

/* What is there, links followed. */
int rootfs_stat(int root, const char *path, struct stat *ret);

/*
 * Names in a directory but "." and "..", in the order of their bytes, as runtimes and systemd read drop-ins ("10-a" before "9-b"); no
 * such directory is an empty list. -ENOTDIR.
 */
int rootfs_list(int root, const char *path, char ***ret);

#endif
