/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Podman, CRI-O, Buildah and Skopeo: a drop-in for registries.conf (containers-registries.conf(5)). Of all [[registry]] tables
 * the one with the longest prefix counts, and of tables with one prefix the last that is read: so the drop-in is the last,
 * and repeats each table of the user with the cache as its first mirror. There is no table for all registries.
 */
#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "runtime/auth_json.h"
#include "runtime/certs_d.h"
#include "runtime/endpoints.h"
#include "runtime/marked.h"
#include "runtime/containers_route.h"
#include "runtime/registries_conf.h"
#include "runtime/runtimes.h"
#include "runtime/toml.h"
#include "store/view.h"

#define CONTAINERS_OURS	   "zz-larder.conf"
#define CONTAINERS_CERTS_D "/etc/containers/certs.d"

static const char *const containers_evidence[] = {
	"/usr/bin/podman",	 "/usr/bin/crio",    "/usr/local/bin/crio",
	"/usr/bin/skopeo",	 "/usr/bin/buildah", "/etc/crio",
	"/usr/local/bin/podman", CONTAINERS_CONF,    NULL,
};

/* Registries that get the cache although nothing names them. */
static const char *const common_registries[] = { "docker.io", "ghcr.io", "quay.io",
						 "registry.k8s.io" };

struct containers {
	struct runtime_plan *plan;
	size_t report;
	struct registries_conf user;
	FILE *f;
	struct diag *diag;
};

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

static void write_quoted(struct containers *c, const char *before, const char *text)
{
	_cleanup_free_ char *quoted = toml_quote(text);

	fprintf(c->f, "%s%s\n", before, quoted ? quoted : "\"\"");
}

/*
 * A URL as these runtimes write a place: host/path, where they ask host/v2/path. *ret NULL: that is not what the endpoint
 * means (a path before /v2).
 */
static int endpoint_location(const struct endpoint *e, char **ret)
{
	const char *start = strstr(e->url, "://") + 3;
	_cleanup_free_ char *host = endpoint_host(e->url);
	const char *path = start + strcspn(start, "/");

	*ret = NULL;
	if (!host)
		return -ENOMEM;
	if (e->override_path) {
		if (!text_starts_with(path, "/v2/") || !path[4])
			return 0;
		path += 3;
	} else if (path[strspn(path, "/")] != '\0') {
		return 0;
	}
	size_t length = strlen(path);
	while (length > 0 && path[length - 1] == '/')
		length--;
	return asprintf(ret, "%s%.*s", host, (int)length, path) < 0 ? -ENOMEM : 0;
}

static bool is_insecure(const struct endpoint *e)
{
	return text_starts_with(e->url, "http://") ||
	       (e->access && e->access->insecure_skip_verify);
}

/* The place of a prefix in the cache: REGISTRY_ADDRESS/docker.io/library. */
static void write_cache_mirror(struct containers *c, const char *prefix)
{
	_cleanup_free_ char *location = NULL;

	if (asprintf(&location, REGISTRY_ADDRESS "/%s", prefix) < 0)
		location = NULL;
	fputs("[[registry.mirror]]\n", c->f);
	write_quoted(c, "location = ", location ? location : "");
	fputs("insecure = true\n", c->f);
}

/* prefix: a registry, perhaps with a path, which is below the mirror, too. named: mirrors that are there already; "": none. */
static int write_mirror(struct containers *c, const char *prefix, const struct endpoint *e,
			const char *named)
{
	_cleanup_free_ char *place = NULL, *location = NULL, *quoted = NULL;

	if (endpoint_location(e, &place) < 0 ||
	    (place && asprintf(&location, "%s%s", place, prefix + strcspn(prefix, "/")) < 0))
		return out_of_memory(c->diag);
	if (!location)
		return plan_hint(
			       c->plan, c->report,
			       "%s: the mirror %s cannot be written for these runtimes, which ask "
			       "/v2 before any path",
			       prefix, e->url) < 0
			       ? out_of_memory(c->diag)
			       : 0;
	quoted = toml_quote(location);
	if (!quoted)
		return out_of_memory(c->diag);
	if (strstr(named, quoted))
		return 0;
	fputs("[[registry.mirror]]\n", c->f);
	write_quoted(c, "location = ", location);
	if (is_insecure(e))
		fputs("insecure = true\n", c->f);
	return 0;
}

/* The table of a registry that the user has no table for. One with a port cannot be part of the cache's location. */
static int write_registry(struct containers *c, const char *host)
{
	_cleanup_endpoints_ struct endpoint_list list = { 0 };
	_cleanup_free_ char *location = NULL;
	bool cached = !strchr(host, ':');
	size_t n;
	int r = 0;

	if (endpoints_for(c->plan->config, host, &list) < 0)
		return out_of_memory(c->diag);
	n = list.n_endpoints;
	bool insecure = list.access && list.access->insecure_skip_verify;
	if (!cached && n == 1 && list.fallback && !insecure)
		return 0;
	const struct endpoint *last = &list.endpoints[n - 1];
	/* Without the registry itself, the last mirror stands in its place, or else the cache. */
	if (!list.fallback && n > 1 && endpoint_location(last, &location) < 0)
		return out_of_memory(c->diag);
	if (!list.fallback && !location && !cached) {
		fputs("\n[[registry]]\n", c->f);
		write_quoted(c, "prefix = ", host);
		fputs("blocked = true\n", c->f);
		return 0;
	}
	if (!list.fallback && !location) {
		last = &list.endpoints[0];
		if (asprintf(&location, REGISTRY_ADDRESS "/%s", host) < 0)
			return out_of_memory(c->diag);
	}
	fputs("\n[[registry]]\n", c->f);
	write_quoted(c, "prefix = ", host);
	write_quoted(c, "location = ", location ? location : host);
	if (location ? is_insecure(last) : insecure)
		fputs("insecure = true\n", c->f);
	if (location)
		n--;
	if (n > 0 && cached)
		write_cache_mirror(c, host);
	for (size_t i = 1; r == 0 && i < n; i++)
		r = write_mirror(c, host, &list.endpoints[i], "");
	return r;
}

/* Between the cache and the user's mirrors: those of the machine config. */
static int write_config_mirrors(struct containers *c, const struct registries_table *t)
{
	_cleanup_endpoints_ struct endpoint_list list = { 0 };
	_cleanup_free_ char *host = strndup(t->prefix, strcspn(t->prefix, "/"));
	int r = 0;

	if (!host || endpoints_for(c->plan->config, host, &list) < 0)
		return out_of_memory(c->diag);
	for (size_t i = 1; r == 0 && i < list.n_endpoints; i++)
		r = write_mirror(c, t->prefix, &list.endpoints[i], t->mirrors);
	if (r == 0 && !list.fallback &&
	    plan_hint(
		    c->plan, c->report,
		    "skipFallback does not hold for %s: what registries.conf or a drop-in says of it "
		    "stays, and its location is asked after the mirrors",
		    t->prefix) < 0)
		return out_of_memory(c->diag);
	return r;
}

/* The user's table again, with the cache before its mirrors. What is blocked stays so. */
static int write_user_table(struct containers *c, const struct registries_table *t)
{
	if (t->blocked)
		return 0;
	if (strpbrk(t->prefix, "*:@"))
		return plan_hint(
			       c->plan, c->report,
			       "images of %s do not come from the cache: its name cannot be part of "
			       "a mirror's location",
			       t->prefix) < 0
			       ? out_of_memory(c->diag)
			       : 0;
	if (strstr(t->mirrors, REGISTRY_ADDRESS))
		return 0;
	if (t->by_digest &&
	    plan_hint(
		    c->plan, c->report,
		    "%s: mirror-by-digest-only is set, so the cache is asked only for images named "
		    "by digest",
		    t->prefix) < 0)
		return out_of_memory(c->diag);
	if (t->later &&
	    plan_hint(c->plan, c->report,
		      "images of %s do not come from the cache: " CONTAINERS_DROP_IN
		      "/%s is read after " CONTAINERS_OURS ", so its table counts; give the file a "
		      "name that sorts before",
		      t->prefix, t->later) < 0)
		return out_of_memory(c->diag);
	fprintf(c->f, "\n[[registry]]\n%s", t->head);
	if (*t->head && !text_ends_with(t->head, "\n"))
		fputc('\n', c->f);
	write_cache_mirror(c, t->prefix);
	int r = write_config_mirrors(c, t);
	if (r < 0)
		return r;
	fputs(t->mirrors, c->f);
	if (*t->mirrors && !text_ends_with(t->mirrors, "\n"))
		fputc('\n', c->f);
	return 0;
}

/* What larderd would serve now. A registry with a port cannot be part of a location. */
static int add_cached(struct containers *c, char ***hosts)
{
	_cleanup_(parts_unrefp) struct parts *parts = NULL;
	_cleanup_(view_unrefp) struct view *view = NULL;
	char run_dir[64];

	snprintf(run_dir, sizeof(run_dir), "/proc/self/fd/%d" DIR_RUN, c->plan->root);
	int r = view_new_run_dir(run_dir, &parts, &view);

	for (size_t i = 0; r == 0 && i < view_main_sources(view); i++) {
		_cleanup_strv_ char **names = NULL;
		/* One that cannot be read does not hide the others. */
		if (source_registries(view_source(view, i), &names) == -ENOMEM)
			return -ENOMEM;
		STRV_FOREACH (name, names)
			if (r == 0 && !strchr(*name, ':') && !strv_contains(*hosts, *name))
				r = strv_add(hosts, *name);
	}
	return r == -ENOMEM ? r : 0;
}

static int list_registries(struct containers *c, char ***ret)
{
	_cleanup_strv_ char **hosts = NULL;
	int r = endpoints_hosts(c->plan->config, &hosts);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(common_registries); i++)
		if (!strv_contains(hosts, common_registries[i]))
			r = strv_add(&hosts, common_registries[i]);
	if (r == 0)
		r = add_cached(c, &hosts);
	if (r < 0)
		return out_of_memory(c->diag);
	strv_sort_natural(hosts);
	*ret = TAKE_PTR(hosts);
	return 0;
}

static int write_drop_in(struct containers *c)
{
	_cleanup_strv_ char **hosts = NULL;
	int r = list_registries(c, &hosts);

	for (size_t i = 0; r == 0 && i < c->user.n_tables; i++)
		r = write_user_table(c, &c->user.tables[i]);
	STRV_FOREACH (host, hosts)
		/* A table for all hosts of a domain counts as one: a longer prefix would hide what it says. */
		if (r == 0 && !registries_conf_find(&c->user, *host))
			r = write_registry(c, *host);
	return r;
}

static int put_drop_in(struct containers *c)
{
	static const char path[] = CONTAINERS_DROP_IN "/" CONTAINERS_OURS;
	_cleanup_free_ char *text = NULL, *block = NULL, *user = NULL;
	size_t size;

	c->f = open_memstream(&block, &size);
	if (!c->f)
		return out_of_memory(c->diag);
	int r = write_drop_in(c);
	if (fclose(c->f) != 0)
		return out_of_memory(c->diag);
	if (r == 0)
		r = plan_user_text(c->plan, path, marked_strip, &user, c->diag);
	if (r < 0)
		return r;
	text = marked_insert(user ? user : "", user ? strlen(user) : 0, block);
	if (!text)
		return out_of_memory(c->diag);
	return plan_put(c->plan, c->report, path, user, text, 0644, c->diag);
}

/* These programs ask a registry without a table themselves, and no table is for all. */
static int hint_at_fallback(struct runtime_plan *plan, size_t report, struct diag *diag)
{
	const struct machine_config *config = plan->config;

	for (size_t i = 0; i < config->n_mirrors; i++)
		if (strcmp(config->mirrors[i].host, "*") == 0 && config->mirrors[i].skip_fallback &&
		    plan_hint(
			    plan, report,
			    "skipFallback of * holds only for registries with a table in " CONTAINERS_DROP_IN
			    "/" CONTAINERS_OURS
			    "; name others that must not be asked in the machine config") < 0)
			return out_of_memory(diag);
	return 0;
}

static int plan_containers(struct runtime_plan *plan, size_t report, struct diag *diag)
{
	struct containers c = { .plan = plan, .report = report, .diag = diag };
	int r = registries_conf_read(plan->root, CONTAINERS_OURS, &c.user, diag);

	if (r == 0)
		r = put_drop_in(&c);
	if (r == 0)
		r = hint_at_fallback(plan, report, diag);
	if (r == 0)
		r = certs_d_plan(plan, report, CONTAINERS_CERTS_D, diag);
	if (r == 0)
		r = auth_json_plan(plan, diag);
	registries_conf_done(&c.user);
	return r;
}

static const char *const containers_files[] = { CONTAINERS_DROP_IN "/" CONTAINERS_OURS, NULL };

const struct runtime_kind runtime_containers = {
	"podman and CRI-O", containers_evidence, plan_containers,
	containers_route,   containers_files,
};
