/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_JSON_FILE_H
#define LARDER_RUNTIME_JSON_FILE_H
/* Settings of somebody else in JSON: one object, which keeps the order of its keys and the depth of its indentation. */
#include <jansson.h>

#include "runtime/plan.h"

/* text NULL or white space: an empty object. -EINVAL with path, line and column. The caller's. */
int json_file_parse(const char *path, const char *text, json_t **ret, struct diag *diag);

/* Indented as like is (NULL: by four). The caller's. */
int json_file_dump(const json_t *root, const char *like, char **ret, struct diag *diag);

/*
 * A plan_strip: keys and items of lists that larder added go, and what it replaced comes back, each that was not changed since. Where
 * nothing else was changed, not even the white space is.
 */
int json_file_strip(const char *text, const struct plan_base *base, char **ret, struct diag *diag);

/* Is it laid out as larder writes it, with the cache before all else in a list? Then nobody else wrote it, as a rule. */
bool json_file_is_ours(const char *text);

#endif
