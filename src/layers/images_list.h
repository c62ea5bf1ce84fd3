/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_IMAGES_LIST_H
#define LARDER_LAYERS_IMAGES_LIST_H
/*
 * The list that "larder build --images" reads: one image a line, "#" begins a comment.
 *
 *	registry.k8s.io/pause:3.10            from its registry
 *	ghcr.io/acme/app:1=oci:build/app:v1   the image called "v1" in an OCI layout, under this name
 *	busybox=docker-archive:busybox.tar
 *	oci:mirror                            all images of the layout that say their own full name
 *	tree:/srv/imagecache                  all images of a cache tree (a Talos flat cache is one)
 *	layer:old.sqsh                        all images of another layer
 */
#include <stddef.h>

#include "base/diag.h"

#define IMAGES_LIST_BYTES_MAX (4 * 1024 * 1024)
#define IMAGES_LIST_LINES_MAX 10000

enum source_kind {
	SOURCE_REGISTRY,
	SOURCE_OCI,
	SOURCE_OCI_ARCHIVE,
	SOURCE_DOCKER_ARCHIVE,
	SOURCE_DIR, /* a directory of skopeo's "dir:" */
	SOURCE_TREE,
	SOURCE_LAYER,
};

struct image_spec {
	char *reference; /* canonical; NULL: whatever the source says */
	enum source_kind kind;
	char *path; /* file or directory; SOURCE_REGISTRY: the reference to fetch */
	char *name; /* after the path's colon; NULL: none */
	unsigned line;
};

struct images_list {
	struct image_spec *specs;
	size_t n_specs;
};

/* -EINVAL with source (may be NULL), line and message. An empty list is -EINVAL as well. */
int images_list_parse(const char *text, size_t size, const char *source, struct images_list *ret,
		      struct diag *diag);
void images_list_done(struct images_list *list);
#define _cleanup_images_list_ _cleanup_(images_list_done)

/* "oci:", … for messages. */
const char *source_kind_prefix(enum source_kind kind);

#endif
