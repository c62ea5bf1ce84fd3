/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_TREE_H
#define LARDER_STORE_TREE_H
/*
 * The cache tree: how images lie in a directory. Talos's layout, so its ISOs, caches and partitions work:
 *
 *	blob/sha256-<hex>                                      config and layer blobs
 *	manifests/<registry>/<repository>/digest/sha256-<hex>   manifests, byte for byte
 *	manifests/<registry>/<repository>/reference/<tag>       the manifest that the tag pointed to
 *
 * "host:port" is written "host_port_". The functions here know paths only; reading goes through store/source.h, writing
 * through store/ingest.h.
 */
#include <limits.h>
#include <stdbool.h>

#include "store/digest.h"

/* Paths relative to the tree's root. -ENAMETOOLONG, or -EINVAL if a part is not valid (store/reference.h). */
int tree_blob_path(const struct digest *d, char buffer[static PATH_MAX]);
int tree_manifest_path(const char *registry, const char *repository, const struct digest *d,
		       char buffer[static PATH_MAX]);
int tree_tag_path(const char *registry, const char *repository, const char *tag,
		  char buffer[static PATH_MAX]);

/* The directory name of a registry, and back. -EINVAL: not one. */
int tree_registry_to_dir(const char *registry, char buffer[static NAME_MAX + 1]);
int tree_registry_from_dir(const char *dir, char buffer[static NAME_MAX + 1]);

/*
 * Walks manifests/ and calls visit for every tag (tag set, digest NULL) and every manifest (tag NULL, digest set), sorted
 * by registry, repository, tags before manifests, then name. Names that are not valid are counted in *ret_skipped (may be NULL), never
 * visited. Symlinks are not followed. Ends early with what visit returns unless 0. A tree without manifests/ has none.
 * -E2BIG: more than TREE_ENTRIES_MAX names.
 */
typedef int (*tree_visit_fn)(const char *registry, const char *repository, const char *tag,
			     const struct digest *digest, void *user);
#define TREE_DEPTH_MAX	 32 /* components of a repository */
#define TREE_ENTRIES_MAX (1024 * 1024)
struct place;
int tree_walk_place(struct place *place, tree_visit_fn visit, void *user, unsigned *ret_skipped);

/* The same for a directory, whose descriptor is borrowed. */
int tree_walk_manifests(int tree, tree_visit_fn visit, void *user, unsigned *ret_skipped);

/* Is there a cache tree in this directory (blob/ or manifests/)? */
bool tree_is_there(int dir);

/* Is there an OCI image layout in this directory? It is no tree (source_layout.c). */
#define LAYOUT_MARKER_FILE "oci-layout"
bool layout_is_there(int dir);

#endif
