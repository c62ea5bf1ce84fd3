/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/hosts_text.h"

#include <string.h>

#include "base/text.h"
#include "runtime/pki.h"
#include "runtime/toml.h"

struct writer {
	FILE *f;
	bool secret; /* was a credential written? */
	int error;
};

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

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

/* After the last word. */
static int finish(struct writer *w, bool *ret_secret, struct diag *diag)
{
	*ret_secret = w->secret;
	return fclose(w->f) != 0 || w->error < 0 ? out_of_memory(diag) : 0;
}

int hosts_text_file(const struct endpoint_list *list, char *const *neighbours, char **ret,
		    bool *ret_secret, struct diag *diag)
{
	size_t size;
	struct writer w = { .f = open_memstream(ret, &size) };

	if (!w.f)
		return out_of_memory(diag);
	write_file(&w, list, neighbours);
	return finish(&w, ret_secret, diag);
}

int hosts_text_block(const struct endpoint_list *list, const char *user, char **ret,
		     bool *ret_secret, struct diag *diag)
{
	_cleanup_toml_ struct toml_document d = { 0 };
	size_t size;
	int r = toml_scan(user, &d, diag);

	if (r < 0)
		return r;
	struct writer w = { .f = open_memstream(ret, &size) };
	if (!w.f)
		return out_of_memory(diag);
	write_block(&w, list, &d);
	return finish(&w, ret_secret, diag);
}
