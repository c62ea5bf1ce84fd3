/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_ENDPOINTS_H
#define LARDER_RUNTIME_ENDPOINTS_H
/*
 * Where a runtime shall look for the images of a registry, in order: larder's cache, the mirrors of the machine config,
 * the registry itself. As in Talos: the mirrors of "*" count for registries without mirrors of their own, and
 * skipFallback leaves the registry itself out.
 */
#include "config/machine_config.h"

struct endpoint {
	const char *url; /* the config's, or REGISTRY_URL */
	bool override_path;
	const struct registry_access_config *access; /* of its host; NULL: none */
};

struct endpoint_list {
	struct endpoint *endpoints; /* the cache is the first */
	size_t n_endpoints;
	bool fallback;				     /* the registry itself comes after them */
	const struct registry_access_config *access; /* of the registry itself; NULL: none */
};

/* host: "docker.io", or "*". -ENOMEM. */
int endpoints_for(const struct machine_config *config, const char *host, struct endpoint_list *ret);
void endpoint_list_done(struct endpoint_list *list);
#define _cleanup_endpoints_ _cleanup_(endpoint_list_done)

/* host[:port] of a URL, owned by the caller. */
char *endpoint_host(const char *url);

const struct registry_access_config *endpoints_access(const struct machine_config *config,
						      const char *host);

/* Has the config mirrors for exactly this host? */
bool endpoints_has_mirror(const struct machine_config *config, const char *host);

/* Hosts that the config names in mirrors (but "*") and in TLS or auth settings; sorted, each once; strv. */
int endpoints_hosts(const struct machine_config *config, char ***ret);

/* "Basic …" of a registry's credentials, owned by the caller; *ret NULL: there are none that fit into a header. */
int endpoint_authorization(const struct registry_access_config *access, char **ret);

#endif
