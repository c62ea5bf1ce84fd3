/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_RANCHER_VALUES_H
#define LARDER_RUNTIME_RANCHER_VALUES_H
/* Entries of a registries.yaml, each on one line in flow style (owned by the caller; NULL: out of memory), and what the user's are. */
#include "config/node.h"
#include "runtime/endpoints.h"
#include "runtime/yaml_edit.h"

/* The cache and the mirrors of the machine config, not quoted: strv. -ENOMEM. */
int rancher_endpoints(const struct machine_config *config, const char *host, char ***ret);

/* {endpoint: [the cache, mirrors…]} */
char *rancher_mirror_value(const struct machine_config *config, const char *host);

/* What is below "auth" or "tls": {…}; *ret is NULL if there is nothing. -ENOMEM. */
int rancher_access_part(const struct registry_access_config *a, const char *section, char **ret);

/* {auth: {…}, tls: {…}}; *secret becomes true if it holds credentials. */
char *rancher_access_value(const struct registry_access_config *a, bool *secret);

/* Do entries of other registries share this one, or its list, through an alias? */
bool rancher_is_shared(const struct node *mirrors, const struct node_pair *pair);

/* Do several registries have this entry, through an alias? */
bool rancher_is_aliased(const struct node *configs, const struct node *entry);

/* Is url in the user's list? */
bool rancher_names(const struct node *list, const char *url);

/* items (quoted) for an entry without endpoints: it is nothing, or has a list that is, or none (nothing NULL). As yaml_edit_add(). */
int rancher_add_endpoints(struct yaml_edit *edit, const struct node_pair *pair,
			  const struct node *nothing, char *const *items);

#endif
