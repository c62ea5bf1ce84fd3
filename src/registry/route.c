/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/route.h"

#include <stdlib.h>
#include <string.h>

#include "http/fields.h"

#define DOCKER_LIBRARY "library/"

const char *route_kind_name(enum route_kind kind)
{
	static const char *const names[ROUTE_KINDS] = {
		[ROUTE_UNKNOWN] = "other",	 [ROUTE_BASE] = "base",
		[ROUTE_MANIFEST] = "manifests",	 [ROUTE_BLOB] = "blobs",
		[ROUTE_TAGS] = "tags",		 [ROUTE_CATALOG] = "catalog",
		[ROUTE_REFERRERS] = "referrers", [ROUTE_HEALTH] = "healthz",
		[ROUTE_READY] = "readyz",	 [ROUTE_METRICS] = "metrics",
	};

	return names[kind];
}

static enum route_kind fixed_route(const char *path)
{
	static const struct {
		const char *path;
		enum route_kind kind;
	} routes[] = {
		{ "/v2/", ROUTE_BASE },
		{ "/v2", ROUTE_BASE },
		{ "/v2/_catalog", ROUTE_CATALOG },
		{ "/healthz", ROUTE_HEALTH },
		{ "/readyz", ROUTE_READY },
		{ "/metrics", ROUTE_METRICS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (strcmp(path, routes[i].path) == 0)
			return routes[i].kind;
	return ROUTE_UNKNOWN;
}

static void set_name(struct route *route, const char *name, size_t size)
{
	if (size == 0 || size > ROUTE_NAME_MAX) {
		route->flaw = ROUTE_BAD_NAME;
		return;
	}
	memcpy(route->name, name, size);
	route->name[size] = '\0';
	char registry[REFERENCE_REGISTRY_MAX + 1], repository[ROUTE_NAME_MAX + 1];
	if (!repository_is_valid(route->name) &&
	    !route_split_name(route->name, registry, repository))
		route->flaw = ROUTE_BAD_NAME;
}

static void set_digest(struct route *route, const char *text)
{
	if (digest_parse(text, &route->digest) < 0 && route->flaw == ROUTE_SOUND)
		route->flaw = ROUTE_BAD_DIGEST;
}

static void set_reference(struct route *route, const char *text)
{
	if (strchr(text, ':')) {
		set_digest(route, text);
	} else if (tag_is_valid(text)) {
		memcpy(route->tag, text, strlen(text) + 1);
	} else if (route->flaw == ROUTE_SOUND) {
		route->flaw = ROUTE_BAD_TAG;
	}
}

/* The last "/<word>/" splits name and reference; repositories may have components of the same name before it. */
static bool split_at(struct route *route, char *rest, const char *word, enum route_kind kind)
{
	char *slash = strrchr(rest, '/');
	size_t size = strlen(word);

	if (!slash || (size_t)(slash - rest) <= size || slash[-(ptrdiff_t)size - 1] != '/' ||
	    memcmp(slash - size, word, size) != 0)
		return false;
	route->kind = kind;
	set_name(route, rest, (size_t)(slash - rest) - size - 1);
	if (kind == ROUTE_MANIFEST)
		set_reference(route, slash + 1);
	else if (kind != ROUTE_TAGS)
		set_digest(route, slash + 1);
	else if (strcmp(slash + 1, "list") != 0)
		route->kind = ROUTE_UNKNOWN;
	return true;
}

static void parse_path(struct route *route, char *path)
{
	static const char prefix[] = "/v2/";

	route->kind = fixed_route(path);
	if (route->kind != ROUTE_UNKNOWN || strncmp(path, prefix, sizeof(prefix) - 1) != 0)
		return;
	char *rest = path + sizeof(prefix) - 1;
	if (!split_at(route, rest, "manifests", ROUTE_MANIFEST) &&
	    !split_at(route, rest, "blobs", ROUTE_BLOB) &&
	    !split_at(route, rest, "referrers", ROUTE_REFERRERS))
		split_at(route, rest, "tags", ROUTE_TAGS);
}

static void parse_namespace(struct route *route, struct http_text query)
{
	int r = http_query_parameter(query, "ns", route->ns, sizeof(route->ns));

	if (r == -ENOENT || (r == 0 && route->ns[0] == '\0'))
		return;
	if (r < 0 || !registry_is_valid(route->ns)) {
		route->ns[0] = '\0';
		if (route->flaw == ROUTE_SOUND)
			route->flaw = ROUTE_BAD_NAMESPACE;
		return;
	}
	const char *canonical = registry_canonical(route->ns);
	memcpy(route->registry, canonical, strlen(canonical) + 1);
}

static void parse_page(struct route *route, struct http_text query)
{
	char number[64], *end;
	int r = http_query_parameter(query, "n", number, sizeof(number));

	if (r == 0) {
		unsigned long n = strtoul(number, &end, 10);
		route->has_n = true;
		route->n = n > 1000000 ? 1000000 : (unsigned)n;
		if (number[0] < '0' || number[0] > '9' || *end != '\0')
			route->flaw = ROUTE_BAD_NUMBER;
	} else if (r != -ENOENT) {
		route->flaw = ROUTE_BAD_NUMBER;
	}
	if (http_query_parameter(query, "last", route->last, sizeof(route->last)) < 0)
		route->last[0] = '\0';
	if (http_query_parameter(query, "artifactType", route->artifact_type,
				 sizeof(route->artifact_type)) < 0)
		route->artifact_type[0] = '\0';
}

void route_parse(const struct http_request *request, struct route *ret)
{
	char path[ROUTE_PATH_MAX];

	/* The large members are strings; only their beginnings must be set. */
	ret->kind = ROUTE_UNKNOWN;
	ret->flaw = ROUTE_SOUND;
	ret->name[0] = ret->registry[0] = ret->ns[0] = ret->tag[0] = '\0';
	ret->last[0] = ret->artifact_type[0] = '\0';
	ret->digest = (struct digest){ 0 };
	ret->has_n = false;
	ret->n = 0;
	int r = http_percent_decode(request->path, path, sizeof(path));
	if (r < 0) {
		ret->flaw = r == -EINVAL ? ROUTE_BAD_ENCODING : ROUTE_BAD_NAME;
		return;
	}
	parse_path(ret, path);
	if (ret->kind == ROUTE_UNKNOWN || !request->query.data)
		return;
	parse_namespace(ret, request->query);
	if (ret->kind == ROUTE_TAGS || ret->kind == ROUTE_CATALOG || ret->kind == ROUTE_REFERRERS)
		parse_page(ret, request->query);
}

void route_repository(const char *registry, const char *name,
		      char repository[static ROUTE_NAME_MAX + 1])
{
	bool library = strcmp(registry, ROUTE_DOCKER_REGISTRY) == 0 && !strchr(name, '/');
	int n = snprintf(repository, ROUTE_NAME_MAX + 1, "%s%s", library ? DOCKER_LIBRARY : "",
			 name);

	if (n < 0 || n > ROUTE_NAME_MAX)
		repository[0] = '\0';
}

bool route_split_name(const char *name, char registry[static REFERENCE_REGISTRY_MAX + 1],
		      char repository[static ROUTE_NAME_MAX + 1])
{
	size_t n = strcspn(name, "/");

	if (name[n] != '/' || n > REFERENCE_REGISTRY_MAX)
		return false;
	memcpy(registry, name, n);
	registry[n] = '\0';
	if (!strpbrk(registry, ".:") && strcmp(registry, "localhost") != 0)
		return false;
	if (!registry_is_valid(registry) || !repository_is_valid(name + n + 1))
		return false;
	const char *canonical = registry_canonical(registry);
	if (canonical != registry)
		memcpy(registry, canonical, strlen(canonical) + 1);
	route_repository(registry, name + n + 1, repository);
	return true;
}
