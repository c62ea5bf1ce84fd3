/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/rancher_values.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "runtime/pki.h"

static void write_item(FILE *f, const char *before, const char *text)
{
	_cleanup_free_ char *quoted = yaml_quote(text);

	fprintf(f, "%s%s", before, quoted ? quoted : "\"\"");
}

/* A URL as these programs take it: with a path, it is used as it is. */
static int add_endpoint(const struct endpoint *e, char ***list)
{
	const char *host = strstr(e->url, "://") + 3;
	const char *path = host + strcspn(host, "/");
	size_t length = strlen(e->url);

	while (length > 0 && e->url[length - 1] == '/')
		length--;
	bool whole = e->override_path || path[strspn(path, "/")] == '\0';
	return strv_addf(list, "%.*s%s", (int)length, e->url, whole ? "" : "/v2");
}

int rancher_endpoints(const struct machine_config *config, const char *host, char ***ret)
{
	_cleanup_endpoints_ struct endpoint_list list = { 0 };
	_cleanup_strv_ char **endpoints = NULL;
	int r = endpoints_for(config, host, &list);

	for (size_t i = 0; r == 0 && i < list.n_endpoints; i++)
		r = add_endpoint(&list.endpoints[i], &endpoints);
	if (r == 0)
		*ret = TAKE_PTR(endpoints);
	return r;
}

static char *write_list(char *const *endpoints)
{
	char *value = NULL;
	size_t size;
	FILE *f = open_memstream(&value, &size);

	if (!f)
		return NULL;
	fputc('[', f);
	for (char *const *e = endpoints; e && *e; e++)
		write_item(f, e == endpoints ? "" : ", ", *e);
	fputc(']', f);
	if (fclose(f) != 0) {
		free(value);
		return NULL;
	}
	return value;
}

char *rancher_mirror_value(const struct machine_config *config, const char *host)
{
	_cleanup_strv_ char **endpoints = NULL;
	_cleanup_free_ char *list = NULL;
	char *value = NULL;

	if (rancher_endpoints(config, host, &endpoints) < 0)
		return NULL;
	list = write_list(endpoints);
	return list && asprintf(&value, "{endpoint: %s}", list) >= 0 ? value : NULL;
}

int rancher_access_part(const struct registry_access_config *a, const char *section, char **ret)
{
	_cleanup_free_ char *ca = pki_path(a->host, PKI_CA),
			    *cert = pki_path(a->host, PKI_CLIENT_CERT),
			    *key = pki_path(a->host, PKI_CLIENT_KEY);
	const struct {
		const char *section, *name, *value;
	} fields[] = {
		{ "auth", "username", a->username },
		{ "auth", "password", a->password },
		{ "auth", "auth", a->auth },
		{ "auth", "identity_token", a->identity_token },
		{ "tls", "ca_file", a->ca ? ca : NULL },
		{ "tls", "cert_file", a->client_cert ? cert : NULL },
		{ "tls", "key_file", a->client_key ? key : NULL },
		{ "tls", "insecure_skip_verify", a->insecure_skip_verify ? "true" : NULL },
	};
	char *value = NULL;
	bool any = false;
	size_t size;
	FILE *f = open_memstream(&value, &size);

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!fields[i].value || strcmp(fields[i].section, section) != 0)
			continue;
		fprintf(f, "%s%s: ", any ? ", " : "{", fields[i].name);
		any = true;
		if (fields[i].value == ca || fields[i].value == cert || fields[i].value == key ||
		    strcmp(section, "tls") != 0)
			write_item(f, "", fields[i].value);
		else
			fputs(fields[i].value, f);
	}
	if (any)
		fputc('}', f);
	int r = fclose(f) != 0 ? -ENOMEM : 0;
	if (r < 0 || !any) {
		free(value);
		value = NULL;
	}
	if (r == 0)
		*ret = value;
	return r;
}

char *rancher_access_value(const struct registry_access_config *a, bool *secret)
{
	_cleanup_free_ char *auth = NULL, *tls = NULL;
	char *value = NULL;

	if (rancher_access_part(a, "auth", &auth) < 0 || rancher_access_part(a, "tls", &tls) < 0 ||
	    asprintf(&value, "{%s%s%s%s%s}", auth ? "auth: " : "", auth ? auth : "",
		     auth && tls ? ", " : "", tls ? "tls: " : "", tls ? tls : "") < 0)
		return NULL;
	*secret = *secret || auth;
	return value;
}

bool rancher_is_shared(const struct node *mirrors, const struct node_pair *pair)
{
	const struct node *endpoints = node_get(pair->value, "endpoint");

	for (size_t i = 0; i < mirrors->n; i++) {
		const struct node *value = mirrors->pairs[i].value;
		if (&mirrors->pairs[i] != pair &&
		    (value == pair->value ||
		     (endpoints && node_get(value, "endpoint") == endpoints)))
			return true;
	}
	return false;
}

bool rancher_names(const struct node *list, const char *url)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i]->kind == NODE_SCALAR && strcmp(list->items[i]->text, url) == 0)
			return true;
	return false;
}

bool rancher_is_aliased(const struct node *configs, const struct node *entry)
{
	size_t n = 0;

	for (size_t i = 0; i < configs->n; i++)
		n += configs->pairs[i].value == entry;
	return n > 1;
}

static char *join(char *const *items, const char *before, const char *after)
{
	char *text = strdup(before);

	for (char *const *item = items; text && *item; item++) {
		char *longer = NULL;
		if (asprintf(&longer, "%s%s%s", text, *item, item[1] ? ", " : after) < 0)
			longer = NULL;
		free(text);
		text = longer;
	}
	return text;
}

int rancher_add_endpoints(struct yaml_edit *edit, const struct node_pair *pair,
			  const struct node *nothing, char *const *items)
{
	bool whole = nothing == pair->value;
	_cleanup_free_ char *list = join(items, whole ? "{endpoint: [" : "[", whole ? "]}" : "]");

	if (!list)
		return -ENOMEM;
	return nothing ? yaml_edit_fill(edit, nothing, list)
		       : yaml_edit_add(edit, pair->value, "endpoint", list);
}
