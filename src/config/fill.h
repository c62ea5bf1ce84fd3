/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_FILL_H
#define LARDER_CONFIG_FILL_H
/*
 * From checked documents to the structs of machine_config.h, with what concerns more than one value. Memory is the set's
 * pool, but for selectors, which machine_config_free() frees.
 */
#include "config/documents.h"
#include "config/machine_config.h"

int fill_machine_config(struct machine_config *c, struct document_set *set, struct diag *diag);

/* Parts of it. */
int fill_volume(struct machine_config *c, struct document_set *set, struct diag *diag);
int fill_layers(struct machine_config *c, struct document_set *set, struct diag *diag);
int fill_mirrors(struct machine_config *c, struct document_set *set, struct diag *diag);
int fill_access(struct machine_config *c, struct document_set *set, struct diag *diag);

/* Values at a path of a document; what is not there leaves *ret alone. root may be NULL. */
void fill_bool(const struct node *root, const char *path, bool *ret);
void fill_number(const struct node *root, const char *path, unsigned *ret);
int fill_text(struct pool *pool, const struct node *root, const char *path, char **ret);
int fill_strv(struct pool *pool, const struct node *root, const char *path, char ***ret);
struct origin fill_origin(const struct node *node);

/* The merged document's root; NULL: there is none. */
struct node *fill_root(const struct document_set *set, const char *kind, const char *name);

#endif
