/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_RANCHER_VALUES_H
#define LARDER_RUNTIME_RANCHER_VALUES_H
/* Entries of a registries.yaml, each on one line in flow style; owned by the caller; NULL: out of memory. */
#include "runtime/endpoints.h"

/* The cache and the mirrors of the machine config, not quoted: strv. -ENOMEM. */
int rancher_endpoints(const struct machine_config *config, const char *host, char ***ret);

/* {endpoint: [the cache, mirrors…]} */
char *rancher_mirror_value(const struct machine_config *config, const char *host);

/* What is below "auth" or "tls": {…}; *ret is NULL if there is nothing. -ENOMEM. */
int rancher_access_part(const struct registry_access_config *a, const char *section, char **ret);

/* {auth: {…}, tls: {…}}; *secret becomes true if it holds credentials. */
char *rancher_access_value(const struct registry_access_config *a, bool *secret);

#endif
