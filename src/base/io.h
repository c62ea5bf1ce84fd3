/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BASE_IO_H
#define LARDER_BASE_IO_H
/*
 * Files: reading with a limit, durable writing, directories. All descriptors are close-on-exec. Paths are
 * relative to a directory descriptor (AT_FDCWD is one). Every function returns 0 or a negative errno.
 */
#include <aio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/cleanup.h"

/*
 * Reads a whole regular file, or a pseudo file that claims no size. *ret is NUL-terminated (the NUL does not
 * count in *ret_size) and owned by the caller; ret_size may be NULL. -EFBIG: more than max bytes.
 */
int read_file_at(int dir, const char *path, size_t max, char **ret, size_t *ret_size);

/*
 * The same of what may be anything, as in a directory that others write to: only a regular file, and nothing is waited for. -EISDIR: it
 * is none.
 */
int read_regular_at(int dir, const char *path, size_t max, char **ret, size_t *ret_size);

/* As read_file_at(), for what an open descriptor holds from its current offset. */
int read_fd(int fd, size_t max, char **ret, size_t *ret_size);

/* pread() until size bytes are there. -ENODATA: the file ends before. */
int pread_exact(int fd, void *buffer, size_t size, uint64_t offset);

/* write()/pwrite() until everything is written. */
int write_exact(int fd, const void *data, size_t size);
int pwrite_exact(int fd, const void *data, size_t size, uint64_t offset);

/*
 * A long file, written from front to back, beside what makes it, and not read again soon: past the page cache where its filesystem can do
 * that, so that nothing else is pushed out, no processor time goes into a copy, and an fsync at the end has little to wait for. Elsewhere
 * it is handed to the disk while more is being written. Each piece but the last lies at a multiple of LONG_WRITE_ALIGNMENT in memory and
 * has such a size. A piece is read until the next call; its error is that call's.
 */
#define LONG_WRITE_ALIGNMENT 4096
struct long_write {
	int fd; /* borrowed */
	bool direct, pending;
	uint64_t at; /* bytes from the start: where the pending piece goes, else the next */
	uint64_t handed;
	struct aiocb piece;
};
void long_write_begin(struct long_write *w, int fd, uint64_t at);
int long_write(struct long_write *w, const void *data, size_t size);
/* Waits for the last piece. Also before a piece is freed or fd is closed; after an error, and again, it does nothing. */
int long_write_end(struct long_write *w);

/*
 * The one durable write: temporary file beside the target, write, fsync, rename over the target, fsync of
 * the directory. After a power cut the file has its old content or the new one.
 */
int write_file_durable_at(int dir, const char *path, const void *data, size_t size, mode_t mode);

/* The same without fsync of the directory: whole, the old or the new, but which one is open until that is done. */
int write_file_synced_at(int dir, const char *path, const void *data, size_t size, mode_t mode);

/* The same without any fsync, for /run: readers see the old content or the new one. */
int write_file_atomic_at(int dir, const char *path, const void *data, size_t size, mode_t mode);

/* A symlink that is created or replaced in one step. */
int symlink_atomic_at(const char *target, int dir, const char *path);

/* The next entry of a directory. NULL: there is none, and errno is 0, or says why that cannot be read. */
struct dirent *next_entry(DIR *d);

/*
 * Removes from a directory what those above left of this file when they were killed (name ""; of any file). Only where nobody
 * else is writing it.
 */
void remove_temporaries_at(int dir, const char *path, const char *name);

/* mkdir -p; existing directories keep their mode. mkdir_parents_at() leaves the last component out. */
int mkdir_all_at(int dir, const char *path, mode_t mode);
int mkdir_parents_at(int dir, const char *path, mode_t mode);

/* fsync of the directory that holds path: what makes a rename durable. */
int fsync_parent_at(int dir, const char *path);

/*
 * Opens below dir, and never leaves it: no symlink is followed, ".." and absolute paths are refused
 * (openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS). -EXDEV or -ELOOP: the path would have left it.
 * Adds O_CLOEXEC. Returns the descriptor or a negative errno.
 */
int open_beneath(int dir, const char *path, int flags);

/*
 * Opens as a process would whose root dir is: links are followed, absolute ones too, and neither they nor ".." leave it
 * (openat2 with RESOLVE_IN_ROOT). Adds O_CLOEXEC. Returns the descriptor or a negative errno.
 */
int open_in_root(int dir, const char *path, int flags);

/* The same below the directory root; NULL, "" or "/": as open(2). */
int open_rooted(const char *root, const char *path, int flags);

/* A directory, to be listed. flags: O_NOFOLLOW or 0. NULL with errno. */
DIR *opendir_at(int dir, const char *path, int flags);

/* Deletes a file or a directory with all it holds; stays on one file system; 0 if there is nothing. */
int remove_tree_at(int dir, const char *path);

/* root + path with exactly one slash between; root NULL or "/" means path itself. NULL: out of memory. */
char *path_join(const char *root, const char *path);

/* Waits for an exclusive flock(2) on fd, which ends with it. -ETIMEDOUT: somebody else still holds it after ms. */
int lock_within(int fd, unsigned ms);

#endif
