/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/containers_route.h"

#include <string.h>

#include "base/text.h"
#include "runtime/registries_conf.h"
#include "runtime/toml.h"

/* One mirror, as far as it was read. */
struct place {
	char *location;
	bool digests, tags; /* it is asked for these */
};

/* Adds the place, if it is asked for an image so named; *ret_skipped: it is not. Takes it. */
static int add_place(struct place *p, const char *rest, struct runtime_route *route,
		     bool *ret_skipped)
{
	int r = 0;

	if (p->location && !(route->by_digest ? p->digests : p->tags))
		*ret_skipped = true;
	else if (p->location)
		r = strv_addf(&route->endpoints, "%s%s", p->location, rest);
	free(p->location);
	*p = (struct place){ .digests = true, .tags = true };
	return r;
}

/* A key of a mirror that says where it is, or for what it is asked. */
static int read_place(const struct toml_document *d, const struct toml_statement *s,
		      struct place *p)
{
	const char *key = s->path[strv_length(s->path) - 1];
	_cleanup_free_ char *text = NULL;
	int r = 0;

	if (strcmp(key, "location") != 0 && strcmp(key, "pull-from-mirror") != 0)
		return 0;
	r = toml_string(d, s, &text);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (strcmp(key, "location") == 0) {
		free(p->location);
		p->location = TAKE_PTR(text);
	} else {
		p->digests = strcmp(text, "tag-only") != 0;
		p->tags = strcmp(text, "digest-only") != 0;
	}
	return 0;
}

/* Every "location" of a piece of a table, with the rest of the image's name behind it. */
static int add_locations(const char *text, const char *rest, struct runtime_route *route,
			 bool *ret_skipped, struct diag *diag)
{
	_cleanup_toml_ struct toml_document d = { 0 };
	struct place p = { .digests = true, .tags = true };
	int r = toml_scan(text, &d, diag);

	for (size_t i = 0; r == 0 && i < d.n_statements; i++)
		r = d.statements[i].kind == TOML_KEY ? read_place(&d, &d.statements[i], &p)
						     : add_place(&p, rest, route, ret_skipped);
	if (r == 0)
		r = add_place(&p, rest, route, ret_skipped);
	free(p.location);
	return r;
}

/* The places of a table, in their order. */
static int add_table(const struct registries_table *t, const char *rest,
		     struct runtime_route *route, struct diag *diag)
{
	bool skipped = false, none = false;
	int r = 0;

	if (t->blocked)
		return asprintf(&route->note,
				t->listed ? "blocked: registries.block of " CONTAINERS_CONF
					    " names %s"
					  : "blocked: the table of %s refuses every pull",
				t->prefix) < 0
			       ? -ENOMEM
			       : 0;
	if (!t->by_digest || route->by_digest)
		r = add_locations(t->mirrors, rest, route, &skipped, diag);
	else
		skipped = *t->mirrors != '\0';
	if (r == 0)
		r = add_locations(t->head, rest, route, &none, diag);
	if (r < 0 || !skipped)
		return r;
	route->note =
		strdup(route->by_digest ? "some mirrors are asked only for images named by tag "
					  "(pull-from-mirror)"
					: "some mirrors are asked only for images named by digest "
					  "(mirror-by-digest-only, pull-from-mirror)");
	return route->note ? 0 : -ENOMEM;
}

int containers_route(int root, const char *host, const char *repository,
		     struct runtime_route *route, struct diag *diag)
{
	struct registries_conf conf = { 0 };
	_cleanup_free_ char *image = NULL;
	int r = registries_conf_read(root, NULL, &conf, diag);

	if (r == 0 && asprintf(&image, "%s/%s", host, repository) < 0)
		r = -ENOMEM;
	const struct registries_table *t = r == 0 ? registries_conf_find(&conf, image) : NULL;
	bool blocked = t && t->blocked;
	if (t) {
		const char *rest = *t->prefix == '*' ? "" : image + strlen(t->prefix);
		route->source = strdup(CONTAINERS_CONF " and " CONTAINERS_DROP_IN);
		r = add_table(t, rest, route, diag);
	}
	if (r == 0 && !route->endpoints && !blocked)
		r = strv_add(&route->endpoints, image);
	registries_conf_done(&conf);
	return r;
}
