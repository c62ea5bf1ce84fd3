/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server on socket pairs: answers, limits, deadlines, and who has to give way. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "http/server.h"

#define HOST	  "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

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

/* A server on a socket pair: the bodies below, /text, which is a large one in memory, and /later; everything else is 404. */
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

enum bytes {
	MEMORY,
	SMALL_FILE,
	LARGE_FILE,
	PATTERN, /* read_pattern() */
};

/* What is here; of what has a body that may change, holds() says whether it has. */
static const struct {
	const char *path;
	enum bytes from;
	uint64_t offset, size;
	bool may_change;
} bodies[] = {
	{ "/mem", MEMORY, 0, 6, false },
	{ "/file", SMALL_FILE, 2, 5, false },
	{ "/short", SMALL_FILE, 0, 4096, false },
	{ "/read", PATTERN, 0, 300000, false },
	{ "/large", LARGE_FILE, 1, LARGE_BYTES - 1, true },
	{ "/large-read", PATTERN, 1, LARGE_BYTES - 1, true },
	{ "/last-piece", LARGE_FILE, 0, HTTP_LAST_PIECE, true },
	{ "/copied", LARGE_FILE, 0, HTTP_COPIED, true },
};

static void answer_with(struct http_exchange *x, size_t i, struct world *w)
{
	struct http_body body = {
		.size = bodies[i].size,
		.data = bodies[i].from == MEMORY ? "memory" : NULL,
		.fd = bodies[i].from == SMALL_FILE   ? w->file
		      : bodies[i].from == LARGE_FILE ? w->large
						     : -1,
		.offset = bodies[i].offset,
		.read = read_pattern,
		.holds = bodies[i].may_change ? holds : NULL,
		.unreadable = bodies[i].may_change ? unreadable : NULL,
		.done = released,
		.user = w,
	};

	http_reply_field(x, "X-Test", "%s", "a\r\nb");
	http_reply(x, 200, &body);
}

static void handle(struct http_exchange *x, const struct http_request *request, void *user)
{
	static char text[TEXT_BYTES];
	struct world *w = user;

	memset(text, 't', sizeof(text));
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		if (http_text_equal(request->path, bodies[i].path)) {
			answer_with(x, i, w);
			return;
		}
	}
	if (http_text_equal(request->path, "/later"))
		w->later = x;
	else if (http_text_equal(request->path, "/text"))
		http_reply_text(x, 200, "text/plain", text, sizeof(text));
	else
		http_reply_text(x, 404, "text/plain", "none", 4);
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

/* A connection to the server, whose socket holds so many bytes of an answer; 0: as many as there is room for. */
static int new_connection(struct world *w, int holds_bytes)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	if (holds_bytes)
		assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &holds_bytes,
					    sizeof(holds_bytes)),
				 0);
	assert_int_equal(http_server_adopt(w->server, pair[0]), 0);
	return pair[1];
}

static void connect_client(struct world *w)
{
	w->client = new_connection(w, 0);
}

static int set_up_with(void **state, const struct http_limits *limits)
{
	struct world *w = calloc(1, sizeof(*w));
	struct http_handler handler = { handle, refuse, finished, w };
	char path[] = "/tmp/larder-test-XXXXXX";

	stopped.tv_sec = 0;
	signal(SIGPIPE, SIG_IGN);
	w->base = event_base_new();
	assert_int_equal(http_server_new(w->base, limits, &handler, &w->server), 0);
	w->file = mkstemp(path);
	unlink(path);
	assert_int_equal(write(w->file, "0123456789", 10), 10);
	w->large = make_large();
	connect_client(w);
	*state = w;
	return 0;
}

static int set_up(void **state)
{
	static const struct http_limits few = { .connections = 3,
						.header_seconds = 60,
						.buffer_mib = 1 };

	return set_up_with(state, &few);
}

static int set_up_many(void **state)
{
	static const struct http_limits many = {
		.connections = 1000, .header_seconds = 10, .idle_seconds = 7, .stall_seconds = 5
	};

	return set_up_with(state, &many);
}

static int set_up_little(void **state)
{
	static const struct http_limits little = {
		.connections = 1000, .header_seconds = 600, .stall_seconds = 600, .buffer_mib = 1
	};

	return set_up_with(state, &little);
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

/* Of which nothing is of interest but that it was answered, as far as it is. */
static void client_asks(struct world *w, const char *text)
{
	bool closed;

	client_sends(w, text);
	free(client_reads(w, &closed));
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

	client_sends(w, GET("/mem") "HEAD /mem HTTP/1.1\r\n" HOST "\r\n" GET("/file") GET("/none"));
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
		client_sends(w, i % 2 ? GET("/mem") : GET("/file"));
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

	client_sends(w, GET("/later") GET("/mem"));
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

	client_sends(w, GET("/short"));
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
		snprintf(request, sizeof(request), GET("%s"), cases[i].path);
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
	bool closed;

	close_fd(w->client);
	w->client = new_connection(w, 8192);
	w->holds_for = 1;
	client_sends(w, GET("/last-piece"));
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

	client_sends(w, GET("/copied"));
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
	char c;

	clock_gettime(CLOCK_MONOTONIC, &stopped);
	client_asks(w, GET("/later"));
	connect_client(w);
	int second = w->client;
	connect_client(w);
	int idle = w->client;
	client_asks(w, GET("/mem"));
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
		client_sends(w, GET("/text"));
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
	client_sends(w, GET("/mem"));
	http_server_drain(w->server);
	_cleanup_free_ char *first = client_reads(w, &closed);
	assert_true(closed);
	assert_non_null(strstr(first, "memory"));
}

static void test_drain_unread_again(void **state)
{
	struct world *w = *state;

	client_asks(w, GET("/mem"));
	test_drain_unread(state);
}

static void test_drain(void **state)
{
	struct world *w = *state;
	int idle = w->client;
	bool closed;

	connect_client(w);
	client_asks(w, GET("/later"));
	http_server_drain(w->server);
	assert_int_equal(http_server_connections(w->server), 1);
	http_reply_text(w->later, 200, "text/plain", "late", 4);
	_cleanup_free_ char *text = client_reads(w, &closed);
	assert_true(closed);
	assert_non_null(strstr(text, "Connection: close\r\n"));
	assert_int_equal(http_server_connections(w->server), 0);
	close_fd(idle);
}

/* Time passes, in steps that are longer than the server's own between two looks at its deadlines. */
static void pass_seconds(struct world *w, unsigned seconds)
{
	for (unsigned step = 0; step < 2 * seconds; step++) {
		pass_ms(500);
		event_base_loop(w->base, EVLOOP_NONBLOCK);
	}
}

/* Bytes that are there; -1: it was closed, and all of them were read before. */
static ssize_t drain_client(int client)
{
	char buffer[64 << 10];
	ssize_t all = 0, n;

	while ((n = read(client, buffer, sizeof(buffer))) > 0)
		all += n;
	return all == 0 && (n == 0 || errno != EAGAIN) ? -1 : all;
}

static void test_idle_deadline(void **state)
{
	struct world *w = *state;

	clock_gettime(CLOCK_MONOTONIC, &stopped);
	for (unsigned i = 0; i < 5; i++) {
		client_asks(w, GET("/mem"));
		pass_seconds(w, 6);
	}
	assert_int_equal(w->finished, 5);
	assert_int_equal(http_server_connections(w->server), 1);
	pass_seconds(w, 2);
	assert_int_equal(http_server_connections(w->server), 0);
	assert_int_equal(drain_client(w->client), -1);
}

/* From the first byte on, or from the beginning: a byte now and then gains nothing. */
static void test_header_deadline(void **state)
{
	struct world *w = *state;
	static const char request[] = GET("/mem");
	int silent = new_connection(w, 0);

	clock_gettime(CLOCK_MONOTONIC, &stopped);
	client_asks(w, GET("/mem"));
	for (const char *at = request, *end = at + 9; at < end; at++) {
		assert_int_equal(write(w->client, at, 1), 1);
		pass_seconds(w, 1);
		assert_int_equal(http_server_connections(w->server), 2);
	}
	pass_seconds(w, 2);
	assert_int_equal(http_server_connections(w->server), 0);
	assert_int_equal(drain_client(silent), -1);
	assert_int_equal(w->finished, 1);
	close_fd(silent);
}

/*
 * Who reads nothing is given up; who reads little but goes on reading is served to the end, however long that takes, and though the socket
 * has no room for more of the answer until much of it was read.
 */
static void test_stall_deadline(void **state)
{
	struct world *w = *state;
	int stalled = new_connection(w, 64 << 10);
	static char buffer[64 << 10]; /* a piece of what such a socket holds */
	size_t got = 0;
	ssize_t n;

	clock_gettime(CLOCK_MONOTONIC, &stopped);
	w->holds_for = 1000000;
	assert_true(write(stalled, GET("/large"), strlen(GET("/large"))) > 0);
	client_sends(w, GET("/large"));
	pass_seconds(w, 1);
	for (; w->finished < 2; got += (size_t)n) {
		n = read(w->client, buffer, sizeof(buffer));
		assert_true(n > 0);
		pass_seconds(w, 4);
	}
	assert_int_equal(w->incomplete, 1);
	assert_int_equal(http_server_connections(w->server), 1);
	assert_true(got + (size_t)drain_client(w->client) > LARGE_BYTES);
	assert_in_range(drain_client(stalled), 1, 256 << 10);
	assert_int_equal(drain_client(stalled), -1);
	close_fd(stalled);
}

/* Once an end was set, what begins to be answered after it does not outlive it, either; until it is called off. */
static void test_cut(void **state)
{
	struct world *w = *state;
	int later = new_connection(w, 64 << 10), after = new_connection(w, 64 << 10);

	clock_gettime(CLOCK_MONOTONIC, &stopped);
	w->holds_for = 1000000;
	assert_true(write(later, GET("/later"), strlen(GET("/later"))) > 0);
	client_sends(w, GET("/large"));
	http_server_cut(w->server, 2000);
	pass_seconds(w, 1);
	assert_int_equal(w->incomplete, 0);
	pass_seconds(w, 2);
	assert_int_equal(w->incomplete, 1);
	answer_with(w->later, 4, w); /* /large */
	pass_seconds(w, 1);
	assert_int_equal(w->incomplete, 2);
	http_server_cut(w->server, 0);
	assert_true(write(after, GET("/large"), strlen(GET("/large"))) > 0);
	pass_seconds(w, 3);
	assert_int_equal(w->incomplete, 2);
	assert_int_equal(http_server_connections(w->server), 1);
	close_fd(later);
	close_fd(after);
}

/* Time that passes while nobody reads does count, also after some of the answer was read. */
static void test_stall_after_reading(void **state)
{
	struct world *w = *state;
	static char buffer[64 << 10]; /* a piece of what such a socket holds */

	clock_gettime(CLOCK_MONOTONIC, &stopped);
	w->holds_for = 1000000;
	client_sends(w, GET("/large"));
	pass_seconds(w, 2);
	assert_int_equal(read(w->client, buffer, sizeof(buffer)), sizeof(buffer));
	pass_seconds(w, 5);
	assert_int_equal(w->finished, 0);
	pass_seconds(w, 5);
	assert_int_equal(w->incomplete, 1);
	assert_int_equal(http_server_connections(w->server), 0);
}

#define FLOODERS 100

/* As many requests as the socket takes: a header section that fills the buffer, and small ones behind it. */
static void flood(int client)
{
	static char long_request[HTTP_HEADER_MAX - 4096];

	if (!long_request[0]) {
		int n = sprintf(long_request, "GET /none HTTP/1.1\r\n" HOST);
		while (n < (int)sizeof(long_request) - 1200)
			n += sprintf(long_request + n, "X: %01000d\r\n", 0);
		strcpy(long_request + n, "\r\n");
	}
	if (write(client, long_request, strlen(long_request)) < 0)
		return;
	for (int i = 0; i < 10000; i++)
		if (write(client, GET("/none"), strlen(GET("/none"))) < 0)
			return;
}

/*
 * Beside others that have asked for thousands of things at once and read every answer: however many of them there are, the next request of
 * somebody else waits for no more than the turn of each.
 */
static void test_fair_to_others(void **state)
{
	struct world *w = *state;
	int flooders[FLOODERS];
	unsigned most = 0;

	for (size_t i = 0; i < FLOODERS; i++) {
		flooders[i] = new_connection(w, 0);
		flood(flooders[i]);
	}
	for (unsigned round = 0; round < 50; round++) {
		client_sends(w, GET("/mem"));
		unsigned before = w->finished;
		while (drain_client(w->client) == 0) {
			event_base_loop(w->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
			for (size_t i = 0; i < FLOODERS; i++)
				drain_client(flooders[i]);
		}
		unsigned beside = w->finished - before;
		most = beside > most ? beside : most;
		for (size_t i = 0; i < FLOODERS; i++)
			flood(flooders[i]);
	}
	print_message("# at most %u requests of others before one\n", most);
	assert_true(most > FLOODERS); /* they did ask all the while */
	assert_in_range(most, 1, 2 * FLOODERS * 16);
	for (size_t i = 0; i < FLOODERS; i++)
		close_fd(flooders[i]);
}

/* More than what the buffers of a mebibyte hold, of header sections of 16 KiB. */
#define CROWD 100

/* The beginning of a request that is larger than half of the largest buffer, and has come to no end. */
static void send_unfinished(int client, const char *line)
{
	char value[HTTP_HEADER_MAX - 1024];

	memset(value, 'v', sizeof(value));
	assert_int_equal(write(client, line, strlen(line)), strlen(line));
	assert_int_equal(write(client, "X: ", 3), 3);
	assert_int_equal(write(client, value, sizeof(value)), sizeof(value));
}

static void run_loop(struct world *w)
{
	for (unsigned i = 0; i < 50; i++)
		event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static void assert_served(struct world *w)
{
	bool closed;

	client_sends(w, GET("/mem"));
	_cleanup_free_ char *text = client_reads(w, &closed);
	assert_false(closed);
	assert_int_equal(count(text, "HTTP/1.1 200 OK\r\n"), 1);
}

/* Incomplete requests have a limit; who has been writing one for longest is closed, and others are served meanwhile. */
static void test_incomplete_requests(void **state)
{
	struct world *w = *state;
	int crowd[CROWD];
	unsigned open;

	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = new_connection(w, 0);
		send_unfinished(crowd[i], "GET /mem HTTP/1.1\r\n" HOST);
		run_loop(w);
		assert_served(w);
	}
	/* The buffer of each is 16 KiB, and that of who is served now and then 1 KiB. */
	open = http_server_connections(w->server) - 1;
	assert_int_equal(open, 63);
	for (size_t i = 0; i < CROWD; i++)
		assert_int_equal(drain_client(crowd[i]), i < CROWD - open ? -1 : 0);
	assert_int_equal(write(crowd[CROWD - 1], "\r\n\r\n", 4), 4);
	run_loop(w);
	assert_in_range(drain_client(crowd[CROWD - 1]), 50, 1000);
	for (size_t i = 0; i < CROWD; i++)
		close_fd(crowd[i]);
	run_loop(w);
	assert_int_equal(http_server_connections(w->server), 1);
	assert_served(w);
}

/*
 * What was sent behind a request that is being answered makes room for others: that answer comes to its end, as the last one. First that of
 * who has taken some of the answer least lately.
 */
static void test_requests_behind(void **state)
{
	struct world *w = *state;
	int crowd[CROWD];
	ssize_t got, n;

	w->holds_for = 1000000;
	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = new_connection(w, 64 << 10);
		send_unfinished(crowd[i], "GET /large HTTP/1.1\r\n" HOST);
		run_loop(w);
		assert_int_equal(write(crowd[i], "\r\n\r\n" GET("/mem"), 4 + strlen(GET("/mem"))),
				 4 + strlen(GET("/mem")));
		run_loop(w);
		assert_served(w);
	}
	assert_int_equal(http_server_connections(w->server), CROWD + 1);
	for (got = 0; (n = drain_client(crowd[0])) > 0; got += n)
		run_loop(w);
	assert_int_equal(n, -1);
	assert_in_range(got, LARGE_BYTES, LARGE_BYTES + 120);
	for (got = 0; (n = drain_client(crowd[CROWD - 1])) > 0; got += n)
		run_loop(w);
	assert_int_equal(n, 0);
	assert_in_range(got, LARGE_BYTES + 150, LARGE_BYTES + 300);
	for (size_t i = 0; i < CROWD; i++)
		close_fd(crowd[i]);
	run_loop(w);
	assert_int_equal(http_server_connections(w->server), 1);
}

/* So does what was sent behind a request whose answer is not there yet; the exchange stays valid. */
static void test_requests_behind_pending(void **state)
{
	struct world *w = *state;
	struct http_exchange *first = NULL;
	int crowd[CROWD];
	char answer[1000] = "";

	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = new_connection(w, 0);
		send_unfinished(crowd[i], "GET /later HTTP/1.1\r\n" HOST);
		run_loop(w);
		assert_int_equal(write(crowd[i], "\r\n\r\n" GET("/mem"), 4 + strlen(GET("/mem"))),
				 4 + strlen(GET("/mem")));
		run_loop(w);
		first = first ? first : w->later;
		assert_served(w);
	}
	http_reply_text(first, 200, "text/plain", "late", 4);
	assert_in_range(read(crowd[0], answer, sizeof(answer) - 1), 1, sizeof(answer));
	assert_int_equal(count(answer, "Connection: close\r\n"), 1);
	assert_int_equal(count(answer, "HTTP/1.1 "), 1);
	http_reply_text(w->later, 200, "text/plain", "late", 4);
	assert_in_range(read(crowd[CROWD - 1], answer, sizeof(answer) - 1), 1, sizeof(answer));
	assert_int_equal(count(answer, "HTTP/1.1 "), 2);
	for (size_t i = 0; i < CROWD; i++)
		close_fd(crowd[i]);
	assert_served(w);
}

#define with_server(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define with_many(f)   cmocka_unit_test_setup_teardown(f, set_up_many, tear_down)
#define with_little(f) cmocka_unit_test_setup_teardown(f, set_up_little, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		with_many(test_idle_deadline),
		with_many(test_header_deadline),
		with_many(test_stall_deadline),
		with_many(test_cut),
		with_many(test_stall_after_reading),
		with_many(test_fair_to_others),
		with_little(test_incomplete_requests),
		with_little(test_requests_behind),
		with_little(test_requests_behind_pending),
	};

	return unit_main(tests);
}
