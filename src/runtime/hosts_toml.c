/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/hosts_toml.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "runtime/certs_d.h"
#include "runtime/endpoints.h"
#include "runtime/hosts_text.h"
#include "runtime/marked.h"
#include "runtime/toml.h"

#define ANY_HOST "*"

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

char *hosts_toml_directory(const char *host)
{
	const char *colon = strrchr(host, ':');
	char *name = NULL;

	if (strcmp(host, ANY_HOST) == 0)
		return strdup(HOSTS_TOML_DEFAULT_DIR);
	if (!colon || colon == host)
		return strdup(host);
	return asprintf(&name, "%.*s_%s_", (int)(colon - host), host, colon + 1) < 0 ? NULL : name;
}

/* The host that a directory stands for; owned by the caller. */
static char *directory_host(const char *name)
{
	size_t length = strlen(name);
	const char *port = NULL;
	char *host = NULL;

	if (strcmp(name, HOSTS_TOML_DEFAULT_DIR) == 0)
		return strdup(ANY_HOST);
	if (length > 2 && name[length - 1] == '_')
		port = memrchr(name, '_', length - 1);
	if (!port || port == name)
		return strdup(name);
	return asprintf(&host, "%.*s:%.*s", (int)(port - name), name,
			(int)(length - 2 - (size_t)(port - name)), port + 1) < 0
		       ? NULL
		       : host;
}

/* Where the block goes; *ret_done: the cache is the first host already. */
static int find_place(const struct toml_document *d, const char *text, size_t *ret_offset,
		      bool *ret_done, struct diag *diag)
{
	bool in_table = false, other_host = false;

	*ret_done = false;
	*ret_offset = strlen(text);
	for (size_t i = 0; i < d->n_statements; i++) {
		const struct toml_statement *s = &d->statements[i];
		if (s->kind == TOML_KEY && !in_table && strcmp(s->path[0], "host") == 0)
			return diag_set(diag, -EINVAL,
					"line %u: hosts are set without [host.…] tables, so the "
					"cache cannot be put before them",
					s->line);
		if (s->kind == TOML_KEY)
			continue;
		if (!in_table)
			*ret_offset = s->start;
		in_table = true;
		if (!toml_path_begins(s->path, "host", NULL))
			continue;
		if (!toml_path_begins(s->path, "host", REGISTRY_URL, NULL)) {
			other_host = true;
			continue;
		}
		if (other_host)
			return diag_set(diag, -EINVAL,
					"line %u: the cache is in this file, but not before the "
					"other hosts; move it up or take it out",
					s->line);
		*ret_done = true;
		return 0;
	}
	return 0;
}

int hosts_toml_merge(const char *text, const char *block, char **ret, struct diag *diag)
{
	_cleanup_toml_ struct toml_document d = { 0 };
	size_t offset = 0;
	bool done = false;
	int r = toml_scan(text, &d, diag);

	if (r == 0)
		r = find_place(&d, text, &offset, &done, diag);
	if (r < 0)
		return r;
	*ret = done ? NULL : marked_insert(text, offset, block);
	return done || *ret ? 0 : out_of_memory(diag);
}

/* The text of a host's file; *ret_secret: it holds credentials. */
static int make_text(const struct endpoint_list *list, const char *user, char *const *neighbours,
		     char **ret, bool *ret_secret, struct diag *diag)
{
	_cleanup_free_ char *block = NULL;
	int r = user ? hosts_text_block(list, user, &block, ret_secret, diag)
		     : hosts_text_file(list, neighbours, &block, ret_secret, diag);

	if (r < 0)
		return r;
	if (user)
		return hosts_toml_merge(user, block, ret, diag);
	*ret = marked_insert("", 0, block);
	return *ret ? 0 : out_of_memory(diag);
}

struct host_directory {
	char *name;
	char **names; /* strv: certificates and keys of the user's in it */
	char *file;   /* path of its hosts.toml */
	char *user;   /* the user's own hosts.toml; NULL: none */
};

static void host_directory_done(struct host_directory *h)
{
	free(h->name);
	strv_free(h->names);
	free(h->file);
	free(h->user);
}
#define _cleanup_directory_ _cleanup_(host_directory_done)

static bool is_certificate(const char *name)
{
	return text_ends_with(name, ".crt") || text_ends_with(name, ".cert") ||
	       text_ends_with(name, ".key");
}

/* Those that larder put there are named by their paths in its own directory. */
static int list_certificates(struct runtime_plan *plan, const char *path, char ***ret,
			     struct diag *diag)
{
	_cleanup_strv_ char **names = NULL;
	int r = rootfs_list(plan->root, path, &names);

	if (r < 0 && r != -ENOTDIR)
		return diag_set_at(diag, r, path, 0, 0, "cannot read: %s", strerror(-r));
	STRV_FOREACH (name, names) {
		_cleanup_free_ char *file = NULL;
		bool users = false;
		if (!is_certificate(*name))
			continue;
		if (asprintf(&file, "%s/%s", path, *name) < 0)
			return out_of_memory(diag);
		r = certs_d_is_users(plan, file, &users, diag);
		if (r == 0 && users && strv_add(ret, *name) < 0)
			r = out_of_memory(diag);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_directory(struct runtime_plan *plan, const char *certs_d, const char *name,
			  struct host_directory *ret, struct diag *diag)
{
	_cleanup_directory_ struct host_directory h = { .name = strdup(name) };
	_cleanup_free_ char *path = NULL;

	if (!h.name || asprintf(&path, "%s/%s", certs_d, name) < 0 ||
	    asprintf(&h.file, "%s/" HOSTS_TOML, path) < 0)
		return out_of_memory(diag);
	int r = list_certificates(plan, path, &h.names, diag);
	if (r < 0)
		return r;
	r = plan_user_text(plan, h.file, marked_strip, &h.user, diag);
	if (r < 0)
		return r;
	if (h.user && h.user[strspn(h.user, " \t\r\n")] == '\0') {
		free(h.user);
		h.user = NULL;
	}
	*ret = h;
	h = (struct host_directory){ 0 };
	return 0;
}

static int plan_host(struct runtime_plan *plan, size_t report, const struct host_directory *h,
		     const char *host, struct diag *diag)
{
	_cleanup_endpoints_ struct endpoint_list list = { 0 };
	_cleanup_free_ char *text = NULL;
	bool secret = false;

	if (endpoints_for(plan->config, host, &list) < 0)
		return out_of_memory(diag);
	int r = make_text(&list, h->user, h->names, &text, &secret, diag);
	if (r < 0)
		return diag_prefix(diag, r, "%s", h->file);
	if (!text)
		return 0;
	return plan_put(plan, report, h->file, h->user, text, secret ? 0600 : 0644, diag);
}

/* Directories that are there and say something: each would hide the cache. */
static int plan_existing(struct runtime_plan *plan, size_t report, const char *certs_d,
			 char ***hosts, struct diag *diag)
{
	_cleanup_strv_ char **names = NULL;
	int r = rootfs_list(plan->root, certs_d, &names);

	if (r < 0)
		return diag_set_at(diag, r, certs_d, 0, 0, "cannot read: %s", strerror(-r));
	STRV_FOREACH (name, names) {
		_cleanup_directory_ struct host_directory h = { 0 };
		_cleanup_free_ char *host = directory_host(*name);
		r = host ? read_directory(plan, certs_d, *name, &h, diag) : out_of_memory(diag);
		if (r == 0 && (h.user || h.names)) {
			r = plan_host(plan, report, &h, host, diag);
			if (r == 0 && strv_add(hosts, host) < 0)
				r = out_of_memory(diag);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int plan_missing(struct runtime_plan *plan, size_t report, const char *certs_d,
			const char *host, struct diag *diag)
{
	_cleanup_directory_ struct host_directory h = { 0 };
	_cleanup_free_ char *name = hosts_toml_directory(host);
	int r = name ? read_directory(plan, certs_d, name, &h, diag) : out_of_memory(diag);

	return r < 0 ? r : plan_host(plan, report, &h, host, diag);
}

/* A token is exchanged for another one before it is sent, which a header cannot say. */
static int hint_at_tokens(struct runtime_plan *plan, size_t report)
{
	const struct machine_config *c = plan->config;

	for (size_t i = 0; i < c->n_access; i++)
		if (c->access[i].identity_token &&
		    plan_hint(
			    plan, report,
			    "the identityToken of %s cannot be written to a hosts.toml; use username "
			    "and password, or imagePullSecrets",
			    c->access[i].host) < 0)
			return -ENOMEM;
	return 0;
}

int hosts_toml_plan(struct runtime_plan *plan, size_t report, const char *certs_d,
		    struct diag *diag)
{
	_cleanup_strv_ char **done = NULL, **hosts = NULL;
	int r = plan_existing(plan, report, certs_d, &done, diag);

	if (r == 0 && (endpoints_hosts(plan->config, &hosts) < 0 || strv_add(&hosts, ANY_HOST) < 0))
		r = out_of_memory(diag);
	STRV_FOREACH (host, hosts)
		if (r == 0 && !strv_contains(done, *host))
			r = plan_missing(plan, report, certs_d, *host, diag);
	if (r == 0 && hint_at_tokens(plan, report) < 0)
		r = out_of_memory(diag);
	return r;
}
