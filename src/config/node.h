/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_NODE_H
#define LARDER_CONFIG_NODE_H
/*
 * A YAML document as a tree of nodes that know where they stand. Aliases share their node, so the tree is a graph
 * without cycles; nothing changes a node once it is made. Merging makes new maps over old nodes: every value keeps
 * the place where it was written.
 *
 * Of YAML 1.1 and 1.2 this takes what configuration needs: maps whose keys are scalars, lists, scalars, anchors,
 * "<<". Tags other than those of the core schema are refused.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/diag.h"
#include "config/pool.h"

#define CONFIG_ANCHORS_MAX 256	/* in one document */
#define CONFIG_KEYS_MAX	   4096 /* in one map */
#define CONFIG_MESSAGE_MAX 1000 /* bytes of an error, which may quote a value */

struct config_file {
	const char *path; /* as shown to people */
	const char *text; /* NUL-terminated */
	size_t size;
	mode_t mode;
};

enum node_kind {
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAP,
};

struct node_pair {
	struct node *key; /* a scalar */
	struct node *value;
};

struct node {
	enum node_kind kind;
	bool plain; /* a scalar without quotes or block style: may be a number, true, null */
	const struct config_file *file;
	unsigned line, column;	 /* from 1; columns are code points */
	const char *text;	 /* NODE_SCALAR */
	size_t n;		 /* items or pairs */
	struct node **items;	 /* NODE_LIST */
	struct node_pair *pairs; /* NODE_MAP */
	unsigned height;	 /* 1 for a scalar */
	uint64_t weight;	 /* nodes below and itself, aliases followed */
};

/*
 * Parses every document of a file. *nodes counts what was read so far, over all files, aliases followed. Results belong
 * to the pool. -EINVAL with position: no YAML, a duplicate key, or one of the limits.
 */
int node_parse(struct pool *pool, const struct config_file *file, uint64_t *nodes,
	       struct node ***ret_documents, size_t *ret_n, struct diag *diag);

/* Is it absent, or a plain scalar that means "nothing" ("", ~, null)? */
bool node_is_null(const struct node *node);

/* The value of a map's key; NULL: none, or node is no map. Without a copy of the key. */
struct node *node_get(const struct node *map, const char *key);

/* The value at a path of keys, "provisioning.diskSelector.match"; NULL: none, or null. */
struct node *node_find(const struct node *root, const char *path);

/* base with over laid on it: maps merge, everything else of over replaces. NULL: out of memory. */
struct node *node_merge(struct pool *pool, struct node *base, struct node *over);

/* "map", "list", "text" for messages. */
const char *node_kind_name(const struct node *node);

/* What a file says must not be able to forge lines of a log: control characters become "?". NULL is fine. */
void node_clean(char *message);

/* Sets diag to the formatted message at node's place; returns -EINVAL. */
int node_error(const struct node *node, struct diag *diag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Where in the file the character at (line, column) of a scalar's text stands: through quotes, block and folded styles.
 * What cannot be followed (an escape other than \" and \\) gives the beginning of the scalar.
 */
void node_text_position(const struct node *scalar, unsigned line, unsigned column,
			unsigned *ret_line, unsigned *ret_column);

#endif
