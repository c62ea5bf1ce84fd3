/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/auth_json.h"

#include <string.h>

#include "base/text.h"
#include "runtime/endpoints.h"
#include "runtime/json_file.h"
#include "runtime/toml.h"

#define AUTH_HOME	   "/root"
#define AUTH_DOCKER_CLIENT "/root/.docker/config.json" /* read after AUTH_JSON */
#define CRIO_CONF	   "/etc/crio/crio.conf"
#define CRIO_CONF_D	   "/etc/crio/crio.conf.d"
#define BASIC		   "Basic "

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

static bool has_credentials(const struct registry_access_config *a)
{
	return a->username || a->auth || a->identity_token;
}

/* The names of Docker Hub are one (c/image: normalizeRegistry). */
static const char *plain_host(const char *host)
{
	return strcmp(host, "registry-1.docker.io") == 0 || strcmp(host, "index.docker.io") == 0
		       ? "docker.io"
		       : host;
}

/* Is a key of a file the registry? Old keys are URLs: "https://index.docker.io/v1/". */
static bool names_host(const char *key, const char *host)
{
	const char *start = strstr(key, "://");
	_cleanup_free_ char *name = start ? endpoint_host(key) : strdup(key);

	return name && strcmp(plain_host(name), plain_host(host)) == 0;
}

static bool has_entry(const json_t *root, const char *host)
{
	static const char *const sections[] = { "auths", "credHelpers" };
	const char *key;
	json_t *value;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		json_object_foreach (json_object_get(root, sections[i]), key, value)
			if (names_host(key, host))
				return true;
	return false;
}

/* { "auth": "…", "identitytoken": "…" }: a token still needs the base64 of something with a colon in it. */
static int make_entry(const struct registry_access_config *a, json_t **ret)
{
	struct registry_access_config with_user = *a;
	char token[] = "<token>";
	_cleanup_free_ char *header = NULL;
	json_t *entry;

	if (!a->auth && !a->username)
		with_user.username = token;
	if (endpoint_authorization(&with_user, &header) < 0 || !header)
		return -ENOMEM;
	entry = json_pack("{s:s, s:s*}", "auth", header + strlen(BASIC), "identitytoken",
			  a->identity_token);
	*ret = entry;
	return entry ? 0 : -ENOMEM;
}

/* Adds what neither file of the user has; *ret_any: there was something. */
static int add_entries(struct runtime_plan *plan, size_t report, json_t *root, const json_t *other,
		       bool *ret_any, struct diag *diag)
{
	_cleanup_(json_decrefp) json_t *before = json_deep_copy(root);
	json_t *auths = json_object_get(root, "auths");

	*ret_any = false;
	if (auths && !json_is_object(auths))
		return diag_set_at(diag, -EINVAL, AUTH_JSON, 0, 0, "\"auths\" must be an object");
	for (size_t i = 0; i < plan->config->n_access; i++) {
		const struct registry_access_config *a = &plan->config->access[i];
		bool here = has_entry(before, a->host), there = has_entry(other, a->host);
		json_t *entry = NULL;
		if (!has_credentials(a))
			continue;
		if ((here || there) &&
		    plan_hint(plan, report,
			      "%s has credentials for %s, so those of the machine config are not "
			      "written",
			      here ? AUTH_JSON : AUTH_DOCKER_CLIENT, a->host) < 0)
			return out_of_memory(diag);
		if (here || there)
			continue;
		if (!auths) {
			auths = json_object();
			if (json_object_set_new(root, "auths", auths) < 0)
				return out_of_memory(diag);
		}
		if (make_entry(a, &entry) < 0 || json_object_set_new(auths, a->host, entry) < 0)
			return out_of_memory(diag);
		*ret_any = true;
	}
	return 0;
}

/* What root's Docker client knows; NULL: nothing, or nobody can tell. */
static json_t *read_docker_client(struct runtime_plan *plan)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	json_t *root = NULL;

	if (rootfs_read_linked(plan->root, AUTH_DOCKER_CLIENT, &file) < 0 ||
	    json_file_parse(AUTH_DOCKER_CLIENT, file.text, &root, NULL) < 0)
		return NULL;
	return root;
}

static int put_auth(struct runtime_plan *plan, size_t report, struct diag *diag)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	_cleanup_(json_decrefp) json_t *other = read_docker_client(plan);
	_cleanup_free_ char *user = NULL, *text = NULL;
	bool any = false;

	if (!rootfs_exists(plan->root, AUTH_HOME))
		return plan_hint(plan, report,
				 "credentials of the machine config are not written to " AUTH_JSON
				 ": there is no " AUTH_HOME) < 0
			       ? out_of_memory(diag)
			       : 0;
	int r = plan_user_text(plan, AUTH_JSON, json_file_strip, &user, diag);
	if (r == 0)
		r = json_file_parse(AUTH_JSON, user, &root, diag);
	if (r == 0)
		r = add_entries(plan, report, root, other, &any, diag);
	if (r < 0 || !any)
		return r;
	r = json_file_dump(root, user, &text, diag);
	if (r == 0)
		r = plan_put(plan, report, AUTH_JSON, user, text, 0600, diag);
	if (text)
		explicit_bzero(text, strlen(text));
	return r;
}

/* The last file that sets it counts. */
static int read_crio_file(int root, const char *path, char **value)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_toml_ struct toml_document d = { 0 };
	int r = rootfs_read_linked(root, path, &file);

	if (r == 0 && file.text)
		r = toml_scan(file.text, &d, NULL);
	for (size_t i = 0; r == 0 && i < d.n_statements; i++) {
		char *text = NULL;
		if (d.statements[i].kind != TOML_KEY ||
		    !toml_path_is(d.statements[i].path, "crio", "image", "global_auth_file", NULL))
			continue;
		r = toml_string(&d, &d.statements[i], &text);
		if (r < 0)
			break;
		free(*value);
		*value = text;
	}
	return r == -ENOMEM ? r : 0;
}

/* CRI-O's global_auth_file; *ret NULL: none is set. */
static int crio_auth_file(int root, char **ret)
{
	_cleanup_strv_ char **names = NULL;
	int r = read_crio_file(root, CRIO_CONF, ret);

	if (r == 0 && rootfs_list(root, CRIO_CONF_D, &names) == -ENOMEM)
		r = -ENOMEM;
	STRV_FOREACH (name, names) {
		_cleanup_free_ char *path = NULL;
		if (r == 0 && asprintf(&path, CRIO_CONF_D "/%s", *name) < 0)
			r = -ENOMEM;
		if (r == 0)
			r = read_crio_file(root, path, ret);
	}
	return r;
}

static int hint_at_crio(struct runtime_plan *plan, size_t report, struct diag *diag)
{
	_cleanup_free_ char *file = NULL;

	if (crio_auth_file(plan->root, &file) < 0)
		return out_of_memory(diag);
	if (!file || !*file || strcmp(file, AUTH_JSON) == 0)
		return 0;
	return plan_hint(
		       plan, report,
		       "CRI-O reads credentials from %s alone, because its global_auth_file says so; put "
		       "those of " AUTH_JSON
		       " there, too, or set global_auth_file = \"\" and restart crio",
		       file) < 0
		       ? out_of_memory(diag)
		       : 0;
}

int auth_json_plan(struct runtime_plan *plan, struct diag *diag)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	bool any = false;
	size_t report;

	for (size_t i = 0; i < plan->config->n_access; i++)
		any = any || has_credentials(&plan->config->access[i]);
	if (!any)
		return 0;
	if (plan_add_report(plan, "credentials", RUNTIME_UNCHANGED, &report) < 0)
		return out_of_memory(diag);
	int r = put_auth(plan, report, &why);
	if (r == 0)
		r = hint_at_crio(plan, report, &why);
	if (r == -ENOMEM || (r < 0 && plan_fail(plan, report, diag_text(&why)) < 0))
		return out_of_memory(diag);
	return 0;
}
