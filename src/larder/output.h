/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDER_OUTPUT_H
#define LARDER_LARDER_OUTPUT_H
/*
 * Results on standard output: tables for people, JSON and YAML for programs. Every command builds one JSON value; a
 * table shows a part of it.
 */
#include <jansson.h>

#include "larder/command.h"

/* Prints value as JSON (indented, keys in the order of insertion) or YAML. Returns an exit status. */
int output_value(const struct context *context, const json_t *value);

/* Control characters as \xNN, so that a name on a disk cannot draw on the terminal or forge a line. Returns how many bytes it wrote. */
int output_escaped(FILE *f, const char *text, size_t length);

/* The same for a command that looks for something wrong: its exit status is EXIT_FAILED unless good. */
int output_verdict(const struct context *context, const json_t *value, bool good);

/* A column of a table: heading, and the key of each row's object. Arrays are shown joined by commas, true and false as
 * yes and no, null and "" as "-". */
struct column {
	const char *heading;
	const char *key;
	bool right; /* numbers */
};

/* rows: array of objects. Control characters are shown escaped, so that no name can forge a line. */
int output_table(const json_t *rows, const struct column *columns, size_t n_columns);

/* JSON or YAML of value, or a table of rows, as context->output says. */
int output_rows(const struct context *context, const json_t *value, const json_t *rows,
		const struct column *columns, size_t n_columns);

#endif
