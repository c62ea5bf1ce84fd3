/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Docker: registry-mirrors in daemon.json, which it asks for images of Docker Hub only; and certs.d/<host>/hosts.toml, which
 * versions from 29 on read for every registry, as containerd does.
 */
#include <jansson.h>
#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "runtime/endpoints.h"
#include "runtime/hosts_toml.h"
#include "runtime/runtimes.h"

#define DOCKER_CONFIG  "/etc/docker/daemon.json"
#define DOCKER_CERTS_D "/etc/docker/certs.d"
#define DOCKER_MIRRORS "registry-mirrors"
#define DOCKER_HUB     "docker.io"
#define DOCKER_INDENT  4

static const char *const docker_evidence[] = {
	"/usr/bin/dockerd", "/usr/local/bin/dockerd", "/usr/sbin/dockerd", "/etc/docker", NULL,
};

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

static int parse(const char *text, json_t **ret, struct diag *diag)
{
	json_error_t error;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!root)
		return diag_set_at(diag, -EINVAL, DOCKER_CONFIG,
				   error.line > 0 ? (unsigned)error.line : 0,
				   error.column > 0 ? (unsigned)error.column : 0,
				   "this is not JSON: %s", error.text);
	if (json_is_object(root)) {
		*ret = root;
		return 0;
	}
	json_decref(root);
	return diag_set_at(diag, -EINVAL, DOCKER_CONFIG, 0, 0, "the file must hold one object");
}

/* By how many spaces the file's first line is indented, so that it keeps looking as it did. */
static size_t indentation(const char *text)
{
	const char *newline = strchr(text, '\n');
	size_t n = newline ? strspn(newline + 1, " ") : 0;

	return n > 0 && n <= 8 ? n : DOCKER_INDENT;
}

static int dump(const json_t *root, size_t indent, char **ret, struct diag *diag)
{
	_cleanup_free_ char *text = json_dumps(root, JSON_INDENT(indent));

	if (!text || asprintf(ret, "%s\n", text) < 0)
		return out_of_memory(diag);
	return 0;
}

static bool has_url(const json_t *mirrors, const char *url)
{
	size_t length = strlen(url);

	while (length > 0 && url[length - 1] == '/')
		length--;
	for (size_t i = 0; i < json_array_size(mirrors); i++) {
		const char *other = json_string_value(json_array_get(mirrors, i));
		if (other && strncmp(other, url, length) == 0 &&
		    other[length + strspn(other + length, "/")] == '\0')
			return true;
	}
	return false;
}

/* One of the texts that larder remembers; NULL: none, or it is no JSON. */
static json_t *parse_saved(const char *text)
{
	json_t *root = NULL;

	if (text && parse(text, &root, NULL) < 0)
		return NULL;
	return root;
}

/* The mirrors that larder added go: those it wrote that were not there before; without a memory, the cache. */
static bool remove_mirrors(json_t *mirrors, const json_t *original, const json_t *written)
{
	bool any = false;

	for (size_t i = json_array_size(mirrors); i > 0; i--) {
		const char *url = json_string_value(json_array_get(mirrors, i - 1));
		if (!url ||
		    (written ? !has_url(json_object_get(written, DOCKER_MIRRORS), url) ||
				       has_url(json_object_get(original, DOCKER_MIRRORS), url)
			     : strcmp(url, REGISTRY_URL) != 0))
			continue;
		json_array_remove(mirrors, i - 1);
		any = true;
	}
	return any;
}

/* What the file is without larder's mirrors. */
int docker_strip(const char *text, const struct plan_base *base, char **ret, struct diag *diag)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	int r = parse(text, &root, diag);

	if (r < 0)
		return r;
	_cleanup_(json_decrefp) json_t *original = base ? parse_saved(base->original) : NULL;
	_cleanup_(json_decrefp) json_t *written = base ? parse_saved(base->written) : NULL;
	json_t *mirrors = json_object_get(root, DOCKER_MIRRORS);
	bool any = json_is_array(mirrors) && remove_mirrors(mirrors, original, written);
	if (any && json_array_size(mirrors) == 0 && !json_object_get(original, DOCKER_MIRRORS))
		json_object_del(root, DOCKER_MIRRORS);
	*ret = NULL;
	if (json_object_size(root) == 0 && !original)
		return 0;
	/* Where nothing is to be taken out, or nothing else was changed, not even the white space changes. */
	if (any && !json_equal(root, original))
		return dump(root, indentation(text), ret, diag);
	*ret = strdup(any ? base->original : text);
	return *ret ? 0 : out_of_memory(diag);
}

/* dockerd takes mirrors without a path only. */
static bool fits(const struct endpoint *e)
{
	const char *host = strstr(e->url, "://") + 3;

	return host[strcspn(host, "/") + strspn(host + strcspn(host, "/"), "/")] == '\0';
}

/* The cache, the mirrors of the machine config, the user's. */
static int merge_mirrors(struct runtime_plan *plan, size_t report, json_t *root, struct diag *diag)
{
	_cleanup_endpoints_ struct endpoint_list list = { 0 };
	json_t *old = json_object_get(root, DOCKER_MIRRORS), *item;
	json_t *mirrors = json_array();
	size_t i;

	if (old && !json_is_array(old)) {
		json_decref(mirrors);
		return diag_set_at(diag, -EINVAL, DOCKER_CONFIG, 0, 0,
				   DOCKER_MIRRORS " must be an array");
	}
	if (endpoints_for(plan->config, DOCKER_HUB, &list) < 0) {
		json_decref(mirrors);
		return out_of_memory(diag);
	}
	for (i = 0; i < list.n_endpoints; i++) {
		const struct endpoint *e = &list.endpoints[i];
		if (fits(e) && !has_url(mirrors, e->url))
			json_array_append_new(mirrors, json_string(e->url));
		else if (!fits(e) && plan_hint(plan, report,
					       "the mirror %s has a path, and daemon.json takes "
					       "none",
					       e->url) < 0)
			list.n_endpoints = 0;
	}
	json_array_foreach (old, i, item)
		if (!json_is_string(item) || !has_url(mirrors, json_string_value(item)))
			json_array_append(mirrors, item);
	if (!list.fallback)
		(void)plan_hint(plan, report,
				"Docker always asks Docker Hub after its mirrors; skipFallback of "
				"docker.io has no effect on it");
	return json_object_set_new(root, DOCKER_MIRRORS, mirrors) < 0 ? out_of_memory(diag) : 0;
}

static int plan_daemon(struct runtime_plan *plan, size_t report, struct diag *diag)
{
	_cleanup_(json_decrefp) json_t *root = NULL, *before = NULL;
	_cleanup_free_ char *user = NULL, *text = NULL;
	int r = plan_user_text(plan, DOCKER_CONFIG, docker_strip, &user, diag);

	if (r < 0)
		return r;
	/* An empty file is to dockerd what none is. */
	bool empty = !user || user[strspn(user, " \t\r\n")] == '\0';
	r = parse(empty ? "{}" : user, &root, diag);
	if (r < 0)
		return r;
	before = json_deep_copy(root);
	r = merge_mirrors(plan, report, root, diag);
	if (r < 0)
		return r;
	/* The user put the cache first: nothing to do, not even to the white space. */
	if (json_equal(before, root))
		return 0;
	r = dump(root, indentation(empty ? "" : user), &text, diag);
	if (r == 0)
		r = plan_put(plan, report, DOCKER_CONFIG, user, text, 0644, diag);
	if (r == 0 && plan_changes(plan, DOCKER_CONFIG) &&
	    plan_hint(plan, report,
		      "dockerd reads daemon.json when it starts, and its mirrors again "
		      "on SIGHUP") < 0)
		return out_of_memory(diag);
	return r;
}

static int plan_docker(struct runtime_plan *plan, size_t report, struct diag *diag)
{
	int r = plan_daemon(plan, report, diag);

	return r < 0 ? r : hosts_toml_plan(plan, report, DOCKER_CERTS_D, diag);
}

/* Versions before 29: the mirrors for Docker Hub; later ones: hosts.toml. Which it is cannot be told from files. */
static int route_docker(int root, const char *host, const char *repository,
			struct runtime_route *route, struct diag *diag)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_(json_decrefp) json_t *config = NULL;
	json_t *item;
	size_t i;
	int r = rootfs_read_linked(root, DOCKER_CONFIG, &file);

	(void)repository;
	if (strcmp(host, DOCKER_HUB) != 0) {
		route->note =
			strdup("this holds from Docker 29 on; earlier versions ask mirrors for "
			       "images of Docker Hub only");
		return hosts_toml_route(root, DOCKER_CERTS_D, host, route, diag);
	}
	if (r < 0)
		return diag_set_at(diag, r, DOCKER_CONFIG, 0, 0, "cannot read: %s", strerror(-r));
	if (!file.text)
		return route_add_registry(route, host);
	route->source = strdup(DOCKER_CONFIG);
	r = parse(file.text, &config, diag);
	if (r < 0)
		return r;
	json_array_foreach (json_object_get(config, DOCKER_MIRRORS), i, item)
		if (json_is_string(item) &&
		    strv_add(&route->endpoints, json_string_value(item)) < 0)
			return -ENOMEM;
	return route_add_registry(route, host);
}

const struct runtime_kind runtime_docker = {
	"docker",
	docker_evidence,
	plan_docker,
	route_docker,
};
