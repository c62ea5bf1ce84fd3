/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_YAML_EDIT_H
#define LARDER_RUNTIME_YAML_EDIT_H
/*
 * Insertions into a YAML file of somebody else that leave every byte of it where it is: comments, quotes and order stay.
 * Positions come from the parsed nodes. Lines that are inserted end with YAML_EDIT_MARK; what goes into a line between
 * brackets cannot carry a comment.
 */
#include "config/node.h"
#include "runtime/marked.h"

#define YAML_EDIT_MARK MARK

struct yaml_insertion {
	size_t offset, replaced; /* how many bytes of the file the text stands for */
	char *text;
};

struct yaml_edit {
	const char *text; /* the file */
	struct yaml_insertion *insertions;
	size_t n_insertions;
};

/* items (scalars as they are to be written) become the first elements of a list. */
int yaml_edit_prepend(struct yaml_edit *e, const struct node *list, char *const *items);

/* A null, as the nothing in "key:", becomes value (in flow style, on one line). */
int yaml_edit_fill(struct yaml_edit *e, const struct node *nothing, const char *value);

/* "key: value" (value in flow style, on one line) becomes the first entry of a map. */
int yaml_edit_add(struct yaml_edit *e, const struct node *map, const char *key, const char *value);

/* The file with all insertions; owned by the caller; NULL: out of memory. */
char *yaml_edit_apply(struct yaml_edit *e);
void yaml_edit_done(struct yaml_edit *e);
#define _cleanup_yaml_edit_ _cleanup_(yaml_edit_done)

/* The file without what was inserted, and without marked blocks (runtime/marked.h): a plan_strip. */
int yaml_edit_strip(const char *text, const struct plan_base *base, char **ret, struct diag *diag);

/* A scalar in double quotes; owned by the caller; NULL: out of memory. */
char *yaml_quote(const char *text);

#endif
