/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BASE_DIAG_H
#define LARDER_BASE_DIAG_H
/*
 * A diagnosis: why something was refused or failed, for a person. The one error object of larder: a
 * function that may have to explain itself takes a "struct diag *" (NULL: the caller does not care),
 * fills it on failure and returns a negative errno; on success the diag is untouched.
 *
 *	struct diag d = DIAG_INIT;
 *	r = config_load(…, &d);
 *	if (r < 0)
 *		log_error("%s", diag_text(&d));
 *	diag_done(&d);
 *
 * Line and column count from 1; 0 means that there is none. Columns are code points, not bytes.
 */
#include <stdarg.h>

#include "base/cleanup.h"

struct diag {
	char *source; /* file name or "selector of VolumeConfig IMAGECACHE"; NULL: none */
	unsigned line;
	unsigned column;
	char *message; /* one sentence, no newline at the end */
	char *excerpt; /* the offending line and below it a caret; NULL: none */
	char *text;    /* what diag_text() returned last */
};

#define DIAG_INIT ((struct diag){ 0 })

/*
 * Replace what d says. Both return err (a negative errno), so that "return diag_set(d, -EINVAL, …)" reads
 * as one thing. A diag is overwritten by the outer caller only to add context: see diag_prefix().
 */
int diag_set(struct diag *d, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int diag_set_at(struct diag *d, int err, const char *source, unsigned line, unsigned column,
		const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Sets the excerpt: the given line of text (lines end at '\n'), and a caret under column. */
void diag_set_excerpt(struct diag *d, const char *text, unsigned line, unsigned column);

/* Puts "<formatted>: " before the message; what was empty becomes strerror(err). Returns err. */
int diag_prefix(struct diag *d, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "source:line:column: message", and the excerpt on lines of its own. Owned by d, valid until the next
 * call with d. Never NULL. */
const char *diag_text(struct diag *d);

/* Frees what d holds and makes it empty. */
void diag_done(struct diag *d);

#define _cleanup_diag_ _cleanup_(diag_done)

#endif
