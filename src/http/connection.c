/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection: reading requests one after the other, and what happens around each answer. */
#include "http/connection.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define INPUT_CAPACITY 1024 /* bytes at first */
#define INPUT_MAX      (2 * HTTP_HEADER_MAX)
#define TURN_REQUESTS  16 /* pipelined requests answered before others have their turn */

uint64_t http_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t http_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
}

void connection_enter(struct http_exchange *c, enum phase phase)
{
	struct http_server *s = c->server;

	TAILQ_REMOVE(c->phase == PHASE_PENDING ? &s->pending_queue : &s->queues[c->phase], c,
		     queue);
	c->phase = phase;
	c->since = http_now_ms();
	c->looked_at = false;
	c->unread = 0;
	TAILQ_INSERT_TAIL(phase == PHASE_PENDING ? &s->pending_queue : &s->queues[phase], c, queue);
}

static void read_more(struct http_exchange *c)
{
	if (!c->reading)
		c->reading = event_add(c->readable, NULL) == 0;
}

static void stop_reading(struct http_exchange *c)
{
	if (c->reading)
		event_del(c->readable);
	c->reading = false;
}

static void stop_writing(struct http_exchange *c)
{
	if (c->writing)
		event_del(c->writable);
	c->writing = false;
}

static void report(struct http_exchange *c, bool complete)
{
	const struct http_handler *h = &c->server->handler;
	struct http_outcome outcome = {
		.status = c->status,
		.body_sent = c->head ? 0 : c->body_at,
		.nanoseconds = http_now_ns() - c->started,
		.complete = complete,
	};

	if (h->finished)
		h->finished(c, &outcome, h->user);
}

static void free_input(struct http_exchange *c)
{
	c->server->buffered -= c->in_capacity;
	free(c->in);
	c->in = NULL;
	c->in_size = c->in_capacity = 0;
}

void connection_free(struct http_exchange *c)
{
	struct http_server *s = c->server;

	if (c->phase == PHASE_SENDING)
		report(c, false);
	reply_done(c);
	TAILQ_REMOVE(c->phase == PHASE_PENDING ? &s->pending_queue : &s->queues[c->phase], c,
		     queue);
	s->connections--;
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	if (c->turn)
		event_free(c->turn);
	close_fd(c->fd);
	free_input(c);
	free(c);
}

/* Takes a request off the front of the input, at once: whoever downloads for hours holds no memory for having asked. */
static void consume_request(struct http_exchange *c, size_t size)
{
	c->in_size -= size;
	memmove(c->in, c->in + size, c->in_size);
	c->scan = (struct http_scan){ 0 };
	if (c->in_size == 0)
		free_input(c);
}

void connection_ignore_rest(struct http_exchange *c)
{
	c->close_after = true;
	c->linger = true;
	free_input(c);
}

/* The last answer is out. Unread input would make the kernel reset the connection before the client has read it. */
static void end_connection(struct http_exchange *c)
{
	if (!c->linger && c->in_size == 0) {
		connection_free(c);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	free_input(c);
	connection_enter(c, PHASE_LINGER);
	read_more(c);
}

/* The answer is complete. False: the connection is gone, or on its way. */
static bool finish_answer(struct http_exchange *c)
{
	report(c, true);
	stop_writing(c);
	connection_enter(c, c->in_size > 0 ? PHASE_HEADER : PHASE_IDLE);
	reply_done(c);
	c->data = NULL;
	if (c->close_after) {
		end_connection(c);
		return false;
	}
	return true;
}

static void on_writable(evutil_socket_t fd, short what, void *user);

/* The event stays added until the answer is complete: a long one is many turns, and each would cost two calls of epoll_ctl(). */
static bool wait_until_writable(struct http_exchange *c)
{
	if (c->writing)
		return true;
	if (!c->writable)
		c->writable =
			event_new(c->server->base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
	c->writing = c->writable && event_add(c->writable, NULL) == 0;
	return c->writing;
}

/* The rest of the answer goes out when the client has read. Its memory counts, and may be what is given up. */
static void send_later(struct http_exchange *c)
{
	struct http_server *s = c->server;

	if (!wait_until_writable(c)) {
		connection_free(c);
		return;
	}
	if (c->body.data && c->held == 0) {
		c->held = (size_t)c->body.size;
		s->held += c->held;
		server_limit_held(s);
	}
}

/* Sends; true: the answer is complete and the next request may be looked at. */
static bool send_answer(struct http_exchange *c)
{
	uint64_t before = c->out_at + c->body_at;
	bool unreadable = false;
	enum send_result result = reply_send(c, &unreadable);

	if (result == SEND_AGAIN) {
		/* The queue is ordered by the time of the last progress. */
		if (c->out_at + c->body_at > before)
			connection_enter(c, PHASE_SENDING);
		send_later(c);
		return false;
	}
	if (result == SEND_FAILED) {
		if (unreadable && c->body.unreadable)
			c->body.unreadable(c->body.user);
		report(c, false);
		connection_enter(c, PHASE_LINGER); /* it is reported */
		connection_free(c);
		return false;
	}
	return finish_answer(c);
}

static void refuse(struct http_exchange *c, unsigned status, bool head)
{
	c->close_after = true;
	c->linger = true;
	c->head = head;
	c->server->handler.refuse(c, status, c->server->handler.user);
}

/* Hands one complete request to the handler. */
static void dispatch(struct http_exchange *c, struct http_request *request)
{
	const struct http_handler *h = &c->server->handler;

	c->head = request->method == HTTP_HEAD;
	c->minor = request->minor;
	c->close_after = !request->keep_alive || request->has_body;
	c->linger = request->has_body;
	if (request->has_body && request->method != HTTP_OTHER_METHOD)
		refuse(c, 413, c->head);
	else if (request->unknown_expectation)
		refuse(c, 417, c->head);
	else
		h->handle(c, request, h->user);
}

/* Looks for one request in the input. 0: it was handed on, or refused; -EAGAIN: bytes are missing; -EBADMSG: close. */
static int take_request(struct http_exchange *c)
{
	struct http_request request;
	unsigned status = 0;
	size_t size = 0;
	int r = http_scan(&c->scan, c->in, c->in_size, &size);

	if (r == -EAGAIN)
		return r;
	if (r == 0)
		r = http_parse(c->in, size, &request, &status);
	else
		status = c->scan.status;
	if (r < 0 && status == 0)
		return r;
	c->started = http_now_ns();
	c->minor = 1;
	connection_enter(c, PHASE_PENDING);
	c->in_handler = true;
	if (r < 0)
		refuse(c, status, false);
	else
		dispatch(c, &request);
	c->in_handler = false;
	if (r < 0)
		free_input(c);
	else
		consume_request(c, size);
	return 0;
}

static void on_turn(evutil_socket_t fd, short what, void *user);

/*
 * Others first: the rest of the pipelined requests when the loop comes around again. That is what a timer means to libevent; an event made
 * active would have its turn before the loop looks at the sockets of others.
 */
static void take_turn_later(struct http_exchange *c)
{
	static const struct timeval now = { 0, 0 };

	stop_reading(c);
	if (!c->turn)
		c->turn = evtimer_new(c->server->base, on_turn, c);
	if (!c->turn || event_add(c->turn, &now) < 0)
		connection_free(c);
}

static void process_input(struct http_exchange *c)
{
	for (unsigned turn = 0; c->in_size > 0; turn++) {
		if (turn == TURN_REQUESTS) {
			take_turn_later(c);
			return;
		}
		int r = take_request(c);
		if (r == -EBADMSG) {
			connection_free(c);
			return;
		}
		if (r == -EAGAIN)
			break;
		if (c->phase == PHASE_PENDING)
			return;
		if (!send_answer(c))
			return;
	}
	if (c->server->draining && c->in_size == 0)
		connection_free(c);
	else
		read_more(c);
}

static void on_turn(evutil_socket_t fd, short what, void *user)
{
	(void)fd;
	(void)what;
	process_input(user);
}

void connection_answer(struct http_exchange *c)
{
	if (send_answer(c))
		process_input(c);
}

static void on_writable(evutil_socket_t fd, short what, void *user)
{
	(void)fd;
	(void)what;
	connection_answer(user);
}

/* Buffers have a limit for all together. */
static bool make_room(struct http_exchange *c)
{
	struct http_server *s = c->server;
	size_t capacity = c->in_capacity ? c->in_capacity * 2 : INPUT_CAPACITY;

	if (c->in_size < c->in_capacity)
		return true;
	if (capacity > INPUT_MAX)
		return false;
	while (s->buffered + capacity - c->in_capacity > server_buffer_limit(s))
		if (!server_free_buffer(s, c))
			return false;
	char *larger = realloc(c->in, capacity);
	if (!larger)
		return false;
	c->in = larger;
	s->buffered += capacity - c->in_capacity;
	c->in_capacity = capacity;
	return true;
}

static void throw_away(struct http_exchange *c)
{
	char buffer[4096];
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		connection_free(c);
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
	struct http_exchange *c = user;

	(void)fd;
	(void)what;
	if (c->phase == PHASE_LINGER) {
		throw_away(c);
		return;
	}
	/* What comes while an answer is due waits in the socket. */
	if (c->phase == PHASE_PENDING || c->phase == PHASE_SENDING) {
		stop_reading(c);
		return;
	}
	if (!make_room(c)) {
		connection_free(c);
		return;
	}
	ssize_t n = recv(c->fd, c->in + c->in_size, c->in_capacity - c->in_size, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_free(c);
		return;
	}
	if (c->phase == PHASE_IDLE)
		connection_enter(c, PHASE_HEADER);
	c->in_size += (size_t)n;
	process_input(c);
}

int connection_new(struct http_server *server, int fd)
{
	struct http_exchange *c = calloc(1, sizeof(*c));

	if (!c) {
		close_fd(fd);
		return -ENOMEM;
	}
	c->server = server;
	c->fd = fd;
	c->body.fd = -1;
	c->phase = PHASE_HEADER;
	c->since = http_now_ms();
	TAILQ_INSERT_TAIL(&server->queues[PHASE_HEADER], c, queue);
	server->connections++;
	c->readable = event_new(server->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	if (c->readable)
		read_more(c);
	if (!c->reading) {
		connection_free(c);
		return -ENOMEM;
	}
	return 0;
}
