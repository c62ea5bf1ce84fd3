/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A registry on a socket pair: what each request is answered with. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "lib/store.h"
#include "registry/inside.h"
#include "registry/route.h"
#include "store/tree.h"

struct world {
	char dir[64];
	struct event_base *base;
	struct registry *registry;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char *caches[] = { w->dir, NULL };
	struct registry_options options = { .caches = caches, .workers = 1 };

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_EMERG);
	strcpy(w->dir, "/tmp/larder-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	store_make(w->dir);
	w->base = event_base_new();
	assert_int_equal(registry_new(w->base, &options, &w->registry, NULL), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	registry_free(w->registry);
	event_base_free(w->base);
	assert_int_equal(remove_tree_at(AT_FDCWD, w->dir), 0);
	free(w);
	return 0;
}

static int begin_asking(struct world *w, const char *request)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(registry_adopt(w->registry, pair[0]), 0);
	assert_int_equal(write(pair[1], request, strlen(request)), strlen(request));
	shutdown(pair[1], SHUT_WR);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	return pair[1];
}

/* All that comes until the server closes; the caller's. */
static char *end_asking(struct world *w, int client)
{
	size_t size = 0, capacity = 1 << 20;
	char *text = calloc(1, capacity);

	for (;;) {
		ssize_t n = read(client, text + size, capacity - size - 1);
		if (n == 0)
			break;
		if (n > 0)
			size += (size_t)n;
		else
			event_base_loop(w->base, EVLOOP_ONCE);
	}
	close_fd(client);
	return text;
}

static char *ask(struct world *w, const char *request)
{
	return end_asking(w, begin_asking(w, request));
}

/* "{image}" and the like become digests. */
static char *expand(const char *text)
{
	const struct {
		const char *name;
		const struct digest *digest;
	} names[] = {
		{ "{config}", &store_config },	   { "{layer}", &store_layer },
		{ "{big}", &store_second_layer },  { "{image}", &store_image },
		{ "{index}", &store_index },	   { "{broken}", &store_broken },
		{ "{referrer}", &store_referrer },
	};
	char *result = NULL, buffer[DIGEST_STRING_MAX];
	size_t size;
	FILE *f = open_memstream(&result, &size);

	while (*text) {
		size_t i = 0;
		while (i < ARRAY_SIZE(names) &&
		       strncmp(text, names[i].name, strlen(names[i].name)) != 0)
			i++;
		if (i < ARRAY_SIZE(names)) {
			fputs(digest_format(names[i].digest, buffer), f);
			text += strlen(names[i].name);
		} else {
			fputc(*text++, f);
		}
	}
	fclose(f);
	return result;
}

struct expectation {
	const char *request; /* method and target */
	const char *fields;  /* more header fields, each with CRLF; NULL: none */
	unsigned status;
	const char *has[4]; /* each must be in the answer */
};

/* What holds for every answer of a registry, whatever was asked. */
static void check_answer(const char *request, const char *answer)
{
	static const char *const never[] = { "HTTP/1.1 401",	  "HTTP/1.1 408",
					     "HTTP/1.1 429",	  "WWW-Authenticate:",
					     "Content-Encoding:", "Transfer-Encoding:" };
	static const char *const codes[] = { "BLOB_UNKNOWN", "DIGEST_INVALID", "MANIFEST_UNKNOWN",
					     "NAME_INVALID", "NAME_UNKNOWN",   "SIZE_INVALID",
					     "UNSUPPORTED" };
	const char *code = strstr(answer, "{\"errors\":[{\"code\":\"");
	size_t known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (strstr(answer, never[i]))
			fail_msg("%s: has \"%s\": %s", request, never[i], answer);
	if (strstr(answer, " 304 ") == NULL)
		assert_non_null(strstr(answer, "\r\nContent-Length: "));
	if (!code)
		return;
	code += strlen("{\"errors\":[{\"code\":\"");
	while (known < ARRAY_SIZE(codes) && strncmp(code, codes[known], strlen(codes[known])) != 0)
		known++;
	if (known == ARRAY_SIZE(codes))
		fail_msg("%s: no code of the specification: %s", request, answer);
}

static void check_all(struct world *w, const struct expectation *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *target = expand(cases[i].request);
		_cleanup_free_ char *fields = expand(cases[i].fields ? cases[i].fields : "");
		_cleanup_free_ char *request = NULL;
		char line[32];

		assert_true(asprintf(&request, "%s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, fields) >
			    0);
		_cleanup_free_ char *answer = ask(w, request);
		check_answer(request, answer);
		snprintf(line, sizeof(line), "HTTP/1.1 %u ", cases[i].status);
		if (strncmp(answer, line, strlen(line)) != 0)
			fail_msg("%s: not %u but: %s", request, cases[i].status, answer);
		for (size_t j = 0; j < 4 && cases[i].has[j]; j++) {
			_cleanup_free_ char *part = expand(cases[i].has[j]);
			if (!strstr(answer, part))
				fail_msg("%s: no \"%s\" in: %s", request, part, answer);
		}
		if (strncmp(cases[i].request, "HEAD", 4) == 0)
			assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
	}
}

/* Longer than any of ours. */
#define A20	  "aaaaaaaaaaaaaaaaaaaa"
#define LONG_ETAG "\"" A20 A20 A20 A20 A20 A20 A20 A20 A20 A20 "\""

#define NS    "?ns=docker.io"
#define IMAGE "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n"
#define INDEX "Content-Type: application/vnd.oci.image.index.v1+json\r\n"

static void test_manifests(void **state)
{
	static const struct expectation cases[] = {
		{ "GET /v2/library/one/manifests/1" NS,
		  NULL,
		  200,
		  { "Docker-Content-Digest: {image}\r\n", IMAGE, "ETag: \"{image}\"\r\n",
		    "OCI-Namespace: docker.io\r\n" } },
		{ "HEAD /v2/library/one/manifests/1" NS,
		  NULL,
		  200,
		  { "Docker-Content-Digest: {image}\r\n", IMAGE, "Content-Length: 5" } },
		{ "GET /v2/library/one/manifests/{image}" NS, NULL, 200, { IMAGE } },
		{ "GET /v2/one/manifests/1" NS, NULL, 200, { IMAGE } },
		{ "GET /v2/one/manifests/1?ns=registry-1.docker.io",
		  NULL,
		  200,
		  { "OCI-Namespace: registry-1.docker.io\r\n" } },
		{ "GET /v2/docker.io/library/one/manifests/1", NULL, 200, { IMAGE } },
		{ "GET /v2/docker.io/one/manifests/1", NULL, 200, { IMAGE } },
		{ "GET /v2/library/one/manifests/1", NULL, 200, { IMAGE } },
		{ "GET /v2/one/manifests/1", NULL, 200, { IMAGE } },
		{ "GET /v2/library/one/manifests/index" NS, NULL, 200, { INDEX, "{index}" } },
		{ "GET /v2/library/one/manifests/index" NS,
		  "Accept: application/vnd.oci.image.manifest.v1+json\r\n",
		  200,
		  { IMAGE, "Docker-Content-Digest: {image}\r\n" } },
		{ "GET /v2/library/one/manifests/{index}" NS,
		  "Accept: application/vnd.oci.image.manifest.v1+json\r\n",
		  200,
		  { INDEX } },
		{ "GET /v2/library/one/manifests/index" NS, "Accept: */*\r\n", 200, { INDEX } },
		{ "GET /v2/library%2Fone/manifests/%31" NS, NULL, 200, { IMAGE } },
		{ "GET /v2/one/manifests/1" NS, "If-None-Match: \"{image}\"\r\n", 304, { "ETag" } },
		{ "GET /v2/one/manifests/1" NS,
		  "Range: bytes=0-0\r\n",
		  206,
		  { "Content-Range: bytes 0-0/", "\r\n\r\n{" } },
		{ "GET /v2/one/manifests/1" NS,
		  "Range: bytes=9999-\r\n",
		  416,
		  { "Content-Range: bytes */" } },
		{ "GET /v2/acme/app/manifests/broken?ns=ghcr.io",
		  NULL,
		  404,
		  { "MANIFEST_UNKNOWN", "is missing" } },
		{ "GET /v2/acme/app/manifests/{broken}?ns=ghcr.io", NULL, 404, { "is missing" } },
		{ "GET /v2/library/one/manifests/2" NS, NULL, 404, { "MANIFEST_UNKNOWN" } },
		{ "HEAD /v2/library/one/manifests/2" NS, NULL, 404, { "Content-Length: " } },
		{ "GET /v2/library/one/manifests/1?ns=ghcr.io", NULL, 404, { "MANIFEST_UNKNOWN" } },
		{ "GET /v2/library/two/manifests/1", NULL, 404, { "NAME_UNKNOWN" } },
		{ "GET /v2/library/one/manifests/{layer}" NS, NULL, 404, { "MANIFEST_UNKNOWN" } },
		{ "GET /v2/library/one/manifests/sha256:00" NS, NULL, 404, { "DIGEST_INVALID" } },
		{ "GET /v2/library/one/manifests/.hidden" NS, NULL, 404, { "MANIFEST_UNKNOWN" } },
		{ "GET /v2/library/one/manifests/1?ns=../x", NULL, 404, { "NAME_INVALID" } },
		{ "GET /v2/library/one/manifests/1?ns=", NULL, 200, { IMAGE } },
		{ "GET /v2/%2e%2e/%2e%2e/manifests/1" NS, NULL, 404, { "NAME_INVALID" } },
		{ "GET /v2/../manifests/1" NS, NULL, 404, { "NAME_INVALID" } },
		{ "GET /v2/LIB/manifests/1" NS, NULL, 404, { "NAME_INVALID" } },
		{ "GET /v2/a%zz/manifests/1" NS, NULL, 400, { "UNSUPPORTED" } },
	};

	check_all(*state, cases, ARRAY_SIZE(cases));
	check_all(*state, cases, ARRAY_SIZE(cases)); /* again, from the cache */
}

static void test_blobs(void **state)
{
	static const struct expectation cases[] = {
		{ "GET /v2/library/one/blobs/{layer}" NS,
		  NULL,
		  200,
		  { "Docker-Content-Digest: {layer}\r\n", "Accept-Ranges: bytes\r\n",
		    "Content-Length: 5\r\n", "\r\n\r\nlayer" } },
		{ "HEAD /v2/library/one/blobs/{big}" NS,
		  NULL,
		  200,
		  { "Content-Length: 100000\r\n", "Content-Type: application/octet-stream" } },
		{ "GET /v2/any/repository/blobs/{layer}", NULL, 200, { "\r\n\r\nlayer" } },
		{ "GET /v2/one/blobs/{layer}",
		  "Range: bytes=1-2\r\n",
		  206,
		  { "Content-Range: bytes 1-2/5\r\n", "Content-Length: 2\r\n", "\r\n\r\nay" } },
		{ "GET /v2/one/blobs/{layer}", "Range: bytes=-2\r\n", 206, { "\r\n\r\ner" } },
		{ "GET /v2/one/blobs/{layer}", "Range: bytes=3-\r\n", 206, { "\r\n\r\ner" } },
		{ "GET /v2/one/blobs/{layer}", "Range: bytes=0-1,3-4\r\n", 200, { "layer" } },
		{ "GET /v2/one/blobs/{layer}",
		  "Range: bytes=5-\r\n",
		  416,
		  { "Content-Range: bytes */5\r\n" } },
		{ "HEAD /v2/one/blobs/{layer}", "Range: bytes=1-2\r\n", 200, { "Length: 5\r\n" } },
		{ "GET /v2/one/blobs/{layer}",
		  "Range: bytes=1-2\r\nIf-Range: \"{layer}\"\r\n",
		  206,
		  { "\r\n\r\nay" } },
		{ "GET /v2/one/blobs/{layer}",
		  "Range: bytes=1-2\r\nIf-Range: \"{big}\"\r\n",
		  200,
		  { "\r\n\r\nlayer" } },
		{ "GET /v2/one/blobs/{layer}",
		  "Range: bytes=1-2\r\nIf-Range: " LONG_ETAG "\r\n",
		  200,
		  { "\r\n\r\nlayer" } },
		{ "GET /v2/one/blobs/{layer}",
		  "Range: bytes=1-2\r\nIf-Range: W/\"{layer}\"\r\n",
		  200,
		  { "\r\n\r\nlayer" } },
		{ "GET /v2/one/blobs/{layer}",
		  "Range: bytes=1-2\r\nIf-Range:\r\n",
		  200,
		  { "\r\n\r\nlayer" } },
		{ "GET /v2/one/blobs/{layer}",
		  "Range: bytes=1-2\r\nRange: bytes=3-4\r\n",
		  200,
		  { "\r\n\r\nlayer" } },
		{ "GET /v2/one/blobs/{layer}", "Accept-Encoding: gzip\r\n", 200, { "layer" } },
		{ "GET /v2/one/blobs/{layer}" NS, NULL, 200, { "OCI-Namespace: docker.io\r\n" } },
		{ "GET /v2/one/blobs/{layer}", "If-None-Match: \"{layer}\"\r\n", 304, { "ETag" } },
		{ "HEAD /v2/one/blobs/{layer}", "If-None-Match: \"{layer}\"\r\n", 304, { "ETag" } },
		{ "GET /v2/one/blobs/{layer}", "If-None-Match: *\r\n", 304, { "ETag" } },
		{ "GET /v2/one/blobs/{layer}",
		  "If-None-Match: \"x,y\", \"{big}\",W/\"{layer}\"\r\n",
		  304,
		  { "Docker-Content-Digest: {layer}\r\n" } },
		{ "GET /v2/one/blobs/{layer}",
		  "If-None-Match: \"{big}\"\r\nIf-None-Match: \"{layer}\"\r\n",
		  304,
		  { "ETag" } },
		{ "GET /v2/one/blobs/{layer}",
		  "If-None-Match: \"{layer}\"\r\nRange: bytes=9-\r\n",
		  304,
		  { "ETag" } },
		{ "GET /v2/one/blobs/{layer}", "If-None-Match: \"{big}\"\r\n", 200, { "layer" } },
		{ "GET /v2/one/blobs/{image}", NULL, 404, { "BLOB_UNKNOWN" } },
		{ "GET /v2/one/blobs/latest", NULL, 404, { "DIGEST_INVALID" } },
		{ "GET /v2/one/blobs/sha384:00", NULL, 404, { "DIGEST_INVALID" } },
	};

	check_all(*state, cases, ARRAY_SIZE(cases));
	check_all(*state, cases, ARRAY_SIZE(cases));
}

static void test_lists(void **state)
{
	static const struct expectation cases[] = {
		{ "GET /v2/", NULL, 200, { "Docker-Distribution-API-Version: registry/2.0\r\n" } },
		{ "GET /v2", NULL, 200, { "{}" } },
		{ "GET /v2/library/one/tags/list" NS,
		  NULL,
		  200,
		  { "{\"name\":\"library/one\",\"tags\":[\"1\",\"index\"]}" } },
		{ "GET /v2/library/one/tags/list?n=1&ns=docker.io",
		  NULL,
		  200,
		  { "\"tags\":[\"1\"]",
		    "Link: </v2/library/one/tags/list?n=1&last=1&ns=docker.io>; rel=\"next\"\r\n" } },
		{ "GET /v2/library/one/tags/list?n=1&last=1",
		  NULL,
		  200,
		  { "\"tags\":[\"index\"]" } },
		{ "GET /v2/library/one/tags/list?n=0", NULL, 200, { "\"tags\":[]" } },
		{ "GET /v2/library/one/tags/list?n=x", NULL, 400, { "n= is no number" } },
		{ "GET /v2/library/one/tags/list?n=-1", NULL, 400, { "n= is no number" } },
		{ "GET /v2/library/one/tags/list?n=9999999999", NULL, 200, { "\"index\"" } },
		{ "GET /v2/library/one/tags/list?n=2", NULL, 200, { "\"index\"" } },
		{ "GET /v2/library/one/tags/list?last=1", NULL, 200, { "\"tags\":[\"index\"]" } },
		{ "GET /v2/library/one/tags/list?last=zzz", NULL, 200, { "\"tags\":[]" } },
		{ "HEAD /v2/library/one/tags/list" NS, NULL, 200, { "OCI-Namespace: docker.io" } },
		{ "GET /v2/library/two/tags/list" NS, NULL, 404, { "NAME_UNKNOWN" } },
		{ "GET /v2/_catalog",
		  NULL,
		  200,
		  { "[\"docker.io/library/one\",\"ghcr.io/acme/app\"]" } },
		{ "GET /v2/_catalog?ns=ghcr.io", NULL, 200, { "[\"acme/app\"]" } },
		{ "GET /v2/_catalog?n=1", NULL, 200, { "Link: </v2/_catalog?n=1&last=docker.io" } },
		{ "GET /v2/acme/app/referrers/{image}?ns=ghcr.io",
		  NULL,
		  200,
		  { INDEX, "\"digest\":\"{referrer}\"", "\"artifactType\":\"test/signature\"",
		    "\"annotations\":{\"by\":\"me\"}" } },
		{ "GET /v2/acme/app/referrers/{image}?artifactType=test/signature",
		  NULL,
		  200,
		  { "OCI-Filters-Applied: artifactType\r\n", "{referrer}" } },
		{ "GET /v2/acme/app/referrers/{image}?artifactType=other",
		  NULL,
		  200,
		  { "\"manifests\":[]" } },
		{ "GET /v2/acme/app/referrers/{layer}", NULL, 200, { "\"manifests\":[]" } },
		{ "GET /v2/acme/none/referrers/{layer}", NULL, 404, { "NAME_UNKNOWN" } },
		{ "GET /v2/acme/app/referrers/sha256:00", NULL, 400, { "DIGEST_INVALID" } },
		{ "GET /v2/acme/app/referrers/latest", NULL, 400, { "DIGEST_INVALID" } },
		{ "HEAD /v2/acme/app/referrers/{image}", NULL, 200, { INDEX } },
		{ "HEAD /v2/_catalog", NULL, 200, { "Content-Type: application/json\r\n" } },
		{ "HEAD /v2/_catalog?n=1", NULL, 200, { "rel=\"next\"" } },
		{ "GET /v2/_catalog?n=0", NULL, 200, { "\"repositories\":[]" } },
		{ "GET /v2/_catalog?n=1&last=docker.io/library/one",
		  NULL,
		  200,
		  { "[\"ghcr.io/acme/app\"]" } },
		{ "HEAD /v2/", NULL, 200, { "Content-Length: 2\r\n" } },
		{ "HEAD /healthz", NULL, 200, { "Content-Length: 3\r\n" } },
		{ "HEAD /readyz", NULL, 200, { "Content-Length: 6\r\n" } },
		{ "HEAD /metrics", NULL, 200, { "Content-Type: text/plain; version=0.0.4" } },
		{ "HEAD /nothing", NULL, 404, { "Content-Length: " } },
		{ "GET /healthz", NULL, 200, { "ok" } },
		{ "GET /readyz", NULL, 200, { "ready" } },
		{ "GET /metrics", NULL, 200, { "larder_http_requests_total{handler=\"base\"" } },
		{ "GET /", NULL, 404, { "UNSUPPORTED" } },
		{ "GET /v1/", NULL, 404, { NULL } },
		{ "POST /v2/library/one/blobs/uploads/", NULL, 405, { "Allow: GET, HEAD\r\n" } },
		{ "DELETE /v2/library/one/manifests/1", NULL, 405, { "UNSUPPORTED" } },
		{ "PUT /v2/library/one/manifests/1", NULL, 405, { "Allow: GET, HEAD\r\n" } },
		{ "PATCH /v2/library/one/blobs/uploads/1", NULL, 405, { "Allow: GET, HEAD\r\n" } },
		{ "DELETE /v2/library/one/blobs/{layer}", NULL, 405, { "Allow: GET, HEAD\r\n" } },
		{ "OPTIONS *", NULL, 405, { "Allow: GET, HEAD\r\n" } },
		{ "GET /v2/", "Content-Length: 1\r\n", 413, { "UNSUPPORTED", "close" } },
	};

	check_all(*state, cases, ARRAY_SIZE(cases));
}

static void test_pipelined(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *request = expand("GET /v2/one/blobs/{big} HTTP/1.1\r\nHost: a\r\n\r\n"
					      "GET /v2/one/manifests/1 HTTP/1.1\r\nHost: a\r\n\r\n"
					      "GET /v2/_catalog HTTP/1.1\r\nHost: a\r\n\r\n"
					      "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
	_cleanup_free_ char *answer = ask(w, request);
	char *at = answer;
	static const char *const order[] = { "Content-Length: 100000", "image.manifest.v1",
					     "repositories", "\r\n\r\nok\n" };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		at = strstr(at, order[i]);
		assert_non_null(at);
	}
	assert_string_equal(strstr(at, "\r\n\r\nok\n"), "\r\n\r\nok\n");
}

static void overwrite(struct world *w, const char *path, const char *data)
{
	_cleanup_free_ char *full = path_join(w->dir, path);

	assert_int_equal(write_file_atomic_at(AT_FDCWD, full, data, strlen(data), 0644), 0);
}

static void overwrite_blob(struct world *w, const struct digest *digest, const char *data)
{
	char path[PATH_MAX];

	assert_int_equal(tree_blob_path(digest, path), 0);
	overwrite(w, path, data);
}

static void test_corrupt_blob(void **state)
{
	static const struct expectation sound[] = {
		{ "GET /v2/one/blobs/{layer}", NULL, 200, { "layer" } },
	};
	static const struct expectation corrupt[] = {
		{ "GET /v2/one/blobs/{layer}", NULL, 404, { "BLOB_UNKNOWN" } },
		{ "HEAD /v2/one/blobs/{layer}", NULL, 404, { NULL } },
		{ "GET /metrics", NULL, 200, { "larder_verification_failures_total 1\n" } },
		/* An image whose blob is bad is not offered. */
		{ "GET /v2/one/manifests/index" NS, NULL, 404, { "is missing" } },
	};
	struct world *w = *state;

	check_all(w, sound, 1);
	overwrite_blob(w, &store_layer, "LAYER");
	check_all(w, corrupt, ARRAY_SIZE(corrupt));
	overwrite_blob(w, &store_layer, "layer");
	check_all(w, sound, 1);
}

static void test_corrupt_manifests(void **state)
{
	static const struct expectation corrupt[] = {
		{ "GET /v2/one/manifests/1" NS, NULL, 404, { "MANIFEST_UNKNOWN" } },
		{ "GET /v2/one/manifests/{image}" NS, NULL, 200, { IMAGE } },
		{ "GET /v2/one/manifests/{index}" NS, NULL, 404, { "MANIFEST_UNKNOWN" } },
		{ "GET /metrics", NULL, 200, { "larder_verification_failures_total 2\n" } },
	};
	struct world *w = *state;
	char path[PATH_MAX];

	assert_int_equal(tree_tag_path("docker.io", "library/one", "1", path), 0);
	overwrite(w, path, "{\"schemaVersion\":2,\"layers\":[]}");
	assert_int_equal(tree_manifest_path("docker.io", "library/one", &store_index, path), 0);
	overwrite(w, path, "{}");
	check_all(w, corrupt, ARRAY_SIZE(corrupt));
}

/* New files are there at once, without a reload. */
#define MANY 24
#define MANY_BYTES                                                                                 \
	60000 /* of each manifest; all together they are more than the registry keeps in memory */

static struct digest add_large_manifest(struct world *w, const char *tag)
{
	_cleanup_free_ char *layer = expand("{layer}"), *text = NULL;

	assert_true(
		asprintf(
			&text,
			"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
			"\"config\":{\"mediaType\":\"a/b\",\"digest\":\"%s\",\"size\":5},\"layers\":[],"
			"\"annotations\":{\"tag\":\"%s\",\"long\":\"%0*d\"}}",
			layer, tag, MANY_BYTES, 0) > 0);
	return store_add_manifest(w->dir, "docker.io/library/many", tag, text);
}

static void check_large_manifest(struct world *w, const char *tag, const struct digest *digest,
				 const char *fields)
{
	_cleanup_free_ char *request = NULL;
	char text[DIGEST_STRING_MAX];
	struct digest found;

	assert_true(asprintf(&request,
			     "GET /v2/library/many/manifests/%s HTTP/1.1\r\nHost: a\r\n%s\r\n", tag,
			     fields) > 0);
	_cleanup_free_ char *answer = ask(w, request);
	const char *body = strstr(answer, "\r\n\r\n");
	assert_non_null(body);
	assert_int_equal(digest_of(DIGEST_SHA256, body + 4, strlen(body + 4), &found), 0);
	if (!digest_equal(&found, digest) || !strstr(answer, digest_format(digest, text)) ||
	    !strstr(answer, IMAGE))
		fail_msg("%s: %.400s", tag, answer);
}

/* Manifests whose bytes are read anew for each request: they are the right ones, and a file that changed is found. */
static void test_more_than_memory(void **state)
{
	static const struct expectation changed[] = {
		{ "GET /v2/library/many/manifests/t5", NULL, 404, { "MANIFEST_UNKNOWN" } },
		{ "GET /v2/library/many/manifests/t6", NULL, 404, { "MANIFEST_UNKNOWN" } },
		{ "GET /v2/library/one/manifests/index",
		  "Accept: application/vnd.oci.image.manifest.v1+json\r\n",
		  200,
		  { IMAGE, "Docker-Content-Digest: {image}\r\n" } },
	};
	static const char *const fields[] = {
		"", "Accept: application/vnd.oci.image.manifest.v1+json\r\n"
	};
	struct world *w = *state;
	struct digest digests[MANY];
	char tag[16], path[PATH_MAX];

	for (int i = 0; i < MANY; i++) {
		snprintf(tag, sizeof(tag), "t%d", i);
		digests[i] = add_large_manifest(w, tag);
	}
	/* All of them, and then those that have made room for others, again and again. */
	for (int i = 0; i < 3 * MANY; i++) {
		int n = i < MANY ? i : i % 5;
		snprintf(tag, sizeof(tag), "t%d", n);
		check_large_manifest(w, tag, &digests[n], fields[i / MANY % 2]);
	}
	check_all(w, changed + 2, 1);
	assert_int_equal(tree_tag_path("docker.io", "library/many", "t5", path), 0);
	overwrite(w, path, "{\"schemaVersion\":2,\"layers\":[]}");
	assert_int_equal(tree_tag_path("docker.io", "library/many", "t6", path), 0);
	_cleanup_free_ char *full = path_join(w->dir, path);
	assert_int_equal(unlink(full), 0);
	check_all(w, changed, ARRAY_SIZE(changed));
}

static void test_added(void **state)
{
	static const struct expectation before[] = {
		{ "GET /v2/new/manifests/1?ns=quay.io", NULL, 404, { NULL } },
		{ "GET /v2/one/manifests/1", NULL, 200, { IMAGE } },
	};
	static const struct expectation after[] = {
		{ "GET /v2/new/manifests/1?ns=quay.io", NULL, 200, { IMAGE } },
		{ "GET /v2/one/manifests/1", NULL, 200, { IMAGE } },
		{ "GET /v2/library/one/manifests/1", NULL, 404, { "more than one registry" } },
	};
	struct world *w = *state;
	char path[PATH_MAX];

	check_all(w, before, ARRAY_SIZE(before));
	assert_int_equal(tree_manifest_path("docker.io", "library/one", &store_image, path), 0);
	_cleanup_free_ char *full = path_join(w->dir, path);
	_cleanup_free_ char *text = NULL;
	assert_int_equal(read_file_at(AT_FDCWD, full, 4096, &text, NULL), 0);
	store_add_manifest(w->dir, "quay.io/new", "1", text);
	check_all(w, after, 2);
	store_add_manifest(w->dir, "quay.io/library/one", "1", text);
	check_all(w, after, ARRAY_SIZE(after));
}

/* Media types from the document, else from its structure; Docker's own as well as OCI's. */
static void test_media_types(void **state)
{
#define CONFIG(type) "\"config\":{\"mediaType\":\"" type "\",\"digest\":\"{config}\",\"size\":2}"
#define LAYERS	     "\"layers\":[{\"digest\":\"{layer}\",\"size\":5}]"
#define ITEMS	     "\"manifests\":[{\"digest\":\"{image}\",\"size\":9}]"
#define DOCKER	     "application/vnd.docker.distribution.manifest."
	static const struct {
		const char *text, *media_type;
	} cases[] = {
		{ "{\"schemaVersion\":2," CONFIG(
			  "application/vnd.docker.container.image.v1+json") "," LAYERS "}",
		  DOCKER "v2+json" },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" DOCKER
		  "v2+json\"," CONFIG("x/y") "," LAYERS "}",
		  DOCKER "v2+json" },
		{ "{\"schemaVersion\":2," CONFIG(
			  "application/vnd.oci.image.config.v1+json") "," LAYERS "}",
		  "application/vnd.oci.image.manifest.v1+json" },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" DOCKER "list.v2+json\"," ITEMS "}",
		  DOCKER "list.v2+json" },
		{ "{\"schemaVersion\":2," ITEMS "}", "application/vnd.oci.image.index.v1+json" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = expand(cases[i].text);
		_cleanup_free_ char *request = NULL, *field = NULL;
		char digest[DIGEST_STRING_MAX];
		struct digest d = store_add_manifest(w->dir, "docker.io/library/one", "type", text);
		assert_true(asprintf(&field, "Content-Type: %s\r\n", cases[i].media_type) > 0);
		assert_true(asprintf(&request, "GET /v2/one/manifests/%s" NS,
				     digest_format(&d, digest)) > 0);
		struct expectation both[] = {
			{ "HEAD /v2/one/manifests/type" NS, NULL, 200, { field, digest } },
			{ request, NULL, 200, { field, digest, text } },
		};
		check_all(w, both, ARRAY_SIZE(both));
	}
}

static void test_sha512(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *manifest = expand("{\"schemaVersion\":2," LAYERS "}");
	char blob[DIGEST_STRING_MAX], image[DIGEST_STRING_MAX], path[PATH_MAX];
	_cleanup_free_ char *get_blob = NULL, *get_image = NULL, *get_absent = NULL;
	struct digest d;

	assert_int_equal(digest_of(DIGEST_SHA512, "five!", 5, &d), 0);
	overwrite_blob(w, &d, "five!");
	digest_format(&d, blob);
	assert_int_equal(digest_of(DIGEST_SHA512, manifest, strlen(manifest), &d), 0);
	assert_int_equal(tree_manifest_path("docker.io", "library/one", &d, path), 0);
	overwrite(w, path, manifest);
	digest_format(&d, image);
	assert_true(asprintf(&get_blob, "GET /v2/one/blobs/%s", blob) > 0);
	assert_true(asprintf(&get_image, "GET /v2/one/manifests/%s", image) > 0);
	assert_true(asprintf(&get_absent, "GET /v2/one/manifests/%s", blob) > 0);
	struct expectation cases[] = {
		{ get_blob, NULL, 200, { "\r\n\r\nfive!", blob } },
		{ get_image, NULL, 200, { image, manifest } },
		{ get_absent, NULL, 404, { "MANIFEST_UNKNOWN" } },
	};
	check_all(w, cases, ARRAY_SIZE(cases));
	check_all(w, cases, ARRAY_SIZE(cases));
	assert_int_equal(digest_parse(blob, &d), 0);
	overwrite_blob(w, &d, "FIVE!");
	cases[0] = (struct expectation){ get_blob, NULL, 404, { "BLOB_UNKNOWN" } };
	check_all(w, cases, 1);
}

/* Referrers as clients push them to registries that do not know the end point: an index under a tag made of the digest. */
static void test_referrers_by_tag(void **state)
{
	static const char index[] =
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"a/b\",\"digest\":\"{image}\","
		"\"size\":9,\"artifactType\":\"test/one+json\"}]}";
	static const struct expectation cases[] = {
		{ "GET /v2/one/referrers/{layer}" NS, NULL, 200, { INDEX, "{image}", "test/one" } },
		{ "GET /v2/one/referrers/{layer}" NS "&artifactType=test/one+json",
		  NULL,
		  200,
		  { "OCI-Filters-Applied: artifactType\r\n", "{image}" } },
		{ "GET /v2/one/referrers/{layer}" NS "&artifactType=test%2Fone%2Bjson",
		  NULL,
		  200,
		  { "OCI-Filters-Applied: artifactType\r\n", "{image}" } },
		{ "GET /v2/one/referrers/{layer}" NS "&artifactType=test/one%20json",
		  NULL,
		  200,
		  { "OCI-Filters-Applied: artifactType\r\n", "\"manifests\":[]" } },
		{ "GET /v2/one/referrers/{layer}" NS "&artifactType=test/two",
		  NULL,
		  200,
		  { "OCI-Filters-Applied: artifactType\r\n", "\"manifests\":[]" } },
	};
	struct world *w = *state;
	_cleanup_free_ char *text = expand(index), *request = NULL;
	char tag[DIGEST_STRING_MAX], digest[DIGEST_STRING_MAX];
	struct digest d;

	digest_format_file_name(&store_layer, tag);
	store_add_manifest(w->dir, "docker.io/library/one", tag, text);
	check_all(w, cases, ARRAY_SIZE(cases));
	/* Of a longer digest the tag has only the first 64 digits. */
	assert_int_equal(digest_of(DIGEST_SHA512, "x", 1, &d), 0);
	digest_format_file_name(&d, tag);
	tag[strlen("sha512-") + 64] = '\0';
	store_add_manifest(w->dir, "docker.io/library/one", tag, text);
	assert_true(asprintf(&request, "GET /v2/one/referrers/%s" NS, digest_format(&d, digest)) >
		    0);
	struct expectation longer = { request, NULL, 200, { "{image}" } };
	check_all(w, &longer, 1);
}

/* Lists are the dearest thing to ask for: many of them at once wait for each other, and nothing else waits for them. */
static void test_many_lists(void **state)
{
	static const char catalog[] = "GET /v2/_catalog HTTP/1.1\r\nHost: a\r\n\r\n";
	struct world *w = *state;
	_cleanup_free_ char *request =
		expand("GET /v2/one/blobs/{big} HTTP/1.1\r\nHost: a\r\n\r\n");
	int clients[50];
	unsigned answered = 0;
	char c;

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = begin_asking(w, catalog);
	_cleanup_free_ char *blob = end_asking(w, begin_asking(w, request));
	assert_non_null(strstr(blob, "Content-Length: 100000"));
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		answered += recv(clients[i], &c, 1, MSG_PEEK) == 1;
	assert_true(answered < ARRAY_SIZE(clients) / 2);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		_cleanup_free_ char *answer = end_asking(w, clients[i]);
		assert_non_null(strstr(answer, "repositories"));
	}
}

static void move(struct world *w, const char *from, const char *to)
{
	_cleanup_free_ char *a = path_join(w->dir, from), *b = path_join(w->dir, to);

	assert_int_equal(rename(a, b), 0);
	usleep(2 * VIEW_LEASE_MS * 1000); /* what is open is looked at anew after that */
}

/* Ready is what can serve an image, not what has directories. */
static void test_readiness(void **state)
{
	static const struct expectation ready[] = {
		{ "GET /readyz", NULL, 200, { "\r\n\r\nready\n" } },
		{ "HEAD /readyz", NULL, 200, { NULL } },
	};
	static const struct expectation incomplete[] = {
		{ "GET /readyz",
		  NULL,
		  503,
		  { "not ready: no image in the caches named by --cache is whole; ask for the manifest of one " } },
		{ "GET /healthz", NULL, 200, { "ok" } },
	};
	static const struct expectation empty[] = {
		{ "GET /readyz",
		  NULL,
		  503,
		  { "not ready: no image is in the caches named by --cache yet; put one there, " } },
	};
	struct world *w = *state;

	check_all(w, ready, ARRAY_SIZE(ready));
	move(w, "blob", "gone");
	check_all(w, incomplete, ARRAY_SIZE(incomplete));
	check_all(w, incomplete, ARRAY_SIZE(incomplete));
	move(w, "gone", "blob");
	check_all(w, ready, ARRAY_SIZE(ready));
	/* Nothing but an empty directory, which is all that is left of an image. */
	move(w, "manifests", "gone");
	_cleanup_free_ char *dir = path_join(w->dir, "manifests");
	assert_int_equal(mkdir(dir, 0755), 0);
	_cleanup_free_ char *registry = path_join(dir, "docker.io");
	assert_int_equal(mkdir(registry, 0755), 0);
	registry_changed(w->registry);
	check_all(w, empty, ARRAY_SIZE(empty));
	assert_int_equal(rmdir(registry), 0);
	assert_int_equal(rmdir(dir), 0);
	move(w, "gone", "manifests");
	check_all(w, ready, ARRAY_SIZE(ready));
}

/* 1 GiB of zeros, without room on the disk. */
#define ZEROS_SHA256 "sha256:49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"
#define ZEROS_BYTES  (1LL << 30)

static void add_zeros(struct world *w)
{
	char path[PATH_MAX];
	struct digest digest;

	assert_int_equal(digest_parse(ZEROS_SHA256, &digest), 0);
	overwrite_blob(w, &digest, "");
	assert_int_equal(tree_blob_path(&digest, path), 0);
	_cleanup_free_ char *full = path_join(w->dir, path);
	assert_int_equal(truncate(full, ZEROS_BYTES), 0);
}

/*
 * Sources change while a blob is hashed ahead of need: that hashing is given up. Who asks for the blob just then, after it was
 * given up and before the loop knows, is answered all the same.
 */
static void test_given_up(void **state)
{
	struct world *w = *state;
	char *caches[] = { w->dir, NULL };
	struct registry_options options = { .caches = caches, .workers = 1, .verify_ahead = true };

	add_zeros(w);
	registry_free(w->registry);
	assert_int_equal(registry_new(w->base, &options, &w->registry, NULL), 0);
	/* Until nothing but the large one is left to be hashed. */
	while (verified_count(w->registry->verified) < 3 || !w->registry->hashing)
		event_base_loop(w->base, EVLOOP_ONCE);
	int client =
		begin_asking(w, "HEAD /v2/one/blobs/" ZEROS_SHA256 " HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(registry_reload(w->registry, NULL), 0);
	usleep(300000); /* the thread sees it after its slice */
	_cleanup_free_ char *answer = end_asking(w, client);
	assert_non_null(strstr(answer, "HTTP/1.1 200 OK"));
}

/* What is asked for is hashed at once, however much is left to be hashed ahead of need. */
static void test_before_the_pass_ends(void **state)
{
	struct world *w = *state;
	char *caches[] = { w->dir, NULL }, request[256], digest[DIGEST_STRING_MAX];
	struct registry_options options = { .caches = caches, .workers = 1, .verify_ahead = true };

	add_zeros(w);
	registry_free(w->registry);
	assert_int_equal(registry_new(w->base, &options, &w->registry, NULL), 0);
	while (verified_count(w->registry->verified) < 3 || !w->registry->hashing)
		event_base_loop(w->base, EVLOOP_ONCE);
	for (unsigned i = 0; i < 20; i++) {
		struct digest blob = store_add_blob(w->dir, &i, sizeof(i));
		snprintf(request, sizeof(request),
			 "GET /v2/one/blobs/%s HTTP/1.1\r\nHost: a\r\n\r\n",
			 digest_format(&blob, digest));
		_cleanup_free_ char *answer = ask(w, request);
		assert_non_null(strstr(answer, "HTTP/1.1 200 OK"));
	}
	assert_int_equal(verified_count(w->registry->verified), 3 + 20);
	assert_non_null(w->registry->hashing);
}

static bool is_verified(struct world *w, const struct digest *digest)
{
	struct content_id id;

	return source_stat_blob(w->registry->caches[0], digest, &id) == 0 &&
	       verified_get(w->registry->verified, digest, &id) == VERDICT_SOUND;
}

/* In the order of need: what an image is pulled with, config and layers as they are fetched; what no tag leads to comes last. */
static void test_order_of_need(void **state)
{
	struct world *w = *state;
	char *caches[] = { w->dir, NULL };
	struct registry_options options = { .caches = caches, .workers = 1, .verify_ahead = true };
	struct digest order[43] = { store_config, store_layer, store_second_layer };

	for (size_t i = 3; i < ARRAY_SIZE(order); i++)
		order[i] = store_add_blob(w->dir, &i, sizeof(i));
	registry_free(w->registry);
	assert_int_equal(registry_new(w->base, &options, &w->registry, NULL), 0);
	while (verified_count(w->registry->verified) < ARRAY_SIZE(order)) {
		event_base_loop(w->base, EVLOOP_ONCE);
		for (size_t i = 1; i < ARRAY_SIZE(order); i++)
			if (is_verified(w, &order[i]))
				assert_true(is_verified(w, &order[i < 3 ? i - 1 : 2]));
	}
}

/* Which manifests decide whether an index is there. Each case is an index; its items have a platform and a manifest that is whole or not. */
static void test_index_of_platforms(void **state)
{
#define HOST_ITEM(digest) "{\"digest\":\"" digest "\",\"size\":9,\"platform\":{PLATFORM}}"
#define ITEM(digest, os, architecture)                                                             \
	"{\"digest\":\"" digest "\",\"size\":9,\"platform\":{\"os\":\"" os                         \
	"\",\"architecture\":\"" architecture "\"}}"
#define NOWHERE "sha256:0000000000000000000000000000000000000000000000000000000000000009"
	static const struct {
		const char *tag, *items;
		unsigned status;
	} cases[] = {
		{ "host", HOST_ITEM("{image}") "," ITEM(NOWHERE, "plan9", "mips"), 200 },
		{ "host-last", ITEM(NOWHERE, "plan9", "mips") "," HOST_ITEM("{image}"), 200 },
		{ "others", HOST_ITEM(NOWHERE) "," ITEM("{image}", "plan9", "mips"), 404 },
		{ "broken", HOST_ITEM("{broken}") "," ITEM("{image}", "plan9", "mips"), 404 },
		{ "no-host", ITEM(NOWHERE, "plan9", "arm") "," ITEM("{image}", "plan9", "mips"),
		  200 },
		{ "nothing", ITEM(NOWHERE, "plan9", "arm") "," ITEM("{broken}", "plan9", "mips"),
		  404 },
		{ "described",
		  ITEM(NOWHERE, "plan9", "arm") "," ITEM("{image}", "unknown", "unknown"), 404 },
		{ "description", ITEM("{image}", "unknown", "unknown"), 200 },
		{ "empty", "", 200 },
	};
	struct world *w = *state;
	const struct platform *host = platform_host();

	store_broken = store_add_manifest(
		w->dir, "docker.io/library/one", NULL,
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\",\"digest\":\"" NOWHERE
		"\",\"size\":1},\"layers\":[]}");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *items = expand(cases[i].items), *text = NULL, *request = NULL;
		char *at = strstr(items, "PLATFORM");
		assert_true(asprintf(&text,
				     "{\"schemaVersion\":2,\"manifests\":[%.*s%s%s%s%s%s%s]}",
				     (int)(at ? at - items : 0), items, at ? "\"os\":\"" : "",
				     at ? host->os : "", at ? "\",\"architecture\":\"" : "",
				     at ? host->architecture : "", at ? "\"" : "",
				     at ? at + strlen("PLATFORM") : items) > 0);
		store_add_manifest(w->dir, "docker.io/library/one", cases[i].tag, text);
		assert_true(asprintf(&request, "GET /v2/library/one/manifests/%s" NS,
				     cases[i].tag) > 0);
		const struct expectation expected = { request, NULL, cases[i].status, { NULL } };
		check_all(w, &expected, 1);
	}
}

/* Each index has two hundred entries of the next, and the last of what is not there: all of them would be followed for years. */
static void test_indexes_in_indexes(void **state)
{
	static const struct expectation nested = {
		"GET /v2/library/one/manifests/nested" NS, NULL, 404, { "MANIFEST_UNKNOWN" }
	};
	static const char platform[] = "\"platform\":{\"os\":\"plan9\",\"architecture\":\"mips\"}";
	struct world *w = *state;
	char inner[DIGEST_STRING_MAX] = NOWHERE;

	for (int level = 0; level < 4; level++) {
		_cleanup_free_ char *text = NULL;
		size_t size;
		FILE *f = open_memstream(&text, &size);
		assert_non_null(f);
		fputs("{\"schemaVersion\":2,\"manifests\":[", f);
		for (int i = 0; i < 200; i++)
			fprintf(f, "%s{\"digest\":\"%s\",\"size\":9,%s}", i ? "," : "", inner,
				platform);
		fputs("]}", f);
		assert_int_equal(fclose(f), 0);
		struct digest d = store_add_manifest(w->dir, "docker.io/library/one",
						     level == 3 ? "nested" : NULL, text);
		digest_format(&d, inner);
	}
	check_all(w, &nested, 1);
}

/* What waits is freed with the registry. */
static void test_ends_with_lists(void **state)
{
	struct world *w = *state;
	int clients[10];

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = begin_asking(w, "GET /v2/_catalog HTTP/1.1\r\nHost: a\r\n\r\n");
	event_base_loop(w->base, EVLOOP_ONCE);
	assert_int_equal(registry_connections(w->registry), ARRAY_SIZE(clients));
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		close_fd(clients[i]);
}

/* One list at a time: were all of them taken, clients that are long gone could hold every connection for as long as their lists take. */
static void test_too_many_lists(void **state)
{
	struct world *w = *state;
	int clients[LISTS_WAITING_MAX + 100];
	unsigned answered = 0, refused = 0;

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = begin_asking(w, "GET /v2/_catalog HTTP/1.1\r\nHost: a\r\n\r\n");
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		_cleanup_free_ char *answer = end_asking(w, clients[i]);
		answered += strstr(answer, " 200 OK") && strstr(answer, "ghcr.io/acme/app");
		refused += strstr(answer, " 503 ") && strstr(answer, "ask again later");
	}
	assert_int_equal(answered + refused, ARRAY_SIZE(clients));
	assert_true(answered >= LISTS_WAITING_MAX && refused > 0);
	_cleanup_free_ char *after = ask(w, "GET /v2/_catalog HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_non_null(strstr(after, " 200 OK"));
}

static void test_drained(void **state)
{
	struct world *w = *state;
	int client = begin_asking(w, "GET /v2/_catalog HTTP/1.1\r\nHost: a\r\n\r\n");

	event_base_loop(w->base, EVLOOP_ONCE);
	registry_drain(w->registry);
	_cleanup_free_ char *answer = end_asking(w, client);
	assert_non_null(strstr(answer, "repositories"));
	assert_int_equal(registry_connections(w->registry), 0);
}

static void check_route(const char *target, enum route_kind kind, enum route_flaw flaw,
			const char *name)
{
	struct http_request request = { .path = { target, strcspn(target, "?") } };
	struct route route;

	if (target[request.path.size])
		request.query = (struct http_text){ target + request.path.size + 1,
						    strlen(target + request.path.size + 1) };
	route_parse(&request, &route);
	if (route.kind != kind || route.flaw != flaw || strcmp(route.name, name) != 0)
		fail_msg("%s: %d %d %s", target, route.kind, route.flaw, route.name);
}

static void test_routes(void **state)
{
	char registry[REFERENCE_REGISTRY_MAX + 1], repository[ROUTE_NAME_MAX + 1];

	(void)state;
	check_route("/v2/manifests/manifests/manifests/x", ROUTE_MANIFEST, ROUTE_SOUND,
		    "manifests/manifests");
	check_route("/v2/a/blobs/manifests/x", ROUTE_MANIFEST, ROUTE_SOUND, "a/blobs");
	check_route("/v2/a/tags/list", ROUTE_TAGS, ROUTE_SOUND, "a");
	check_route("/v2/a/tags/lisp", ROUTE_UNKNOWN, ROUTE_SOUND, "a");
	check_route("/v2/manifests/x", ROUTE_UNKNOWN, ROUTE_SOUND, "");
	check_route("/v2//manifests/x", ROUTE_MANIFEST, ROUTE_BAD_NAME, "");
	check_route("/v2/a/manifests/", ROUTE_MANIFEST, ROUTE_BAD_TAG, "a");
	check_route("/v2/localhost:5000/a/manifests/x", ROUTE_MANIFEST, ROUTE_SOUND,
		    "localhost:5000/a");
	assert_true(route_split_name("docker.io/busybox", registry, repository));
	assert_string_equal(repository, "library/busybox");
	assert_true(route_split_name("index.docker.io/a/b", registry, repository));
	assert_string_equal(registry, "docker.io");
	assert_string_equal(repository, "a/b");
	assert_false(route_split_name("library/busybox", registry, repository));
	assert_false(route_split_name("docker.io", registry, repository));
}

#define with_world(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		with_world(test_manifests),
		with_world(test_blobs),
		with_world(test_lists),
		with_world(test_pipelined),
		with_world(test_corrupt_blob),
		with_world(test_corrupt_manifests),
		with_world(test_more_than_memory),
		with_world(test_added),
		with_world(test_media_types),
		with_world(test_sha512),
		with_world(test_referrers_by_tag),
		with_world(test_readiness),
		with_world(test_given_up),
		with_world(test_before_the_pass_ends),
		with_world(test_order_of_need),
		with_world(test_index_of_platforms),
		with_world(test_indexes_in_indexes),
		with_world(test_many_lists),
		with_world(test_ends_with_lists),
		with_world(test_too_many_lists),
		with_world(test_drained),
	};

	return unit_main(tests);
}
