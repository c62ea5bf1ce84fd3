/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_CONTAINERD_IMPORTS_H
#define LARDER_RUNTIME_CONTAINERD_IMPORTS_H
/*
 * The files that a config.toml of containerd imports, and those import: imports = ["conf.d/a.toml", …], relative to the
 * directory of the file that says so, a pattern only in the last component. Each file is once. What an imported file says
 * counts after what the one says that imports it; containerd 1.x even takes a plugin's section of it in place of the whole
 * section of the other.
 */
#include "runtime/toml.h"

#define CONTAINERD_IMPORTS_MAX	     64
#define CONTAINERD_IMPORTS_DEPTH_MAX 8

struct containerd_imports {
	int root;
	/* A file that was read, in the order in which they count. */
	int (*take)(struct containerd_imports *i, const char *path, const struct toml_document *d);
	/* One that could not be: why. */
	int (*note)(struct containerd_imports *i, const char *path, const char *why);
	void *userdata;
	char **seen; /* strv: the files that were read */
};

/* Follows the imports of a document that stands at path. 0, -ENOMEM, or what take() and note() return. */
int containerd_imports_read(struct containerd_imports *i, const char *path,
			    const struct toml_document *d);
void containerd_imports_done(struct containerd_imports *i);

#endif
