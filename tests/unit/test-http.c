/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "http/fields.h"
#include "http/server.h"

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
		{ "bytes=18446744073709551616-", 10, HTTP_RANGE_NONE, 0, 0 },
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

#define TEXT_BYTES 400000 /* more than a socket pair holds */

/* While it is set, time passes only as a test says: how long its own steps take is for the machine to say. */
static struct timespec stopped;

int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (stopped.tv_sec == 0)
		return (int)syscall(SYS_clock_gettime, clock, now);
	*now = stopped;
	return 0;
}

static void pass_ms(long ms)
{
	stopped.tv_nsec += ms * 1000000;
	stopped.tv_sec += stopped.tv_nsec / 1000000000;
	stopped.tv_nsec %= 1000000000;
}

#define LARGE_BYTES ((3 << 20) + 5)

/* A server on a socket pair: /mem, /file, /read, /short, /large, /large-read, /last-piece, /copied, /text, /later; everything else is 404. */
struct world {
	struct event_base *base;
	struct http_server *server;
	struct http_exchange *later;
	int client;
	int file;
	int large; /* of LARGE_BYTES, as read_pattern() has them */
	unsigned finished, incomplete, released, unreadable;
	unsigned asked;	    /* whether the large body holds */
	unsigned holds_for; /* so many times it does */
};

static ssize_t read_pattern(void *user, void *buffer, size_t size, uint64_t offset)
{
	(void)user;
	for (size_t i = 0; i < size; i++)
		((char *)buffer)[i] = (char)('a' + (offset + i) % 26);
	return (ssize_t)size;
}

static void released(void *user)
{
	((struct world *)user)->released++;
}

static void unreadable(void *user)
{
	((struct world *)user)->unreadable++;
}

static bool holds(void *user)
{
	struct world *w = user;

	return w->asked++ < w->holds_for;
}

static void handle(struct http_exchange *x, const struct http_request *request, void *user)
{
	struct world *w = user;
	struct http_body body = { .fd = -1, .user = w, .done = released };

	if (http_text_equal(request->path, "/mem")) {
		body.data = "memory";
		body.size = 6;
	} else if (http_text_equal(request->path, "/file")) {
		body.fd = w->file;
		body.offset = 2;
		body.size = 5;
	} else if (http_text_equal(request->path, "/read")) {
		body.read = read_pattern;
		body.size = 300000;
	} else if (http_text_equal(request->path, "/short")) {
		body.fd = w->file;
		body.size = 4096;
	} else if (http_text_equal(request->path, "/large") ||
		   http_text_equal(request->path, "/large-read")) {
		body.fd = http_text_equal(request->path, "/large") ? w->large : -1;
		body.read = read_pattern;
		body.offset = 1;
		body.size = LARGE_BYTES - 1;
		body.holds = holds;
		body.unreadable = unreadable;
	} else if (http_text_equal(request->path, "/last-piece") ||
		   http_text_equal(request->path, "/copied")) {
		body.fd = w->large;
		body.size =
			http_text_equal(request->path, "/copied") ? HTTP_COPIED : HTTP_LAST_PIECE;
		body.holds = holds;
		body.unreadable = unreadable;
	} else if (http_text_equal(request->path, "/text")) {
		static char text[TEXT_BYTES];
		memset(text, 't', sizeof(text));
		http_reply_text(x, 200, "text/plain", text, sizeof(text));
		return;
	} else if (http_text_equal(request->path, "/later")) {
		w->later = x;
		return;
	} else {
		http_reply_text(x, 404, "text/plain", "none", 4);
		return;
	}
	http_reply_field(x, "X-Test", "%s", "a\r\nb");
	http_reply(x, 200, &body);
}

static void refuse(struct http_exchange *x, unsigned status, void *user)
{
	(void)user;
	http_reply_text(x, status, "text/plain", "refused", 7);
}

static void finished(struct http_exchange *x, const struct http_outcome *outcome, void *user)
{
	struct world *w = user;

	(void)x;
	w->finished++;
	w->incomplete += !outcome->complete;
}

static int make_large(void)
{
	char path[] = "/tmp/larder-test-XXXXXX";
	_cleanup_free_ char *data = malloc(LARGE_BYTES);
	int fd = mkstemp(path);

	unlink(path);
	read_pattern(NULL, data, LARGE_BYTES, 0);
	assert_int_equal(write(fd, data, LARGE_BYTES), LARGE_BYTES);
	return fd;
}

static void connect_client(struct world *w)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(http_server_adopt(w->server, pair[0]), 0);
	w->client = pair[1];
	fcntl(w->client, F_SETFL, O_NONBLOCK);
}

static int set_up(void **state)
{
	static const struct http_limits limits = { .connections = 3,
						   .header_seconds = 60,
						   .buffer_mib = 1 };
	struct world *w = calloc(1, sizeof(*w));
	struct http_handler handler = { handle, refuse, finished, w };
	char path[] = "/tmp/larder-test-XXXXXX";

	stopped.tv_sec = 0;
	signal(SIGPIPE, SIG_IGN);
	w->base = event_base_new();
	assert_int_equal(http_server_new(w->base, &limits, &handler, &w->server), 0);
	w->file = mkstemp(path);
	unlink(path);
	assert_int_equal(write(w->file, "0123456789", 10), 10);
	w->large = make_large();
	connect_client(w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	http_server_free(w->server);
	event_base_free(w->base);
	close_fd(w->client);
	close_fd(w->file);
	close_fd(w->large);
	free(w);
	return 0;
}

static void client_sends(struct world *w, const char *text)
{
	assert_int_equal(write(w->client, text, strlen(text)), strlen(text));
}

/* Runs the loop until the server closes, or nothing more comes. Returns what came, to be freed. */
static char *client_reads(struct world *w, bool *ret_closed)
{
	size_t size = 0, capacity = 4 << 20;
	char *text = calloc(1, capacity);

	*ret_closed = false;
	for (unsigned quiet = 0; quiet < 20; quiet++) {
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		ssize_t n = read(w->client, text + size, capacity - size - 1);
		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			*ret_closed = true;
			break;
		}
		if (n > 0) {
			size += (size_t)n;
			quiet = 0;
		}
	}
	return text;
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

static void test_answers(void **state)
{
	struct world *w = *state;
	bool closed;

	client_sends(w, "GET /mem HTTP/1.1\r\n" HOST "\r\nHEAD /mem HTTP/1.1\r\n" HOST "\r\n"
			"GET /file HTTP/1.1\r\n" HOST "\r\nGET /none HTTP/1.1\r\n" HOST "\r\n");
	_cleanup_free_ char *text = client_reads(w, &closed);
	assert_false(closed);
	assert_int_equal(count(text, "HTTP/1.1 200 OK\r\n"), 3);
	assert_int_equal(count(text, "Content-Length: 6\r\n"), 2);
	assert_int_equal(count(text, "X-Test: a??b\r\n"), 3);
	assert_int_equal(count(text, "memory"), 1);
	assert_int_equal(count(text, "\r\n\r\n23456HTTP/1.1 404 Not Found"), 1);
	assert_int_equal(w->finished, 4);
	assert_int_equal(w->incomplete, 0);
	assert_int_equal(w->released, 3);
}

static void test_many_pipelined(void **state)
{
	struct world *w = *state;
	bool closed;

	for (int i = 0; i < 100; i++)
		client_sends(w, i % 2 ? "GET /mem HTTP/1.1\r\n" HOST "\r\n"
				      : "GET /file HTTP/1.1\r\n" HOST "\r\n");
	client_sends(w, "GET /x HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	_cleanup_free_ char *text = client_reads(w, &closed);
	assert_true(closed);
	assert_int_equal(count(text, "memory"), 50);
	assert_int_equal(count(text, "23456HTTP/1.1 200 OK"), 50);
	assert_int_equal(count(text, "Connection: close\r\n"), 1);
}

static void test_read_body(void **state)
{
	struct world *w = *state;
	bool closed;

	client_sends(w, "GET /read HTTP/1.0\r\n\r\n");
	_cleanup_free_ char *text = client_reads(w, &closed);
	assert_true(closed);
	const char *body = strstr(text, "\r\n\r\n") + 4;
	assert_int_equal(strlen(body), 300000);
	for (size_t i = 0; i < 300000; i++)
		assert_int_equal(body[i], 'a' + i % 26);
}

static void test_later(void **state)
{
	struct world *w = *state;
	bool closed;

	client_sends(w, "GET /later HTTP/1.1\r\n" HOST "\r\nGET /mem HTTP/1.1\r\n" HOST "\r\n");
	_cleanup_free_ char *nothing = client_reads(w, &closed);
	assert_string_equal(nothing, "");
	http_reply_text(w->later, 200, "text/plain", "late", 4);
	_cleanup_free_ char *text = client_reads(w, &closed);
	assert_non_null(strstr(text, "\r\n\r\nlateHTTP/1.1 200 OK"));
	assert_non_null(strstr(text, "memory"));
}

static void test_refusals(void **state)
{
	static const struct {
		const char *request;
		const char *answer; /* "": closed without a word */
	} cases[] = {
		{ "GET / HTTP/1.1\n", "HTTP/1.1 400 " },
		{ "GET / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 413 " },
		{ "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 404 " },
		{ "GET / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n", "HTTP/1.1 417 " },
		{ "GET / HTTP/9.1\r\n" HOST "\r\n", "HTTP/1.1 505 " },
		{ "\x16\x03\x01", "" },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool closed;
		client_sends(w, cases[i].request);
		_cleanup_free_ char *text = client_reads(w, &closed);
		if (!closed || strncmp(text, cases[i].answer, strlen(cases[i].answer)) != 0 ||
		    (*cases[i].answer == '\0' && *text != '\0'))
			fail_msg("case %zu: %s: %s", i, cases[i].request, text);
		close_fd(w->client);
		connect_client(w);
	}
}

static void test_short_body(void **state)
{
	struct world *w = *state;
	bool closed;

	client_sends(w, "GET /short HTTP/1.1\r\n" HOST "\r\n");
	_cleanup_free_ char *text = client_reads(w, &closed);
	assert_true(closed);
	assert_non_null(strstr(text, "Content-Length: 4096\r\n"));
	assert_int_equal(w->incomplete, 1);
	assert_int_equal(w->released, 1);
}

/* A large body as long as its file holds: whole, or broken off before its last piece. */
static void test_holding_body(void **state)
{
	static const struct {
		const char *path;
		unsigned holds_for, asked; /* at least */
		bool whole;
		size_t least, most; /* bytes of the body, if it is not whole */
	} cases[] = {
		{ "/large", 1000, 2, true, 0, 0 },
		{ "/large-read", 1000, 2, true, 0, 0 },
		{ "/large", 1, 2, false, 1 << 20, LARGE_BYTES - 1 - HTTP_LAST_PIECE },
		{ "/large-read", 1, 2, false, 1 << 20, LARGE_BYTES - 2 },
		{ "/large", 0, 1, false, HTTP_HOLDS_BYTES, LARGE_BYTES - 1 - HTTP_LAST_PIECE },
		{ "/large-read", 0, 1, false, HTTP_HOLDS_BYTES, LARGE_BYTES - 2 },
		{ "/last-piece", 1000, 1, true, 0, 0 },
		{ "/last-piece", 0, 1, false, 0, 0 },
		{ "/copied", 1000, 1, true, 0, 0 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char request[128];
		bool closed;
		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" HOST "\r\n",
			 cases[i].path);
		w->asked = w->unreadable = 0;
		w->holds_for = cases[i].holds_for;
		client_sends(w, request);
		_cleanup_free_ char *text = client_reads(w, &closed);
		const char *body = strstr(text, "\r\n\r\n") + 4;
		size_t size = strlen(body),
		       whole = strtoul(strstr(text, "Content-Length: ") + 16, NULL, 10);
		if (w->asked < cases[i].asked || closed == cases[i].whole ||
		    w->unreadable != !cases[i].whole ||
		    (cases[i].whole ? size != whole
				    : size < cases[i].least || size > cases[i].most))
			fail_msg("case %zu: asked %u times, %zu of %zu bytes", i, w->asked, size,
				 whole);
		char first = strncmp(cases[i].path, "/large", 6) == 0 ? 'b' : 'a';
		for (size_t at = 0; at < size; at++)
			assert_int_equal(body[at], 'a' + (first - 'a' + at) % 26);
		close_fd(w->client);
		connect_client(w);
	}
}

/* A last piece that the client takes in parts is asked about before each of them. */
static void test_last_piece_in_parts(void **state)
{
	struct world *w = *state;
	int pair[2], size = 8192;
	bool closed;

	close_fd(w->client);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(http_server_adopt(w->server, pair[0]), 0);
	w->client = pair[1];
	fcntl(w->client, F_SETFL, O_NONBLOCK);
	w->holds_for = 1;
	client_sends(w, "GET /last-piece HTTP/1.1\r\n" HOST "\r\n");
	_cleanup_free_ char *text = client_reads(w, &closed);
	size_t got = strlen(strstr(text, "\r\n\r\n") + 4);
	assert_true(closed);
	assert_in_range(got, 1, HTTP_LAST_PIECE - 1);
	assert_int_equal(w->asked, 2);
	assert_int_equal(w->unreadable, 1);
}

/* A body that is a copy as a whole and does not hold is not begun. */
static void test_small_body_that_changed(void **state)
{
	struct world *w = *state;
	bool closed;

	client_sends(w, "GET /copied HTTP/1.1\r\n" HOST "\r\n");
	_cleanup_free_ char *text = client_reads(w, &closed);
	assert_true(closed);
	assert_string_equal(text, "");
	assert_int_equal(w->unreadable, 1);
	assert_int_equal(w->incomplete, 1);
	assert_int_equal(w->released, 1);
}

/* With all connections taken, one that idles gives way; a pending one never does, and one that has just come has its turn first. */
static void test_eviction(void **state)
{
	struct world *w = *state;
	int pending = w->client, pair[2];
	bool closed;
	char c;

	clock_gettime(CLOCK_MONOTONIC, &stopped);
	client_sends(w, "GET /later HTTP/1.1\r\n" HOST "\r\n");
	free(client_reads(w, &closed));
	connect_client(w);
	int second = w->client;
	connect_client(w);
	int idle = w->client;
	client_sends(w, "GET /mem HTTP/1.1\r\n" HOST "\r\n");
	free(client_reads(w, &closed));
	connect_client(w);
	assert_int_equal(http_server_connections(w->server), 3);
	assert_int_equal(read(idle, &c, 1), 0);
	assert_int_equal(read(second, &c, 1), -1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(http_server_adopt(w->server, pair[0]), -EBUSY);
	close_fd(pair[1]);
	pass_ms(300);
	close_fd(idle);
	idle = w->client;
	connect_client(w);
	assert_int_equal(read(second, &c, 1), 0);
	assert_int_equal(read(idle, &c, 1), -1);
	assert_int_equal(read(pending, &c, 1), -1);
	http_reply_text(w->later, 200, "text/plain", "late", 4);
	assert_int_equal(read(pending, &c, 1), 1);
	close_fd(idle);
	close_fd(second);
	close_fd(pending);
}

/* Answers that wait in memory for clients that do not read have a limit; who has read least lately gives way. */
static void test_unread_answers(void **state)
{
	struct world *w = *state;
	int clients[3];
	bool closed;

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		client_sends(w, "GET /text HTTP/1.1\r\n" HOST "\r\n");
		for (int turn = 0; turn < 20; turn++)
			event_base_loop(w->base, EVLOOP_NONBLOCK);
		clients[i] = w->client;
		if (i + 1 < ARRAY_SIZE(clients))
			connect_client(w);
	}
	assert_int_equal(http_server_connections(w->server), 2);
	assert_int_equal(w->incomplete, 1);
	w->client = clients[1];
	_cleanup_free_ char *second = client_reads(w, &closed);
	assert_false(closed);
	assert_int_equal(strlen(strstr(second, "\r\n\r\n") + 4), TEXT_BYTES);
	close_fd(clients[0]);
	close_fd(clients[1]);
	w->client = clients[2];
}

/* A request that was sent before the end is answered. */
static void test_drain_unread(void **state)
{
	struct world *w = *state;
	bool closed;

	free(client_reads(w, &closed));
	client_sends(w, "GET /mem HTTP/1.1\r\n" HOST "\r\n");
	http_server_drain(w->server);
	_cleanup_free_ char *first = client_reads(w, &closed);
	assert_true(closed);
	assert_non_null(strstr(first, "memory"));
}

static void test_drain_unread_again(void **state)
{
	struct world *w = *state;
	bool closed;

	client_sends(w, "GET /mem HTTP/1.1\r\n" HOST "\r\n");
	free(client_reads(w, &closed));
	test_drain_unread(state);
}

static void test_drain(void **state)
{
	struct world *w = *state;
	int idle = w->client;
	bool closed;

	connect_client(w);
	client_sends(w, "GET /later HTTP/1.1\r\n" HOST "\r\n");
	free(client_reads(w, &closed));
	http_server_drain(w->server);
	assert_int_equal(http_server_connections(w->server), 1);
	http_reply_text(w->later, 200, "text/plain", "late", 4);
	_cleanup_free_ char *text = client_reads(w, &closed);
	assert_true(closed);
	assert_non_null(strstr(text, "Connection: close\r\n"));
	assert_int_equal(http_server_connections(w->server), 0);
	close_fd(idle);
}

#define with_server(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_scan_in_pieces),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_etags),
		cmocka_unit_test(test_accept),
		with_server(test_answers),
		with_server(test_many_pipelined),
		with_server(test_read_body),
		with_server(test_later),
		with_server(test_refusals),
		with_server(test_short_body),
		with_server(test_holding_body),
		with_server(test_last_piece_in_parts),
		with_server(test_small_body_that_changed),
		with_server(test_unread_answers),
		with_server(test_drain_unread),
		with_server(test_drain_unread_again),
		with_server(test_eviction),
		with_server(test_drain),
	};

	return unit_main(tests);
}
