/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/rancher_values.h"

#include <string.h>

#include "runtime/pki.h"
#include "runtime/yaml_edit.h"

static void write_item(FILE *f, const char *before, const char *text)
{
	_cleanup_free_ char *quoted = yaml_quote(text);

	fprintf(f, "%s%s", before, quoted ? quoted : "\"\"");
}

/* A URL as these programs take it: with a path, it is used as it is. */
static void write_endpoint(FILE *f, const struct endpoint *e, bool first)
{
	const char *host = strstr(e->url, "://") + 3;
	const char *path = host + strcspn(host, "/");
	_cleanup_free_ char *url = NULL;
	size_t length = strlen(e->url);

	while (length > 0 && e->url[length - 1] == '/')
		length--;
	bool whole = e->override_path || path[strspn(path, "/")] == '\0';
	if (asprintf(&url, "%.*s%s", (int)length, e->url, whole ? "" : "/v2") < 0)
		url = NULL;
	write_item(f, first ? "" : ", ", url ? url : "");
}

char *rancher_mirror_value(const struct machine_config *config, const char *host)
{
	_cleanup_endpoints_ struct endpoint_list list = { 0 };
	char *value = NULL;
	size_t size;
	FILE *f = open_memstream(&value, &size);

	if (!f || endpoints_for(config, host, &list) < 0) {
		if (f)
			fclose(f);
		free(value);
		return NULL;
	}
	fputs("{endpoint: [", f);
	for (size_t i = 0; i < list.n_endpoints; i++)
		write_endpoint(f, &list.endpoints[i], i == 0);
	fputs("]}", f);
	if (fclose(f) != 0) {
		free(value);
		return NULL;
	}
	return value;
}

char *rancher_access_value(const struct registry_access_config *a, bool *secret)
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
	const char *open = NULL;
	char *value = NULL;
	size_t size;
	FILE *f = open_memstream(&value, &size);

	if (!f)
		return NULL;
	fputc('{', f);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!fields[i].value)
			continue;
		if (!open || strcmp(open, fields[i].section) != 0)
			fprintf(f, "%s%s: {", open ? "}, " : "", fields[i].section);
		else
			fputs(", ", f);
		open = fields[i].section;
		fprintf(f, "%s: ", fields[i].name);
		if (strcmp(fields[i].value, "true") == 0 && strcmp(open, "tls") == 0)
			fputs("true", f);
		else
			write_item(f, "", fields[i].value);
		*secret = *secret || strcmp(open, "auth") == 0;
	}
	fputs(open ? "}}" : "}", f);
	if (fclose(f) != 0) {
		free(value);
		return NULL;
	}
	return value;
}
