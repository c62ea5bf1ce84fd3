/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_SOURCE_H
#define LARDER_LAYERS_SOURCE_H
/*
 * Where images come from: one function per kind of source, each of which finds the image's first manifest and adds it to the
 * contents. Registries and archives are carried by skopeo into a directory below work; everything else is read where it is.
 */
#include "layers/contents.h"
#include "layers/images_list.h"

struct source_options {
	const char *work; /* a directory for what skopeo brings; it lives until the build ends */
	bool insecure;	  /* registries by plain HTTP or without verified TLS */
	struct platform_choice choice;
	/* What is fetched from a registry or unpacked from an archive; total 0: not known. May be NULL. */
	void (*progress)(uint64_t done, uint64_t total, const char *what, void *user);
	void *user;
	unsigned serial; /* counts directories made below work */
};

int source_add(struct contents *c, const struct image_spec *spec, struct source_options *options,
	       struct diag *diag);

/* The parts, one file each. */
int source_add_oci(struct contents *c, const struct image_spec *spec,
		   struct source_options *options, struct diag *diag);
int source_add_tree(struct contents *c, const struct image_spec *spec,
		    struct source_options *options, struct diag *diag);
int source_add_layer(struct contents *c, const struct image_spec *spec,
		     struct source_options *options, struct diag *diag);
int source_add_skopeo(struct contents *c, const struct image_spec *spec,
		      struct source_options *options, struct diag *diag);

/* A new directory below work: its path, owned by the caller. */
int source_work_dir(struct source_options *options, char **ret);

/*
 * Directories that skopeo's "dir:" transport wrote (manifest.json and files named by their hex digest); the first one's
 * manifest.json is the image. The list ends with NULL.
 */
int source_add_dirs(struct contents *c, const char *const *dirs, const char *reference,
		    struct source_options *options, struct diag *diag);

/* base/name if it is a regular file there: owned by the caller. -ENOENT; -ELOOP: it is a symlink, or lies behind one. */
int source_find_file(const char *base, const char *name, char **ret);

#endif
