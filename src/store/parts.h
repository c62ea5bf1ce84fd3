/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_PARTS_H
#define LARDER_STORE_PARTS_H
/*
 * What a generation is made of: RUN/gen/N.list, written by larder-boot before it publishes the generation, read by larderd. One line
 * for each part, the first on top:
 *
 *	LAYER-ID DEVICE INODE SIZE CHANGE DISK NAME PATH
 *
 *	PATH      where a layer is mounted (RUN/layers/k8s-1.34.2-8d3f0a61); or, ending in ".sqsh", the link to the file of a layer that
 *	          could not be mounted and is read in place; or a medium's cache tree, and then the fields before it, but for DISK, are "-"
 *	DISK      which disk or medium it lies on (base/disk_sequence.h); 0: not known
 *	LAYER-ID  digest of the layer manifest; NAME: the layer's, and that of its manifest's file
 *	the rest  identity of the layer's file when it was activated; change is its ctime in ns
 *
 * Beside every mounted layer lies RUN/layers/….sqsh, a symlink to its file. A line that begins with "+" is a spare: the link to another
 * copy of an active layer, with the same layer manifest, say on a medium. It is asked when all others have proved wrong.
 *
 * Identities. What a content of a layer is known by is its inode in the image, and the identity of the layer's file together with the
 * digest of its layer manifest and its disk. So a layer that stays in the next generation is not hashed again, whether it is reached through the
 * overlay, its own mount, or its file; and nothing that was found out about one image can count for another: the file differs,
 * or its ctime does. An overlay gives the files of each lower file system a device number or high inode bits of their own (the kernel's
 * Documentation/filesystems/overlayfs.rst, "Inode properties"); which of them stands for which layer is learnt from the layer manifests,
 * whose names no two active layers share. What cannot be told keeps the identity that the overlay gives it, with the generation's name.
 *
 * Changes. A file that is written to while it is mounted shows old bytes where the kernel has them in memory (files, blocks and
 * tables, which only an unmount drops: POSIX_FADV_DONTNEED does not reach all of them) and new ones elsewhere. So such a mount is not
 * asked any more. The generation is taken apart: its layers are asked one by one, and the file that changed is read in place, where what
 * is read are the bytes of now; and since its ctime is another one, all of it is verified anew. It counts only while its layer manifest is
 * still the one that was activated, so that nobody gets another layer past the choice of larder-boot. A file that was renamed, replaced or
 * deleted is another matter: the mount holds the old one, and goes on.
 */
#include <sys/stat.h>

#include "store/digest.h"
#include "store/source.h"

#define PARTS_MAX	1024
#define PART_NAME_MAX	255
#define PARTS_BYTES_MAX (4U << 20) /* of the list */

/* Identity of a file, as struct content_id has it. */
struct part_file {
	uint64_t device, inode, size;
	int64_t change;
};

struct part {
	char *path;
	char *name;	  /* of the layer; NULL: a cache tree */
	struct digest id; /* of the layer manifest; DIGEST_NONE: a cache tree */
	struct part_file file;
	uint64_t disk;
	bool spare;
};

void part_file_set(struct part_file *file, const struct stat *st);

/* Is it read in place? */
bool part_in_place(const struct part *part);

/* The list as text, the caller's. NULL: out of memory. */
char *parts_format(const struct part *list, size_t n, size_t *ret_size);

struct parts;

/*
 * Of RUN/GENERATION (what RUN/cache leads to), read and looked at. -ENOENT: there is no list, as where somebody mounted things by
 * hand; -EINVAL: it is none.
 */
int parts_read(const char *run_dir, const char *generation, struct parts **ret);

struct parts *parts_ref(struct parts *parts);
void parts_unref(struct parts *parts);
DEFINE_CLEANUP(struct parts *, parts_unref);

/* Is this still what RUN/GENERATION is? */
bool parts_is(const struct parts *parts, const char *generation);

/*
 * Looks at every file: one stat(2) each. To be called by one thread at a time. *ret_stamp is another number when something is
 * different from before.
 */
void parts_look(struct parts *parts, uint64_t *ret_stamp);

/* Can the generation's overlay be asked: is there one, and is every layer in it what it was? */
bool parts_are_merged(struct parts *parts);

/* For the contents of the overlay, which must not outlive parts. */
void parts_identify_overlay(const struct parts *parts, struct place *overlay);

/* With the spares, which come last. */
size_t parts_count(const struct parts *parts);
bool parts_is_spare(const struct parts *parts, size_t i);

/*
 * One part by itself, which must not outlive parts. -ENOENT: it cannot be used now. Any thread.
 */
int parts_open(struct parts *parts, size_t i, struct source **ret);

/* Is the layer's file that this content is in unchanged? Asks the file system. True for what is in no layer. Any thread. */
bool parts_hold(const struct parts *parts, const struct content_id *id);

/* The file of the layer that this content is in, for a message; the caller's. NULL: it is in none. Any thread. */
char *parts_file(const struct parts *parts, const struct content_id *id);

/* Calls tell for each thing that happened to a part since it was last called, in words for the journal. */
void parts_news(struct parts *parts, void (*tell)(const char *text, void *user), void *user);

#endif
