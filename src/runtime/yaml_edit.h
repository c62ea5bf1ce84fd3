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

/* text (taken; NULL is "out of memory") instead of length bytes at offset. */
int yaml_edit_replace(struct yaml_edit *e, size_t offset, size_t length, char *text);

/*
 * Where the "null" or "~" of a file stands that says nothing; *ret_length 0: it holds comments at most. -EINVAL: more than one
 * document, or a null with a tag or an anchor.
 */
int yaml_edit_nothing(const char *text, size_t *ret_offset, size_t *ret_length);

/* A null, as the nothing in "key:", becomes value (in flow style, on one line). */
int yaml_edit_fill(struct yaml_edit *e, const struct node *nothing, const char *value);

/* "key: value" (value in flow style, on one line) becomes the first entry of a map. */
int yaml_edit_add(struct yaml_edit *e, const struct node *map, const char *key, const char *value);

/* Do the keys of a map stand at the beginning of lines, so that more of them can follow in lines of their own? */
bool yaml_edit_is_block(const struct yaml_edit *e, const struct node *map);

/* Where such lines go: before the sign that ends the document of root (NULL: an empty one), or at the end of the text. */
size_t yaml_edit_end(const char *text, const struct node *root);

/* The file with all insertions; owned by the caller; NULL: out of memory. */
char *yaml_edit_apply(struct yaml_edit *e);
void yaml_edit_done(struct yaml_edit *e);
#define _cleanup_yaml_edit_ _cleanup_(yaml_edit_done)

/* The file without what was inserted, and without marked blocks (runtime/marked.h): a plan_strip. */
int yaml_edit_strip(const char *text, const struct plan_base *base, char **ret, struct diag *diag);

/* A scalar in double quotes; owned by the caller; NULL: out of memory. */
char *yaml_quote(const char *text);

#endif
