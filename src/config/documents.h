/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_DOCUMENTS_H
#define LARDER_CONFIG_DOCUMENTS_H
/*
 * The documents of all files, each kind and name once, merged in the order of the files, and what was noticed on
 * the way. What the machine config keeps behind its pointers.
 */
#include <stdarg.h>

#include "config/kinds.h"
#include "config/node.h"

struct document {
	const struct document_kind *kind;
	const char *name;	 /* NULL: the kind has no names */
	const char *label;	 /* "VolumeConfig IMAGECACHE" */
	const struct node *last; /* the document that was merged last */
	struct node *root;
};

struct document_set {
	struct pool pool;
	struct document *documents;
	size_t n_documents;
	uint64_t nodes;
	char **notes; /* strv */
	char **files; /* strv: that were read, in their order */
	bool found;
};

/* Parses, checks and merges one file. text is taken over by copy. -EINVAL with position. */
int documents_add_file(struct document_set *set, const char *path, const char *text, size_t size,
		       mode_t mode, struct diag *diag);

/* Once all files are in: is what is required there? */
int documents_check_complete(const struct document_set *set, struct diag *diag);

/* The document of that kind (and name, if not NULL); NULL: there is none. */
const struct document *documents_find(const struct document_set *set, const char *kind,
				      const char *name);

/* Adds a note; a position is taken from node unless that is NULL. */
int documents_note(struct document_set *set, const struct node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void documents_done(struct document_set *set);

#endif
