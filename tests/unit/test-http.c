/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and their fields, as bytes. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/fields.h"
#include "http/request.h"

#define COMPLETE 200

/* What becomes of these bytes: COMPLETE, the status of the refusal, 0 for "closed without a word", or -EAGAIN. */
static int verdict(const char *data, size_t size, struct http_request *ret)
{
	struct http_scan scan = { 0 };
	unsigned status = 0;
	size_t used = 0;

	int r = http_scan(&scan, data, size, &used);
	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return (int)scan.status;
	assert_true(used <= size);
	r = http_parse(data, used, ret, &status);
	return r == 0 ? COMPLETE : (int)status;
}

#define HOST "Host: a\r\n"

static void test_requests(void **state)
{
	static const struct {
		const char *text;
		int verdict;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n" HOST "\r\n", COMPLETE },
		{ "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", COMPLETE },
		{ "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/1.0\r\n\r\n", COMPLETE },
		{ "GET http://a:80/v2/ HTTP/1.1\r\n" HOST "\r\n", COMPLETE },
		{ "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", COMPLETE },
		{ "CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", COMPLETE },
		{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", COMPLETE },
		{ "GET / HTTP/1.1\r\nHost: [::1]:3172\r\n\r\n", COMPLETE },
		{ "GET / HTTP/1.1\r\n" HOST "X: \ttabs\tand \xff \r\n\r\n", COMPLETE },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", COMPLETE },
		{ "", -EAGAIN },
		{ "GET / HTTP/1.1\r\n" HOST, -EAGAIN },
		{ "GET / HTTP/1.1\r\n" HOST "\r", -EAGAIN },
		/* lines */
		{ "GET / HTTP/1.1\nHost: a\n\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "A: 1\r\n folded\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n A: 1\r\n" HOST "\r\n", 400 },
		/* request line */
		{ "GET /\r\n", 400 },
		{ "GET /", -EAGAIN },
		{ "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /  HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/1.1 \r\n" HOST "\r\n", 400 },
		{ " GET / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "G(T / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET v2 HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET * HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /#x HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /\xc3\xbc HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET / http/1.1\r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/1.\r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/11\r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/3.0\r\n" HOST "\r\n", 505 },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST "\r\n", 501 },
		/* fields */
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "A\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "A: \x01\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "A: \x7f\r\n\r\n", 400 },
		/* framing */
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST
		  "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		  400 },
		{ "GET / HTTP/1.1\r\n" HOST
		  "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		  400 },
		{ "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501 },
		{ "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 501 },
		/* not HTTP/1 */
		{ "\x16\x03\x01\x02", 0 },
		{ "PRI * HTTP/2.0\r\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_request request;
		int got = verdict(cases[i].text, strlen(cases[i].text), &request);
		if (got != cases[i].verdict)
			fail_msg("case %zu: %s: %d, not %d", i, cases[i].text, got,
				 cases[i].verdict);
	}
}

/* Byte by byte, the scanner must say what it says about the whole. */
static void test_scan_in_pieces(void **state)
{
	static const char text[] = "\r\nHEAD /v2/?n=1 HTTP/1.1\r\n" HOST "A: b\r\n\r\nGET ";
	struct http_scan scan = { 0 };
	size_t used = 0;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 5; n++)
		assert_int_equal(http_scan(&scan, text, n, &used), -EAGAIN);
	assert_int_equal(http_scan(&scan, text, sizeof(text) - 5, &used), 0);
	assert_int_equal(used, sizeof(text) - 5);
	assert_int_equal(verdict("a\0", 2, NULL), 400);
}

static void test_limits(void **state)
{
	size_t size = 4 * HTTP_HEADER_MAX;
	_cleanup_free_ char *text = malloc(size);
	struct http_request request;

	(void)state;
	memset(text, 'a', size);
	assert_int_equal(verdict(text, HTTP_REQUEST_LINE_MAX, &request), -EAGAIN);
	assert_int_equal(verdict(text, size, &request), 414);
	int n = sprintf(text, "GET / HTTP/1.1\r\n" HOST "X:");
	text[n] = 'a';
	assert_int_equal(verdict(text, size, &request), 431);
	n = sprintf(text, "GET / HTTP/1.1\r\n");
	for (int i = 0; i <= HTTP_FIELDS_MAX; i++)
		n += sprintf(text + n, "%s", i ? "A: 1\r\n" : HOST);
	assert_int_equal(verdict(text, (size_t)n, &request), 431);
	n -= 6;
	n += sprintf(text + n, "\r\n");
	assert_int_equal(verdict(text, (size_t)n, &request), COMPLETE);
	assert_int_equal(request.n_fields, HTTP_FIELDS_MAX);
}

static void test_parts(void **state)
{
	static const char text[] = "HEAD /v2/a%2fb/x?ns=docker.io&n= HTTP/1.0\r\n"
				   "Connection: Keep-Alive, x\r\nX:  v \r\nx: w\r\n\r\n";
	struct http_request r;
	char buffer[16];

	(void)state;
	assert_int_equal(verdict(text, sizeof(text) - 1, &r), COMPLETE);
	assert_int_equal(r.method, HTTP_HEAD);
	assert_true(http_text_equal(r.path, "/v2/a%2fb/x"));
	assert_true(http_text_equal(r.query, "ns=docker.io&n="));
	assert_true(r.keep_alive);
	assert_false(r.has_body);
	assert_int_equal(r.minor, 0);
	assert_true(http_text_equal(http_field(&r, "x"), "v"));
	assert_int_equal(http_field_count(&r, "X"), 2);
	assert_null(http_field(&r, "y").data);
	assert_int_equal(http_query_parameter(r.query, "ns", buffer, sizeof(buffer)), 0);
	assert_string_equal(buffer, "docker.io");
	assert_int_equal(http_query_parameter(r.query, "n", buffer, sizeof(buffer)), 0);
	assert_string_equal(buffer, "");
	assert_int_equal(http_query_parameter(r.query, "s", buffer, sizeof(buffer)), -ENOENT);
	assert_int_equal(http_query_parameter(r.query, "ns", buffer, 9), -ENAMETOOLONG);
	assert_int_equal(http_percent_decode(r.path, buffer, sizeof(buffer)), 0);
	assert_string_equal(buffer, "/v2/a/b/x");
}

static struct http_text text_of(const char *text)
{
	return (struct http_text){ text, text ? strlen(text) : 0 };
}

static void test_percent(void **state)
{
	static const char *const broken[] = { "%", "%4", "%4g", "%00", "a%0" };
	char buffer[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		assert_int_equal(http_percent_decode(text_of(broken[i]), buffer, 8), -EINVAL);
	assert_int_equal(http_percent_decode(text_of("%2e%2E%2f+"), buffer, 8), 0);
	assert_string_equal(buffer, "../+");
}

static void test_range(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
		enum http_range_result result;
		uint64_t first, count;
	} cases[] = {
		{ NULL, 10, HTTP_RANGE_NONE, 0, 0 },
		{ "bytes=0-0", 10, HTTP_RANGE_ONE, 0, 1 },
		{ "bytes=2-", 10, HTTP_RANGE_ONE, 2, 8 },
		{ "Bytes=2-100", 10, HTTP_RANGE_ONE, 2, 8 },
		{ "bytes=-3", 10, HTTP_RANGE_ONE, 7, 3 },
		{ "bytes=-30", 10, HTTP_RANGE_ONE, 0, 10 },
		{ "bytes=9-9", 10, HTTP_RANGE_ONE, 9, 1 },
		{ "bytes=10-", 10, HTTP_RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=-0", 10, HTTP_RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=0-", 0, HTTP_RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=-1", 0, HTTP_RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=18446744073709551615-", 10, HTTP_RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=18446744073709551616-", 10, HTTP_RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=2-99999999999999999999999", 10, HTTP_RANGE_ONE, 2, 8 },
		{ "bytes=-99999999999999999999999", 10, HTTP_RANGE_ONE, 0, 10 },
		{ "bytes=3-2", 10, HTTP_RANGE_NONE, 0, 0 },
		{ "bytes=0-1,3-4", 10, HTTP_RANGE_NONE, 0, 0 },
		{ "bytes=", 10, HTTP_RANGE_NONE, 0, 0 },
		{ "bytes=-", 10, HTTP_RANGE_NONE, 0, 0 },
		{ "bytes=1", 10, HTTP_RANGE_NONE, 0, 0 },
		{ "bytes=+1-2", 10, HTTP_RANGE_NONE, 0, 0 },
		{ "lines=0-1", 10, HTTP_RANGE_NONE, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t first = 0, count = 0;
		enum http_range_result result =
			http_range(text_of(cases[i].text), cases[i].size, &first, &count);
		if (result != cases[i].result || first != cases[i].first || count != cases[i].count)
			fail_msg("case %zu: %s", i, cases[i].text);
	}
}

static void test_etags(void **state)
{
	(void)state;
	assert_true(http_etag_listed(text_of("*"), "\"a\""));
	assert_true(http_etag_listed(text_of("\"b\", W/\"a\""), "\"a\""));
	assert_true(http_etag_listed(text_of("\"x,y\",\"a\""), "\"a\""));
	assert_false(http_etag_listed(text_of("\"b\""), "\"a\""));
	assert_false(http_etag_listed(text_of(NULL), "\"a\""));
	assert_true(http_if_range_holds(text_of(NULL), "\"a\""));
	assert_true(http_if_range_holds(text_of("\"a\""), "\"a\""));
	assert_false(http_if_range_holds(text_of("W/\"a\""), "\"a\""));
	assert_false(http_if_range_holds(text_of("Mon, 01 Jan 2024 00:00:00 GMT"), "\"a\""));
}

static void test_accept(void **state)
{
	static const struct {
		const char *fields;
		unsigned quality;
	} cases[] = {
		{ "", 1000 },
		{ "Accept: a/b\r\n", 1000 },
		{ "Accept: a/*\r\nAccept: x/y\r\n", 1000 },
		{ "Accept: x/y, */*;q=0.1\r\n", 100 },
		{ "Accept: */*, a/b ; q=0\r\n", 0 },
		{ "Accept: a/b;q=0.5;x=1\r\n", 500 },
		{ "Accept: x/y\r\n", 0 },
		{ "Accept: a/bc\r\n", 0 },
		{ "Accept: A/B;q=nonsense\r\n", 1000 },
		{ "Accept: ,,\r\n", 1000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_request request;
		char text[256];
		int n = sprintf(text, "GET / HTTP/1.1\r\n" HOST "%s\r\n", cases[i].fields);
		assert_int_equal(verdict(text, (size_t)n, &request), COMPLETE);
		if (http_accept_quality(&request, "a/b") != cases[i].quality)
			fail_msg("case %zu: %s", i, cases[i].fields);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests), cmocka_unit_test(test_scan_in_pieces),
		cmocka_unit_test(test_limits),	 cmocka_unit_test(test_parts),
		cmocka_unit_test(test_percent),	 cmocka_unit_test(test_range),
		cmocka_unit_test(test_etags),	 cmocka_unit_test(test_accept),
	};

	return unit_main(tests);
}
