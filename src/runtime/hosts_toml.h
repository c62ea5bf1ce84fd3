/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_HOSTS_TOML_H
#define LARDER_RUNTIME_HOSTS_TOML_H
/*
 * certs.d/<host>/hosts.toml, which containerd reads (docs/hosts.md there), and Docker from version 29: one directory per
 * registry, "_default" for all others. containerd asks the [host] tables in the order of the file, then "server", or the
 * registry itself where there is none. A directory of a registry's own hides "_default", so each gets the cache by itself.
 */
#include "runtime/plan.h"
#include "runtime/route.h"

#define HOSTS_TOML "hosts.toml"

#define HOSTS_TOML_DEFAULT_DIR "_default"

/* Plans every hosts.toml below certs_d ("/etc/containerd/certs.d"). -EINVAL with diag: a file of the user's cannot be merged. */
int hosts_toml_plan(struct runtime_plan *plan, size_t report, const char *certs_d,
		    struct diag *diag);

/* What the files say now: the hosts in their order, then the server or the registry itself. */
int hosts_toml_route(int root, const char *certs_d, const char *host, struct runtime_route *route,
		     struct diag *diag);

/* "*" → "_default", "h:5000" → "h_5000_"; owned by the caller. */
char *hosts_toml_directory(const char *host);

/*
 * text, the user's own hosts.toml, with the cache before its hosts. more (NULL or a block of tables) follows the cache. *ret
 * NULL: nothing to do, the cache is the first already.
 */
int hosts_toml_merge(const char *text, const char *block, char **ret, struct diag *diag);

#endif
