/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_NEEDS_COLLECT_H
#define LARDER_NEEDS_COLLECT_H
/*
 * What the readers of this module share: one collector that takes images and notes, and reads files below the root. Every
 * function returns 0 or -ENOMEM; what is wrong with a file or a name becomes a note.
 */
#include "config/node.h"
#include "needs/needs.h"
#include "runtime/rootfs.h"
#include "runtime/toml.h"

struct collector {
	const struct needs_options *options;
	int root; /* descriptor */
	struct needs needs;
	size_t left_out;   /* images beyond NEEDS_MAX */
	size_t unsaid;	   /* notes beyond NEEDS_NOTES_MAX */
	struct diag *diag; /* of the caller; set for what an option names and is not there */
};

/*
 * An image as somebody wrote it in file. Names without a registry are docker.io's, as for containerd and Docker. A name that
 * cannot be known, that no registry has or that is no reference becomes a note.
 */
int collect_image(struct collector *c, const char *who, const char *file, const char *text);

int collect_note(struct collector *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The text of a file, links followed. No such file: text NULL. Cannot be read, or holds a NUL: text NULL and a note. */
int collect_read(struct collector *c, const char *path, struct rootfs_file *ret);

/* The same for what a directory names: that it leads nowhere is a note, too. */
int collect_read_listed(struct collector *c, const char *path, struct rootfs_file *ret);

/* The documents of the text of path, in pool. File without text: none. No YAML: none, and a note. */
int collect_yaml(struct collector *c, const char *path, const struct rootfs_file *file,
		 struct pool *pool, struct node ***ret, size_t *ret_n);

/*
 * Reads a file as collect_read() does, and its statements, which need *file as long as they are used; both are the caller's. No TOML:
 * text NULL, and a note.
 */
int collect_toml(struct collector *c, const char *path, struct rootfs_file *file,
		 struct toml_document *ret);

/* The text of a scalar that is not empty; else NULL. */
const char *collect_text(const struct node *node);

/* Names in a directory, in the order of their bytes, at most NEEDS_FILES_MAX; there is no directory: none. strv. */
int collect_list(struct collector *c, const char *path, char ***ret);

/* The first of the paths (ends with NULL) that is there; NULL: none is. */
const char *collect_first(const struct collector *c, const char *const *paths);

/*
 * Runs a program of the system that is looked at and gives its standard output, owned by the caller. *ret NULL: it could not
 * be run, or may not be because the root is another system's; then there is a note, which begins with what. argv[0] is a path.
 */
int collect_run(struct collector *c, const char *what, const char *const argv[], char **ret);

/* The readers: one kind of source each. */
int read_containerd(struct collector *c);
int read_crio(struct collector *c);
int read_podman(struct collector *c);
int read_static_pods(struct collector *c);
int read_kubeadm(struct collector *c);
int read_rancher(struct collector *c);
int read_quadlets(struct collector *c);
int read_services(struct collector *c);

#endif
