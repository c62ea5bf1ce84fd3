/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/containers_route.h"

#include <string.h>

#include "base/text.h"
#include "runtime/registries_conf.h"
#include "runtime/toml.h"

/* Does a table's prefix stand for this image? "*.example.com" stands for every host below it. */
static bool prefix_matches(const char *prefix, const char *image)
{
	size_t length = strlen(prefix);

	if (text_starts_with(prefix, "*.")) {
		size_t host = strcspn(image, "/");
		return strchr(prefix, '/') == NULL && host > length - 1 &&
		       strncmp(image + host - (length - 1), prefix + 1, length - 1) == 0;
	}
	return strncmp(image, prefix, length) == 0 &&
	       (image[length] == '\0' || image[length] == '/');
}

static const struct registries_table *find_table(const struct registries_conf *conf,
						 const char *image)
{
	const struct registries_table *found = NULL;

	for (size_t i = 0; i < conf->n_tables; i++)
		if (prefix_matches(conf->tables[i].prefix, image) &&
		    (!found || strlen(conf->tables[i].prefix) > strlen(found->prefix)))
			found = &conf->tables[i];
	return found;
}

/* Every "location" of a piece of a table, with the rest of the image's name behind it. */
static int add_locations(const char *text, const char *rest, struct runtime_route *route,
			 size_t *ret_n, struct diag *diag)
{
	_cleanup_toml_ struct toml_document d = { 0 };
	int r = toml_scan(text, &d, diag);

	*ret_n = 0;
	for (size_t i = 0; r == 0 && i < d.n_statements; i++) {
		const struct toml_statement *s = &d.statements[i];
		_cleanup_free_ char *location = NULL;
		if (s->kind != TOML_KEY ||
		    strcmp(s->path[strv_length(s->path) - 1], "location") != 0)
			continue;
		if (toml_string(&d, s, &location) < 0)
			continue;
		r = strv_addf(&route->endpoints, "%s%s", location, rest);
		(*ret_n)++;
	}
	return r;
}

int containers_route(int root, const char *host, const char *repository,
		     struct runtime_route *route, struct diag *diag)
{
	struct registries_conf conf = { 0 };
	_cleanup_free_ char *image = NULL;
	size_t n = 0;
	int r = registries_conf_read(root, NULL, &conf, diag);

	if (r == 0 && asprintf(&image, "%s/%s", host, repository) < 0)
		r = -ENOMEM;
	const struct registries_table *t = r == 0 ? find_table(&conf, image) : NULL;
	if (t) {
		const char *rest = *t->prefix == '*' ? "" : image + strlen(t->prefix);
		route->source = strdup(CONTAINERS_CONF " and " CONTAINERS_DROP_IN);
		r = add_locations(t->mirrors, rest, route, &n, diag);
		if (r == 0)
			r = add_locations(t->head, rest, route, &n, diag);
	}
	if (r == 0 && n == 0)
		r = strv_add(&route->endpoints, image);
	registries_conf_done(&conf);
	return r;
}
