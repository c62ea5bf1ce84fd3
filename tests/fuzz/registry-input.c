/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/registry-input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/fields.h"
#include "registry/route.h"
#include "store/manifest.h"
#include "store/reference.h"

#define demand(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static bool inside(struct http_text text, const char *data, size_t size)
{
	return !text.data || (text.data >= data && text.data + text.size <= data + size) ||
	       http_text_equal(text, "/");
}

static void read_fields(const struct http_request *request)
{
	char buffer[64];
	uint64_t first, count;

	(void)http_accept_quality(request, "application/vnd.oci.image.index.v1+json");
	(void)http_etag_listed(http_field(request, "If-None-Match"), "\"sha256:00\"");
	(void)http_if_range_holds(http_field(request, "If-Range"), "\"sha256:00\"");
	(void)http_percent_decode(request->path, buffer, sizeof(buffer));
	(void)http_query_parameter(request->query, "ns", buffer, sizeof(buffer));
	if (http_range(http_field(request, "Range"), 1000, &first, &count) == HTTP_RANGE_ONE)
		demand(count > 0 && first < 1000 && count <= 1000 - first);
}

static void check_request(const char *data, size_t size)
{
	struct http_request request;
	unsigned status = 0;
	int r = http_parse(data, size, &request, &status);

	demand(r == 0 || r == -EBADMSG);
	if (r < 0) {
		demand(status >= 400 && status != 401 && status != 408 && status != 429);
		return;
	}
	demand(inside(request.path, data, size) && inside(request.query, data, size));
	demand(request.path.size > 0 && request.n_fields <= HTTP_FIELDS_MAX);
	for (size_t i = 0; i < request.n_fields; i++) {
		demand(request.fields[i].name.size > 0);
		demand(inside(request.fields[i].name, data, size));
		demand(inside(request.fields[i].value, data, size));
		demand(!memchr(request.fields[i].value.data, '\n', request.fields[i].value.size));
	}
	read_fields(&request);
}

void input_http(const uint8_t *bytes, size_t size)
{
	/* A copy without a byte to spare, so that the sanitizer sees a read behind the end. */
	_cleanup_free_ char *data = malloc(size ? size : 1);
	struct http_scan whole = { 0 }, pieces = { 0 };
	size_t used = 0, used_pieces = 0;
	int again = -EAGAIN;

	if (size > 0)
		memcpy(data, bytes, size);
	int r = http_scan(&whole, data, size, &used);
	for (size_t n = 0; n <= size && again == -EAGAIN; n++)
		again = http_scan(&pieces, data, n, &used_pieces);
	demand(r == again && used == used_pieces && whole.status == pieces.status);
	demand(r != 0 || (used <= size && used <= HTTP_HEADER_MAX));
	if (r == 0) {
		_cleanup_free_ char *exact = malloc(used);
		memcpy(exact, data, used);
		check_request(exact, used);
	}
}

/* The input as text, cut at its first NUL; the caller's. */
static char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	demand(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* What a route that is sound may be looked up by. */
static void check_sound(const struct route *route)
{
	char registry[REFERENCE_REGISTRY_MAX + 1], repository[ROUTE_NAME_MAX + 1];

	demand(!strstr(route->name, "..") && route->name[0] != '/');
	demand(!route->registry[0] || registry_is_valid(route->registry));
	demand(!route->name[0] || repository_is_valid(route->name) ||
	       route_split_name(route->name, registry, repository));
	if (route->kind == ROUTE_MANIFEST)
		demand(tag_is_valid(route->tag) || route->digest.algorithm != DIGEST_NONE);
	if (route->kind == ROUTE_BLOB || route->kind == ROUTE_REFERRERS)
		demand(route->digest.algorithm != DIGEST_NONE);
}

void input_route(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = text_of(data, size);
	struct http_request request = { .method = HTTP_GET };
	struct route route;
	const char *mark = strchr(text, '?');

	request.path = (struct http_text){ text, mark ? (size_t)(mark - text) : strlen(text) };
	if (mark)
		request.query = (struct http_text){ mark + 1, strlen(mark + 1) };
	route_parse(&request, &route);
	demand(route.kind < ROUTE_KINDS && route_kind_name(route.kind));
	if (route.flaw == ROUTE_SOUND)
		check_sound(&route);
}

void input_reference(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = text_of(data, size);
	struct reference reference = { 0 }, again = { 0 };

	if (reference_parse(text, &reference, NULL) < 0)
		return;
	_cleanup_free_ char *formatted = reference_format(&reference);
	demand(formatted && reference_parse(formatted, &again, NULL) == 0);
	demand(strcmp(reference.registry, again.registry) == 0);
	demand(strcmp(reference.repository, again.repository) == 0);
	demand(!strstr(reference.repository, ".."));
	reference_done(&reference);
	reference_done(&again);
}

static void check_range(struct http_text text, uint64_t size)
{
	uint64_t first = 0, count = 0;

	if (http_range(text, size, &first, &count) == HTTP_RANGE_ONE)
		demand(count > 0 && first < size && count <= size - first);
	else
		demand(first == 0 && count == 0);
}

/* A Range for contents of every size, the condition before it, and lists of entity tags. */
void input_range(const uint8_t *bytes, size_t size)
{
	static const uint64_t sizes[] = { 0, 1, 77, UINT32_MAX, INT64_MAX, UINT64_MAX };
	/* A copy without a byte to spare, as in input_http(). */
	_cleanup_free_ char *data = malloc(size ? size : 1);
	struct http_text text = { data, size };

	demand(data);
	if (size > 0)
		memcpy(data, bytes, size);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		check_range(text, sizes[i]);
	if (http_if_range_holds(text, "\"sha256:00\""))
		demand(http_etag_listed(text, "\"sha256:00\""));
}

void input_accept(const uint8_t *data, size_t size)
{
	static const char *const types[] = { "application/json",
					     "application/vnd.oci.image.index.v1+json", "a/b" };
	_cleanup_free_ char *text = text_of(data, size);
	struct http_request request = { .n_fields = 2 };
	const char *second = strchr(text, '\n');

	/* Two fields of the same name: what is before the first line end, and what is behind it. */
	request.fields[0].name = request.fields[1].name = (struct http_text){ "Accept", 6 };
	request.fields[0].value = (struct http_text){ text, strcspn(text, "\n") };
	request.fields[1].value =
		(struct http_text){ second ? second + 1 : "", second ? strlen(second + 1) : 0 };
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		demand(http_accept_quality(&request, types[i]) <= 1000);
}

static void check_descriptor(const struct descriptor *d)
{
	char text[DIGEST_STRING_MAX];
	struct digest again;

	if (d->digest.algorithm == DIGEST_NONE)
		return;
	demand(digest_parse(digest_format(&d->digest, text), &again) == 0);
	demand(digest_equal(&d->digest, &again) && d->size <= INT64_MAX);
}

void input_manifest(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *data = malloc(size ? size : 1);
	_cleanup_manifest_ struct manifest manifest = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;

	demand(data);
	if (size > 0)
		memcpy(data, bytes, size);
	int r = manifest_parse(data, size, &manifest, &diag);
	demand(r == 0 || (r == -EINVAL && diag.message) || r == -ENOMEM);
	if (r < 0)
		return;
	demand(manifest.media_type && manifest.n_items <= MANIFEST_DESCRIPTORS_MAX);
	check_descriptor(&manifest.config);
	check_descriptor(&manifest.subject);
	for (size_t i = 0; i < manifest.n_items; i++) {
		demand(manifest.items[i].digest.algorithm != DIGEST_NONE);
		check_descriptor(&manifest.items[i]);
	}
}
