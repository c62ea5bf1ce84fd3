/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDER_NEEDS_COMMON_H
#define LARDER_LARDER_NEEDS_COMMON_H
/* What "images default" and "images missing" share: the options that say how needs are read. */
#include <jansson.h>

#include "larder/command.h"
#include "needs/needs.h"

extern const struct command_option needs_command_options[]; /* ends with name NULL */

/* Options without arguments; an exit status, or COMMAND_OPTIONS_END: go on, *ret is filled. */
int needs_parse_options(struct context *context, const struct command *self, int argc, char *argv[],
			struct needs_options *ret);

/* Reads what this machine needs; notes go to standard error, one line each. 0 or as needs_read(). */
int needs_read_noted(const struct needs_options *options, struct needs *ret, struct diag *diag);

/* [{"who", "file"}] of the needs with the same reference as the first; *ret_next is the next other one. NULL: out of memory. */
json_t *needs_json(const struct needs *needs, size_t first, size_t *ret_next);

#endif
