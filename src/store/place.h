/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_PLACE_H
#define LARDER_STORE_PLACE_H
/*
 * A place: a read-only hierarchy of files that is either a directory or a squashfs image (read here, without mounting
 * it; one that was written to is opened anew, and what was open in it before cannot be read any more: -EAGAIN). Paths are relative, without "." and ".."; no symlink is followed and nothing outside is reached. A place may be
 * used by several threads at once; it is shared, so it counts its owners.
 *
 * A content is one regular file of a place, open. Where its bytes lie in one piece in a file that the kernel can read (always
 * in a directory; in an image if the blocks are stored as they are), fd and offset say where, fit for sendfile(2);
 * else fd is -1 and content_read() is the way.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/diag.h"

/*
 * Which bytes these are: the same as long as nobody wrote to the file. A plain value without padding; memcmp and hashing
 * of it work. For a file in an image, device and image say which image.
 */
struct content_id {
	uint64_t device;
	uint64_t image;	  /* inode of the image file; 0: not in an image */
	uint64_t mounted; /* place_set_mounted() */
	uint64_t inode;
	uint64_t size;	/* bytes */
	int64_t change; /* ctime of the file, or of the image that it is in; ns */
};

struct place;

struct content {
	struct content_id id; /* id.size: bytes of the content */
	int fd;		      /* -1: not in one piece */
	uint64_t offset;
	struct place
		*place; /* an owner of it, if fd is the image's or -1; else NULL and fd is owned */
	void *file;	/* what the image needs to read it when fd is -1; owned */
};
#define CONTENT_INIT ((struct content){ .fd = -1 })

/* Both take fd in any case. An image: -EINVAL with diag if it is none. */
int place_new_directory(int fd, struct place **ret);
int place_new_image(int fd, struct place **ret, struct diag *diag);

/*
 * Says which mount a directory is. The kernel gives device numbers of unmounted filesystems to the next ones, and read-only
 * images give the same inodes and times again: without this, another image in the same place would pass for the one that was
 * verified.
 */
void place_set_mounted(struct place *place, uint64_t mounted);

/* What knows better which bytes these are (store/parts.h) may write another identity over the one that was found. user is borrowed. */
typedef void (*place_identify_fn)(const void *user, struct content_id *id);
void place_set_identify(struct place *place, place_identify_fn identify, const void *user);

struct place *place_ref(struct place *place);
void place_unref(struct place *place);
DEFINE_CLEANUP(struct place *, place_unref);

/* -ENOENT: there is no regular file of this name (a directory or symlink counts as none). */
int place_stat(struct place *place, const char *path, struct content_id *ret);
int place_open(struct place *place, const char *path, struct content *ret);

/* Is there a directory of this name? */
bool place_has_directory(struct place *place, const char *path);

/* A number that changes whenever a name is added to or removed from this directory; 0 if it is not there. */
uint64_t place_stamp(struct place *place, const char *path);

/*
 * Calls visit for every entry of a directory, in no order; ends early with what visit returns unless 0. -ENOENT: no such directory.
 * At most PLACE_ENTRIES_MAX entries are looked at; more is -E2BIG. -ENOTUNIQ: an image has an entry called "." or "..".
 */
#define PLACE_ENTRIES_MAX 1000000
typedef int (*place_visit_fn)(const char *name, bool directory, void *user);
int place_list(struct place *place, const char *path, place_visit_fn visit, void *user);

/* The same for entries of every kind (symlinks, devices, …), with their type (S_IFMT of st_mode). "" is the root. */
typedef int (*place_visit_any_fn)(const char *name, mode_t type, void *user);
int place_list_any(struct place *place, const char *path, place_visit_any_fn visit, void *user);

/* The names of the files, or of the directories, in a directory, sorted by their bytes; an empty list if it is not there. */
int place_names(struct place *place, const char *path, bool directories, char ***ret);

/* As pread(2), but the negative errno is returned. Fewer bytes than asked for are no error. */
ssize_t content_read(const struct content *content, void *buffer, size_t size, uint64_t offset);

/* The same for all of size bytes. -ENODATA: it ends before. */
int content_read_exact(const struct content *content, void *buffer, size_t size, uint64_t offset);

/* All of it; *ret is NUL-terminated and the caller's. -EFBIG: more than max bytes; -ENODATA: it ends early. */
int content_read_all(const struct content *content, size_t max, char **ret, size_t *ret_size);

/*
 * Are its bytes still those that had its identity? One fstat(2) of its file, or of the image that it is in. A file that was deleted
 * or replaced by rename holds. True in a layer that is mounted, of whose file nothing can be told from here: parts_hold() does.
 *
 * It is as good as the ctime. A write(2) is seen at once, unless it falls into the same tick of the file system's clock as the change
 * before; what is written through a shared mapping may be seen only once the kernel has taken note of the dirty page, at the latest when
 * it writes it back.
 */
bool content_holds(const struct content *content);

/* Another owner of the same content. */
int content_copy(const struct content *content, struct content *ret);
void content_done(struct content *content);
#define _cleanup_content_ _cleanup_(content_done)

#endif
