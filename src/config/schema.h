/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_SCHEMA_H
#define LARDER_CONFIG_SCHEMA_H
/*
 * What a document may hold, as data: one row for each key with its type, limits and default. The same rows check a
 * document, describe it ("config show") and redact its secrets.
 *
 *	static const struct key volume_keys[] = {
 *		{ "name", VALUE_TEXT },
 *		{ "provisioning", VALUE_MAP, .keys = provisioning_keys },
 *		{ 0 },
 *	};
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "config/node.h"

enum value_type {
	VALUE_TEXT = 1,
	VALUE_BOOL,
	VALUE_NUMBER, /* unsigned, between min and max */
	VALUE_SIZE,
	VALUE_RELATIVE_SIZE, /* also a share or a negative size */
	VALUE_DURATION,
	VALUE_DISK_SELECTOR,
	VALUE_VOLUME_SELECTOR,
	VALUE_MAP,   /* the keys listed */
	VALUE_NAMED, /* a map whose keys are names (hosts); each value as item says */
	VALUE_LIST,  /* each element as item says */
};

struct key {
	const char *name; /* NULL: the last row, or the row of an item */
	enum value_type type;
	const struct key *keys; /* VALUE_MAP; ends with a row without a type */
	const struct key *item; /* VALUE_NAMED, VALUE_LIST */
	const char *const *
		foreign; /* VALUE_MAP: others may own more keys here; these are known. Ends with NULL. */
	const char *const *choices; /* VALUE_TEXT: one of these; ends with NULL */
	int (*check)(const char *text, struct diag *diag); /* VALUE_TEXT: -EINVAL with a message */
	int (*check_name)(const char *text, struct diag *diag); /* VALUE_NAMED: the names */
	const char *fallback; /* the default as shown; NULL: none */
	uint64_t min, max;    /* VALUE_NUMBER; in a list or text: lengths, max 0 for no limit */
	bool required;	      /* once everything is merged */
	bool secret;
	bool ignored; /* known to Talos, means nothing here: any value */
	const char *
		refused; /* known to Talos, and larder cannot do it: why, and what to write instead */
};

/* Where in a document a value is: "provisioning.minSize". Frames on the stack of who walks. */
struct trail {
	const struct trail *up; /* NULL: the document */
	const char *name;	/* NULL: element index of a list */
	size_t index;
};

/* Owned by the caller; "" for the document itself; NULL: out of memory. */
char *trail_text(const struct trail *trail);

/* Checks one document by itself. document names it in messages. -EINVAL with position. */
int schema_check(const struct node *root, const struct key *row, const char *document,
		 struct diag *diag);

/* Checks that what is required is there in a merged document. */
int schema_check_complete(const struct node *root, const struct key *row, const char *document,
			  struct diag *diag);

const struct key *schema_row(const struct key *rows, const char *name);

/* Plain true, false, yes, no, on, off as YAML knows them. */
bool schema_bool(const struct node *node, bool *ret);

/* Compiles a selector; errors get the place in the file. */
struct selector;
int schema_selector(const struct node *scalar, enum value_type type, struct selector **ret,
		    struct diag *diag);

#endif
