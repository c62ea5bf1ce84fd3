/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/hosts_toml.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "runtime/endpoints.h"
#include "runtime/marked.h"
#include "runtime/pki.h"
#include "runtime/toml.h"

#define HOSTS_TOML "hosts.toml"
#define ANY_HOST   "*"

struct writer {
	FILE *f;
	bool secret; /* was a credential written? */
	int error;
};

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

static void write_quoted(struct writer *w, const char *before, const char *text, const char *after)
{
	_cleanup_free_ char *quoted = toml_quote(text);

	if (!quoted)
		w->error = -ENOMEM;
	else
		fprintf(w->f, "%s%s%s", before, quoted, after);
}

/* ca, client and skip_verify of a host, or of the server if indent is "". */
static void write_tls(struct writer *w, const struct registry_access_config *access,
		      const char *indent)
{
	if (!access)
		return;
	_cleanup_free_ char *ca = pki_path(access->host, PKI_CA);
	_cleanup_free_ char *cert = pki_path(access->host, PKI_CLIENT_CERT);
	_cleanup_free_ char *key = pki_path(access->host, PKI_CLIENT_KEY);

	if (!ca || !cert || !key) {
		w->error = -ENOMEM;
		return;
	}
	if (access->ca) {
		fprintf(w->f, "%sca = ", indent);
		write_quoted(w, "", ca, "\n");
	}
	if (access->client_cert && access->client_key) {
		fprintf(w->f, "%sclient = [[", indent);
		write_quoted(w, "", cert, ", ");
		write_quoted(w, "", key, "]]\n");
	}
	if (access->insecure_skip_verify)
		fprintf(w->f, "%sskip_verify = true\n", indent);
}

/* [header] or [host."…".header] with the credentials. */
static void write_authorization(struct writer *w, const struct registry_access_config *access,
				const char *url)
{
	_cleanup_free_ char *header = NULL;

	if (endpoint_authorization(access, &header) < 0)
		w->error = -ENOMEM;
	if (!header)
		return;
	w->secret = true;
	if (url)
		write_quoted(w, "  [host.", url, ".header]\n");
	else
		fputs("\n[header]\n", w->f);
	write_quoted(w, "    authorization = [", header, "]\n");
}

static void write_host(struct writer *w, const struct endpoint *e)
{
	write_quoted(w, "\n[host.", e->url, "]\n");
	fputs("  capabilities = [\"pull\", \"resolve\"]\n", w->f);
	if (e->override_path)
		fputs("  override_path = true\n", w->f);
	write_tls(w, e->access, "  ");
	write_authorization(w, e->access, e->url);
}

static bool is_listed_before(const struct endpoint_list *list, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(list->endpoints[j].url, list->endpoints[i].url) == 0)
			return true;
	return false;
}

/* Certificates beside a hosts.toml were read while there was none (Docker's pattern): now they must be named. */
static void write_neighbours(struct writer *w, char *const *names)
{
	bool any = false;

	for (char *const *n = names; n && *n; n++) {
		if (!text_ends_with(*n, ".crt"))
			continue;
		fputs(any ? ", " : "ca = [", w->f);
		write_quoted(w, "", *n, "");
		any = true;
	}
	fputs(any ? "]\n" : "", w->f);
	any = false;
	for (char *const *n = names; n && *n; n++) {
		if (!text_ends_with(*n, ".cert"))
			continue;
		_cleanup_free_ char *key = strndup(*n, strlen(*n) - strlen("cert"));
		_cleanup_free_ char *key_name = NULL;
		if (!key || asprintf(&key_name, "%skey", key) < 0) {
			w->error = -ENOMEM;
			return;
		}
		if (!strv_contains((char *const *)names, key_name))
			continue;
		fputs(any ? ", " : "client = [", w->f);
		write_quoted(w, "[", *n, ", ");
		write_quoted(w, "", key_name, "]");
		any = true;
	}
	fputs(any ? "]\n" : "", w->f);
}

/* The whole file of a registry. */
static void write_file(struct writer *w, const struct endpoint_list *list, char *const *neighbours)
{
	size_t n_hosts = list->fallback ? list->n_endpoints : list->n_endpoints - 1;
	const struct registry_access_config *access = list->access;

	if (!list->fallback) {
		const struct endpoint *last = &list->endpoints[n_hosts];
		write_quoted(w, "server = ", last->url, "\n");
		if (last->override_path)
			fputs("override_path = true\n", w->f);
		access = last->access;
	}
	if (access && (access->ca || access->client_cert || access->insecure_skip_verify))
		write_tls(w, access, "");
	else if (list->fallback)
		write_neighbours(w, neighbours);
	write_authorization(w, access, NULL);
	for (size_t i = 0; i < n_hosts; i++)
		if (!is_listed_before(list, i))
			write_host(w, &list->endpoints[i]);
}

/* What goes before the hosts of a user's file: the cache, and mirrors that the file does not name. */
static void write_block(struct writer *w, const struct endpoint_list *list,
			const struct toml_document *user)
{
	for (size_t i = 0; i < list->n_endpoints; i++) {
		bool named = is_listed_before(list, i);
		for (size_t j = 0; !named && j < user->n_statements; j++)
			named = toml_path_begins(user->statements[j].path, "host",
						 list->endpoints[i].url, NULL);
		if (!named)
			write_host(w, &list->endpoints[i]);
	}
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
	_cleanup_toml_ struct toml_document d = { 0 };
	_cleanup_free_ char *block = NULL;
	size_t size;
	int r = user ? toml_scan(user, &d, diag) : 0;

	if (r < 0)
		return r;
	struct writer w = { .f = open_memstream(&block, &size) };
	if (!w.f)
		return out_of_memory(diag);
	if (user)
		write_block(&w, list, &d);
	else
		write_file(&w, list, neighbours);
	if (fclose(w.f) != 0 || w.error < 0)
		return out_of_memory(diag);
	*ret_secret = w.secret;
	if (user)
		return hosts_toml_merge(user, block, ret, diag);
	*ret = marked_insert("", 0, block);
	return *ret ? 0 : out_of_memory(diag);
}

struct host_directory {
	char *name;
	char **names; /* strv: what is in it */
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

static int read_directory(struct runtime_plan *plan, const char *certs_d, const char *name,
			  struct host_directory *ret, struct diag *diag)
{
	_cleanup_directory_ struct host_directory h = { .name = strdup(name) };
	_cleanup_free_ char *path = NULL;

	if (!h.name || asprintf(&path, "%s/%s", certs_d, name) < 0 ||
	    asprintf(&h.file, "%s/" HOSTS_TOML, path) < 0)
		return out_of_memory(diag);
	int r = rootfs_list(plan->root, path, &h.names);
	if (r < 0 && r != -ENOTDIR)
		return diag_set_at(diag, r, path, 0, 0, "cannot read: %s", strerror(-r));
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

static bool has_certificates(char *const *names)
{
	for (; names && *names; names++)
		if (text_ends_with(*names, ".crt") || text_ends_with(*names, ".cert") ||
		    text_ends_with(*names, ".key"))
			return true;
	return false;
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
		if (r == 0 && (h.user || has_certificates(h.names))) {
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
	return r;
}
