/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/endpoints.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"

#define ANY_HOST "*"

static const struct mirror_config *find_mirror(const struct machine_config *config,
					       const char *host)
{
	for (size_t i = 0; i < config->n_mirrors; i++)
		if (strcmp(config->mirrors[i].host, host) == 0)
			return &config->mirrors[i];
	return NULL;
}

bool endpoints_has_mirror(const struct machine_config *config, const char *host)
{
	return find_mirror(config, host) != NULL;
}

static const struct registry_access_config *find_access(const struct machine_config *config,
							const char *host)
{
	for (size_t i = 0; i < config->n_access; i++)
		if (strcmp(config->access[i].host, host) == 0)
			return &config->access[i];
	return NULL;
}

const struct registry_access_config *endpoints_access(const struct machine_config *config,
						      const char *host)
{
	const struct registry_access_config *access = find_access(config, host);

	/* Docker Hub's images are named after one host and served by another. */
	if (!access && strcmp(host, "docker.io") == 0)
		access = find_access(config, "registry-1.docker.io");
	return access;
}

char *endpoint_host(const char *url)
{
	const char *start = strstr(url, "://");

	start = start ? start + 3 : url;
	return strndup(start, strcspn(start, "/"));
}

int endpoints_for(const struct machine_config *config, const char *host, struct endpoint_list *ret)
{
	const struct mirror_config *mirror = find_mirror(config, host);
	struct endpoint_list list = { .fallback = true };

	if (!mirror)
		mirror = find_mirror(config, ANY_HOST);
	size_t n = mirror ? mirror->n_endpoints : 0;
	list.endpoints = calloc(n + 1, sizeof(*list.endpoints));
	if (!list.endpoints)
		return -ENOMEM;
	list.endpoints[list.n_endpoints++] = (struct endpoint){ .url = REGISTRY_URL };
	list.access = endpoints_access(config, host);
	if (mirror)
		list.fallback = !mirror->skip_fallback;
	for (size_t i = 0; i < n; i++) {
		const struct mirror_endpoint *from = &mirror->endpoints[i];
		_cleanup_free_ char *endpoint = endpoint_host(from->url);
		if (!endpoint) {
			endpoint_list_done(&list);
			return -ENOMEM;
		}
		list.endpoints[list.n_endpoints++] =
			(struct endpoint){ from->url, from->override_path,
					   endpoints_access(config, endpoint) };
	}
	*ret = list;
	return 0;
}

void endpoint_list_done(struct endpoint_list *list)
{
	free(list->endpoints);
	*list = (struct endpoint_list){ 0 };
}

int endpoints_hosts(const struct machine_config *config, char ***ret)
{
	_cleanup_strv_ char **hosts = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->n_mirrors; i++)
		if (strcmp(config->mirrors[i].host, ANY_HOST) != 0)
			r = strv_add(&hosts, config->mirrors[i].host);
	for (size_t i = 0; r == 0 && i < config->n_access; i++)
		if (!strv_contains(hosts, config->access[i].host))
			r = strv_add(&hosts, config->access[i].host);
	if (r < 0)
		return r;
	strv_sort_natural(hosts);
	*ret = TAKE_PTR(hosts);
	return 0;
}

static char *encode_base64(const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t size = strlen(text), n = 0;
	char *out = malloc((size + 2) / 3 * 4 + 1);

	for (size_t i = 0; out && i < size; i += 3) {
		unsigned bits = (unsigned)(unsigned char)text[i] << 16;
		if (i + 1 < size)
			bits |= (unsigned)(unsigned char)text[i + 1] << 8;
		if (i + 2 < size)
			bits |= (unsigned char)text[i + 2];
		out[n++] = digits[bits >> 18];
		out[n++] = digits[bits >> 12 & 63];
		out[n++] = '=';
		out[n++] = '=';
		if (i + 1 < size)
			out[n - 2] = digits[bits >> 6 & 63];
		if (i + 2 < size)
			out[n - 1] = digits[bits & 63];
	}
	if (out)
		out[n] = '\0';
	return out;
}

int endpoint_authorization(const struct registry_access_config *access, char **ret)
{
	_cleanup_free_ char *pair = NULL, *encoded = NULL;

	*ret = NULL;
	if (!access || (!access->auth && !access->username))
		return 0;
	if (access->auth) {
		encoded = strdup(access->auth);
	} else {
		if (asprintf(&pair, "%s:%s", access->username,
			     access->password ? access->password : "") < 0)
			return -ENOMEM;
		encoded = encode_base64(pair);
	}
	if (!encoded || asprintf(ret, "Basic %s", encoded) < 0)
		return -ENOMEM;
	return 0;
}
