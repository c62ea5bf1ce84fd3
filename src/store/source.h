/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_SOURCE_H
#define LARDER_STORE_SOURCE_H
/*
 * A source: one place that holds images, whichever way they lie in it. Kinds, one file each:
 *
 *	source_tree.c     a cache tree (store/tree.h)
 *	source_layout.c   an OCI image layout (OCI image specification, image-layout.md)
 *
 * and each in a directory or in a squashfs image (store/place.h). An image of a layout whose annotation is a full reference
 * has that name; one with a tag alone is "localhost/<name of the directory>:<tag>"; one without any name can be had from there by
 * its digest.
 *
 * Nothing here is verified: what a content holds must be hashed before anybody is given it. Threads may share a source.
 */
#include "store/digest.h"
#include "store/place.h"

struct source;

/*
 * A directory or a squashfs image. -EINVAL with diag: neither; -ENOENT: nothing is there. A directory that is neither tree nor
 * layout is an empty cache tree, which may be filled later.
 */
int source_open(const char *path, struct source **ret, struct diag *diag);

/* The same for what can only be a cache tree, whatever else lies in it. */
int source_open_tree(const char *path, struct source **ret, struct diag *diag);

/* Borrowed. */
struct place *source_place(struct source *source);

/* Which mount it is, in words that no other mount of this boot has; see place_set_mounted(). Before it is shared. */
void source_set_mounted(struct source *source, const char *words);

struct source *source_ref(struct source *source);
void source_unref(struct source *source);
DEFINE_CLEANUP(struct source *, source_unref);

/* What it was opened by. */
const char *source_path(const struct source *source);

/*
 * What a source has of something: stat_ finds out which bytes they are, open_ opens them. -ENOENT: it has none. A manifest is looked
 * for in its repository only; a blob belongs to all repositories.
 */
int source_stat_blob(struct source *source, const struct digest *digest, struct content_id *ret);
int source_open_blob(struct source *source, const struct digest *digest, struct content *ret);
int source_stat_manifest(struct source *source, const char *registry, const char *repository,
			 const struct digest *digest, struct content_id *ret);
int source_open_manifest(struct source *source, const char *registry, const char *repository,
			 const struct digest *digest, struct content *ret);

/* The manifest that a tag stands for. In a tree this is a file of its own, which may differ from what it should be. */
int source_stat_tag(struct source *source, const char *registry, const char *repository,
		    const char *tag, struct content_id *ret);
int source_open_tag(struct source *source, const char *registry, const char *repository,
		    const char *tag, struct content *ret);

/* Is there the directory that blobs are in? Without one nothing can be had from it. */
bool source_has_blobs(struct source *source);

bool source_has_repository(struct source *source, const char *registry, const char *repository);

/* A number that is another one as soon as a blob was added or removed. */
uint64_t source_stamp(struct source *source);

/* Sorted by their bytes, the caller's; NULL: none. */
int source_registries(struct source *source, char ***ret);
int source_tags(struct source *source, const char *registry, const char *repository, char ***ret);

/* Calls visit for every manifest of a repository; ends early with what it returns unless 0. */
typedef int (*source_manifest_fn)(const struct digest *digest, void *user);
int source_manifests(struct source *source, const char *registry, const char *repository,
		     source_manifest_fn visit, void *user);

/* Calls visit for every repository, sorted within a registry; ends early with what it returns unless 0. */
typedef int (*source_repository_fn)(const char *registry, const char *repository, void *user);
int source_repositories(struct source *source, source_repository_fn visit, void *user);

/* Calls visit for every blob with its size in bytes. */
typedef int (*source_blob_fn)(const struct digest *digest, uint64_t size, void *user);
int source_blobs(struct source *source, source_blob_fn visit, void *user);

#endif
