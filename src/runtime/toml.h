/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_TOML_H
#define LARDER_RUNTIME_TOML_H
/*
 * As much of TOML 1.0 as it takes to change a file of somebody else without rewriting it: where each statement of the
 * file begins and ends, and the full name of what it sets. Values are not interpreted but for strings and arrays of
 * strings.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

#define TOML_STATEMENTS_MAX 20000
#define TOML_DEPTH_MAX	    32

enum toml_kind {
	TOML_TABLE,	  /* [a.b] */
	TOML_ARRAY_TABLE, /* [[a.b]] */
	TOML_KEY,	  /* c.d = value: path is the table's and the key's */
};

struct toml_statement {
	enum toml_kind kind;
	char **path;		 /* strv */
	size_t start, end;	 /* offsets of the lines it takes; end is behind the newline */
	size_t value, value_end; /* TOML_KEY: offsets of the value */
	unsigned line;
};

struct toml_document {
	const char *text; /* the caller's */
	struct toml_statement *statements;
	size_t n_statements;
};

/* -EINVAL with line: this is no TOML, or something that this reader does not know. The text must outlive the result. */
int toml_scan(const char *text, struct toml_document *ret, struct diag *diag);
void toml_document_done(struct toml_document *d);
#define _cleanup_toml_ _cleanup_(toml_document_done)

/* Is path a, b, c (the names, ending with NULL)? toml_path_begins(): does it begin so? */
bool toml_path_is(char *const *path, ...) __attribute__((sentinel));
bool toml_path_begins(char *const *path, ...) __attribute__((sentinel));

/* The value of a key as a string, or as the strings of an array; -EINVAL: it is none. Owned by the caller. */
int toml_string(const struct toml_document *d, const struct toml_statement *key, char **ret);
int toml_strings(const struct toml_document *d, const struct toml_statement *key, char ***ret);

/* Reads one string that stands on one line, basic or literal; *at is on its quote and goes behind the other. */
int toml_read_string(const char **at, char **ret);

/* text as a basic string with its quotes; owned by the caller; NULL: out of memory. */
char *toml_quote(const char *text);

#endif
