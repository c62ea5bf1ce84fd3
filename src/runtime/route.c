/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/route.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "runtime/rootfs.h"
#include "runtime/runtimes.h"

int route_add(struct runtime_route *route, char *text)
{
	return strv_take(&route->endpoints, text);
}

int route_add_registry(struct runtime_route *route, const char *host)
{
	bool hub = strcmp(host, "docker.io") == 0;

	return strv_addf(&route->endpoints, "https://%s", hub ? "registry-1.docker.io" : host);
}

static void route_done(struct runtime_route *route)
{
	free(route->source);
	strv_free(route->endpoints);
	free(route->error);
	free(route->note);
}

void runtime_routes_done(struct runtime_routes *routes)
{
	for (size_t i = 0; i < routes->n_routes; i++)
		route_done(&routes->routes[i]);
	free(routes->routes);
	*routes = (struct runtime_routes){ 0 };
}

/* Is the first endpoint the cache, in whatever way it is written? */
static bool begins_with_cache(const struct runtime_route *route)
{
	const char *first = route->endpoints ? *route->endpoints : NULL;

	if (!first)
		return false;
	if (text_starts_with(first, "http://"))
		first += strlen("http://");
	size_t length = strlen(REGISTRY_ADDRESS);
	return strncmp(first, REGISTRY_ADDRESS, length) == 0 &&
	       (first[length] == '\0' || first[length] == '/');
}

static int add_runtime_route(int root, const struct runtime_kind *kind, const char *host,
			     const char *repository, bool by_digest, struct runtime_routes *routes)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	struct runtime_route *larger =
		reallocarray(routes->routes, routes->n_routes + 1, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	routes->routes = larger;
	struct runtime_route *route = &larger[routes->n_routes++];
	*route = (struct runtime_route){ .runtime = kind->name, .by_digest = by_digest };
	int r = kind->route(root, host, repository, route, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		route->error = strdup(diag_text(&why));
		return route->error ? 0 : -ENOMEM;
	}
	route->cache_first = begins_with_cache(route);
	return 0;
}

int runtime_routes(const char *root, const char *host, const char *repository, bool by_digest,
		   struct runtime_routes *ret, struct diag *diag)
{
	_cleanup_close_ int fd = rootfs_open(root);
	struct runtime_routes routes = { 0 };
	int r = 0;

	if (fd < 0)
		return diag_set(diag, fd, "cannot open the root directory %s: %s",
				root ? root : "/", strerror(-fd));
	for (size_t i = 0; r == 0 && i < n_runtime_kinds; i++)
		if (runtime_is_installed(fd, runtime_kinds[i]))
			r = add_runtime_route(fd, runtime_kinds[i], host, repository, by_digest,
					      &routes);
	if (r < 0) {
		runtime_routes_done(&routes);
		return diag_set(diag, r, "out of memory");
	}
	*ret = routes;
	return 0;
}
