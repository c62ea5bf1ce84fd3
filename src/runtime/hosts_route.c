/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hosts_toml_route(): what containerd makes of certs.d. */
#include <string.h>

#include "base/text.h"
#include "runtime/hosts_toml.h"
#include "runtime/toml.h"

/* The directory that containerd takes for a host; *ret NULL: none of them is there. */
static int find_directory(int root, const char *certs_d, const char *host, char **ret)
{
	_cleanup_free_ char *name = hosts_toml_directory(host);
	const char *const names[] = { name, host, HOSTS_TOML_DEFAULT_DIR };

	*ret = NULL;
	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = NULL;
		if (asprintf(&path, "%s/%s", certs_d, names[i]) < 0)
			return -ENOMEM;
		if (rootfs_exists(root, path)) {
			*ret = TAKE_PTR(path);
			return 0;
		}
	}
	return name ? 0 : -ENOMEM;
}

static int add_hosts(const struct toml_document *d, struct runtime_route *route, const char *host)
{
	_cleanup_free_ char *server = NULL;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < d->n_statements; i++) {
		const struct toml_statement *s = &d->statements[i];
		if (s->kind == TOML_TABLE && strv_length(s->path) == 2 &&
		    toml_path_begins(s->path, "host", NULL))
			r = strv_add(&route->endpoints, s->path[1]);
		else if (s->kind == TOML_KEY && toml_path_is(s->path, "server", NULL))
			r = toml_string(d, s, &server);
	}
	if (r == -ENOMEM)
		return r;
	return server && *server ? strv_add(&route->endpoints, server)
				 : route_add_registry(route, host);
}

int hosts_toml_route(int root, const char *certs_d, const char *host, struct runtime_route *route,
		     struct diag *diag)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_toml_ struct toml_document d = { 0 };
	_cleanup_free_ char *directory = NULL;
	int r = find_directory(root, certs_d, host, &directory);

	if (r < 0)
		return r;
	if (!directory)
		return route_add_registry(route, host);
	if (asprintf(&route->source, "%s/" HOSTS_TOML, directory) < 0) {
		route->source = NULL;
		return -ENOMEM;
	}
	r = rootfs_read_linked(root, route->source, &file);
	if (r < 0)
		return diag_set_at(diag, r, route->source, 0, 0, "cannot read: %s", rootfs_why(r));
	if (!file.text)
		return route_add_registry(route, host);
	r = toml_scan(file.text, &d, diag);
	if (r < 0)
		return diag_prefix(diag, r, "%s", route->source);
	return add_hosts(&d, route, host);
}
