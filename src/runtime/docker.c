/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Docker: registry-mirrors in daemon.json, which it asks for images of Docker Hub only; and certs.d/<host>/hosts.toml, which
 * versions from 29 on read for every registry, as containerd does. Earlier ones take their TLS settings from certificates in
 * certs.d/<host:port>/ and from insecure-registries, and credentials from the client that asks for a pull.
 */
#include <jansson.h>
#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "runtime/certs_d.h"
#include "runtime/docker_flags.h"
#include "runtime/endpoints.h"
#include "runtime/hosts_toml.h"
#include "runtime/json_file.h"
#include "runtime/runtimes.h"

#define DOCKER_CONFIG	  "/etc/docker/daemon.json"
#define DOCKER_CERTS_D	  "/etc/docker/certs.d"
#define DOCKER_MIRRORS	  "registry-mirrors"
#define DOCKER_HUB	  "docker.io"
#define DOCKER_HUB_SERVER "registry-1.docker.io"
#define DOCKER_INSECURE	  "insecure-registries"

static const char *const docker_evidence[] = {
	"/usr/bin/dockerd", "/usr/local/bin/dockerd", "/usr/sbin/dockerd", "/etc/docker", NULL,
};

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
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

/* dockerd takes mirrors without a path only. */
static bool fits(const struct endpoint *e)
{
	const char *host = strstr(e->url, "://") + 3;

	return host[strcspn(host, "/") + strspn(host + strcspn(host, "/"), "/")] == '\0';
}

/* dockerd takes null for a list of nothing. */
static bool takes_list(const json_t *value)
{
	return !value || json_is_null(value) || json_is_array(value);
}

/* The cache, the mirrors of the machine config, the user's. */
static int merge_mirrors(struct runtime_plan *plan, size_t report, json_t *root, struct diag *diag)
{
	_cleanup_endpoints_ struct endpoint_list list = { 0 };
	json_t *old = json_object_get(root, DOCKER_MIRRORS), *item;
	json_t *mirrors = json_array();
	size_t i;

	if (!takes_list(old)) {
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

/* Docker Hub itself is always verified, by the certificates of the system. */
static bool is_hub(const char *host)
{
	return strcmp(host, DOCKER_HUB) == 0 || strcmp(host, DOCKER_HUB_SERVER) == 0;
}

/* A name that dockerd knows nothing of keeps it from starting: DomainRegexp of Docker's references, or an IPv6 address with a port. */
static bool takes_insecure(const char *host)
{
	if (*host == '[')
		return strstr(host, "]:") != NULL;
	for (const char *part = host;; part++) {
		size_t length = strcspn(part, ".:");
		if (length == 0 || *part == '-' || part[length - 1] == '-' ||
		    memchr(part, '_', length))
			return false;
		part += length;
		if (*part != '.')
			return true;
	}
}

static bool has_item(const json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *item = json_string_value(json_array_get(list, i));
		if (item && strcmp(item, text) == 0)
			return true;
	}
	return false;
}

static int add_insecure(json_t *root, const char *host, struct diag *diag)
{
	json_t *list = json_object_get(root, DOCKER_INSECURE);

	if (!takes_list(list))
		return diag_set_at(diag, -EINVAL, DOCKER_CONFIG, 0, 0,
				   DOCKER_INSECURE " must be an array");
	if (!json_is_array(list)) {
		list = json_array();
		if (json_object_set_new(root, DOCKER_INSECURE, list) < 0)
			return out_of_memory(diag);
	}
	if (!has_item(list, host) && json_array_append_new(list, json_string(host)) < 0)
		return out_of_memory(diag);
	return 0;
}

static int merge_insecure(struct runtime_plan *plan, size_t report, json_t *root, struct diag *diag)
{
	const struct machine_config *c = plan->config;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_access; i++) {
		const char *host = c->access[i].host;
		if (!c->access[i].insecure_skip_verify || is_hub(host))
			continue;
		if (takes_insecure(host))
			r = add_insecure(root, host, diag);
		else if (plan_hint(
				 plan, report,
				 "insecureSkipVerify of %s is not written to daemon.json, because "
				 "dockerd does not start with that name in " DOCKER_INSECURE,
				 host) < 0)
			r = out_of_memory(diag);
	}
	return r;
}

/* A key that is a flag, too, keeps dockerd from starting: then it is not touched. */
static int is_flag(struct runtime_plan *plan, size_t report, const char *key, const char *flag,
		   bool *ret, struct diag *diag)
{
	_cleanup_free_ char *file = NULL;

	if (docker_flag_find(plan->root, flag, &file) < 0)
		return out_of_memory(diag);
	*ret = file != NULL;
	if (file && plan_hint(plan, report,
			      "%s gives dockerd the flag %s, and it does not start with %s in "
			      "daemon.json beside it, so that is not written: move what the flag "
			      "says to daemon.json",
			      file, flag, key) < 0)
		return out_of_memory(diag);
	return 0;
}

static int merge_keys(struct runtime_plan *plan, size_t report, json_t *root, struct diag *diag)
{
	bool flag;
	int r = is_flag(plan, report, DOCKER_MIRRORS, "--registry-mirror", &flag, diag);

	if (r == 0 && !flag)
		r = merge_mirrors(plan, report, root, diag);
	if (r == 0)
		r = is_flag(plan, report, DOCKER_INSECURE, "--insecure-registry", &flag, diag);
	return r == 0 && !flag ? merge_insecure(plan, report, root, diag) : r;
}

static int plan_daemon(struct runtime_plan *plan, size_t report, struct diag *diag)
{
	_cleanup_(json_decrefp) json_t *root = NULL, *before = NULL;
	_cleanup_free_ char *user = NULL, *text = NULL;
	int r = plan_user_text(plan, DOCKER_CONFIG, json_file_strip, &user, diag);

	/* An empty file is to dockerd what none is. */
	if (r == 0)
		r = json_file_parse(DOCKER_CONFIG, user, &root, diag);
	if (r < 0)
		return r;
	before = json_deep_copy(root);
	r = merge_keys(plan, report, root, diag);
	if (r < 0)
		return r;
	/* The user put the cache first: nothing to do, not even to the white space. */
	if (json_equal(before, root))
		return 0;
	r = json_file_dump(root, user, &text, diag);
	if (r == 0)
		r = plan_put(plan, report, DOCKER_CONFIG, user, text, 0644, diag);
	if (r == 0 && plan_changes(plan, DOCKER_CONFIG) &&
	    plan_hint(plan, report,
		      "dockerd reads daemon.json when it starts, and its mirrors and insecure "
		      "registries again on SIGHUP") < 0)
		return out_of_memory(diag);
	return r;
}

/* What Docker before 29 cannot be told by any file of the system. */
static int hint_at_access(struct runtime_plan *plan, size_t report)
{
	const struct machine_config *c = plan->config;

	for (size_t i = 0; i < c->n_access; i++) {
		const struct registry_access_config *a = &c->access[i];
		if ((a->username || a->auth || a->identity_token) &&
		    plan_hint(plan, report,
			      "Docker before version 29 takes credentials from whoever asks for a "
			      "pull: run \"docker login%s%s\" once as each user who pulls (it "
			      "writes ~/.docker/config.json)",
			      is_hub(a->host) ? "" : " ", is_hub(a->host) ? "" : a->host) < 0)
			return -ENOMEM;
		if (is_hub(a->host) && (a->ca || a->client_cert || a->insecure_skip_verify) &&
		    plan_hint(
			    plan, report,
			    "Docker before version 29 takes no TLS settings for %s; a CA of your own "
			    "must be one of the system (update-ca-certificates)",
			    a->host) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int plan_docker(struct runtime_plan *plan, size_t report, struct diag *diag)
{
	int r = plan_daemon(plan, report, diag);

	if (r == 0)
		r = certs_d_plan(plan, report, DOCKER_CERTS_D, diag);
	if (r == 0)
		r = hosts_toml_plan(plan, report, DOCKER_CERTS_D, diag);
	if (r == 0 && hint_at_access(plan, report) < 0)
		r = out_of_memory(diag);
	return r;
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
		return diag_set_at(diag, r, DOCKER_CONFIG, 0, 0, "cannot read: %s", rootfs_why(r));
	if (!file.text)
		return route_add_registry(route, host);
	route->source = strdup(DOCKER_CONFIG);
	r = json_file_parse(DOCKER_CONFIG, file.text, &config, diag);
	if (r < 0)
		return r;
	json_array_foreach (json_object_get(config, DOCKER_MIRRORS), i, item)
		if (json_is_string(item) &&
		    strv_add(&route->endpoints, json_string_value(item)) < 0)
			return -ENOMEM;
	return route_add_registry(route, host);
}

static const char *const docker_files[] = { DOCKER_CONFIG, DOCKER_CERTS_D "/", NULL };

const struct runtime_kind runtime_docker = {
	"docker", docker_evidence, plan_docker, route_docker, docker_files,
};
