/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_SOURCE_KIND_H
#define LARDER_STORE_SOURCE_KIND_H
/* Inside of store/source: what each kind of source can do. A path function writes the path of a file in the place. */
#include <limits.h>

#include "store/source.h"

struct source_kind {
	int (*blob_path)(struct source *source, const struct digest *digest,
			 char path[static PATH_MAX]);
	int (*manifest_path)(struct source *source, const char *registry, const char *repository,
			     const struct digest *digest, char path[static PATH_MAX]);
	int (*tag_path)(struct source *source, const char *registry, const char *repository,
			const char *tag, char path[static PATH_MAX]);
	bool (*has_repository)(struct source *source, const char *registry, const char *repository);
	int (*registries)(struct source *source, char ***ret);
	int (*tags)(struct source *source, const char *registry, const char *repository,
		    char ***ret);
	int (*manifests)(struct source *source, const char *registry, const char *repository,
			 source_manifest_fn visit, void *user);
	int (*repositories)(struct source *source, source_repository_fn visit, void *user);
	const char *blob_directory;
	bool blob_names_are_hex; /* "<hex>" below the directory of its algorithm, else "sha256-<hex>" */
	void (*free)(struct source *source);
};

struct source {
	const struct source_kind *kind;
	unsigned owners; /* atomic */
	char *path;
	struct place *place;
};

/* Both take place in any case. */
int source_new_tree(struct place *place, struct source **ret);
int source_new_layout(struct place *place, const char *name, struct source **ret,
		      struct diag *diag);

#endif
