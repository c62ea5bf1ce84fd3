/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening, accepting within the limits, deadlines, draining. */
#include "http/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define ACCEPT_TURN 64 /* connections accepted before others have their turn */
/* What may be given up for a new connection: one without a request for so long, an answer that has not progressed for so long. */
#define YOUNG_MS      200
#define STALLED_MS    5000
#define LOOK_MS	      1000 /* an answer that has not progressed for so long is looked at closely */
#define TICK_USECONDS 250000

static uint64_t phase_limit_ms(const struct http_server *s, enum phase phase)
{
	switch (phase) {
	case PHASE_HEADER:
		return s->limits.header_seconds * 1000ULL;
	case PHASE_IDLE:
		return s->limits.idle_seconds * 1000ULL;
	case PHASE_SENDING:
		return s->limits.stall_seconds * 1000ULL;
	default:
		return HTTP_LINGER_SECONDS * 1000ULL;
	}
}

static void set_accepting(struct http_server *s, bool accepting)
{
	s->paused = !accepting;
	for (size_t i = 0; i < s->n_listeners; i++) {
		if (accepting)
			event_add(s->listeners[i], NULL);
		else
			event_del(s->listeners[i]);
	}
}

static void free_queue(struct exchange_queue *queue)
{
	struct http_exchange *c;

	while ((c = TAILQ_FIRST(queue)))
		connection_free(c);
}

/* What the socket holds that the client has not taken; 0: unknown. */
static int unread_bytes(const struct http_exchange *c)
{
	int bytes = 0;

	return ioctl(c->fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

/*
 * A socket that holds much has room for more only when much was read. So for a client that reads slowly what counts is whether it has taken
 * some of what the socket held soon after the answer progressed for the last time.
 */
static void look_at_stalled(struct http_server *s, uint64_t now)
{
	struct http_exchange *c;

	TAILQ_FOREACH(c, &s->queues[PHASE_SENDING], queue)
	{
		if (now - c->since < LOOK_MS)
			return;
		if (!c->looked_at)
			c->unread = unread_bytes(c);
		c->looked_at = true;
	}
}

static void end_overdue(struct http_server *s, enum phase phase, uint64_t now)
{
	struct http_exchange *c;

	while ((c = TAILQ_FIRST(&s->queues[phase])) && now - c->since >= phase_limit_ms(s, phase)) {
		if (phase == PHASE_SENDING && unread_bytes(c) < c->unread)
			connection_enter(c, PHASE_SENDING);
		else
			connection_free(c);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *user)
{
	struct http_server *s = user;
	uint64_t now = http_now_ms();

	(void)fd;
	(void)what;
	look_at_stalled(s, now);
	for (enum phase phase = 0; phase < PHASES; phase++)
		end_overdue(s, phase, now);
	if (s->cut_at && now >= s->cut_at)
		free_queue(&s->queues[PHASE_SENDING]);
	if (s->paused && !s->draining)
		set_accepting(s, true);
}

/*
 * Gives up the connection that is missed least. False: there is none. One that has just come has not had its turn: were it given up, of
 * many that come at once each would be the end of the one before it.
 */
static bool evict_one(struct http_server *s)
{
	static const struct {
		enum phase phase;
		uint64_t after_ms;
	} order[] = {
		{ PHASE_LINGER, 0 },
		{ PHASE_IDLE, 0 },
		{ PHASE_HEADER, YOUNG_MS },
		{ PHASE_SENDING, STALLED_MS },
	};
	uint64_t now = http_now_ms();

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct http_exchange *c = TAILQ_FIRST(&s->queues[order[i].phase]);
		if (c && now - c->since >= order[i].after_ms) {
			connection_free(c);
			return true;
		}
	}
	return false;
}

static struct http_exchange *first_with_buffer(const struct exchange_queue *queue,
					       const struct http_exchange *spared)
{
	struct http_exchange *c;

	TAILQ_FOREACH(c, queue, queue)
	if (c != spared && c->in_capacity > 0)
		return c;
	return NULL;
}

bool server_free_buffer(struct http_server *s, const struct http_exchange *spared)
{
	struct http_exchange *unfinished = first_with_buffer(&s->queues[PHASE_HEADER], spared);
	struct http_exchange *answered = first_with_buffer(&s->queues[PHASE_SENDING], spared);

	if (!answered)
		answered = first_with_buffer(&s->pending_queue, spared);
	if (answered && (!unfinished || answered->since <= unfinished->since))
		connection_ignore_rest(answered);
	else if (unfinished)
		connection_free(unfinished);
	return answered || unfinished;
}

size_t server_buffer_limit(const struct http_server *s)
{
	return (size_t)s->limits.buffer_mib << 20;
}

void server_limit_held(struct http_server *s)
{
	struct http_exchange *c = TAILQ_FIRST(&s->queues[PHASE_SENDING]);

	while (c && s->held > server_buffer_limit(s)) {
		struct http_exchange *next = TAILQ_NEXT(c, queue);
		if (c->held > 0)
			connection_free(c);
		c = next;
	}
}

int http_server_adopt(struct http_server *s, int fd)
{
	int one = 1;

	if (s->connections >= s->limits.connections && !evict_one(s)) {
		close_fd(fd);
		return -EBUSY;
	}
	/* Not a TCP socket: nothing to set. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	evutil_make_socket_nonblocking(fd);
	return connection_new(s, fd);
}

static void on_acceptable(evutil_socket_t listener, short what, void *user)
{
	struct http_server *s = user;

	(void)what;
	for (unsigned i = 0; i < ACCEPT_TURN; i++) {
		if (s->connections >= s->limits.connections && !evict_one(s)) {
			set_accepting(s, false);
			return;
		}
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			if (!evict_one(s))
				set_accepting(s, false);
			return;
		}
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0 || http_server_adopt(s, fd) < 0)
			return;
	}
}

int http_server_listen(struct http_server *s, int fd)
{
	if (s->n_listeners == LISTENERS_MAX) {
		close_fd(fd);
		return -E2BIG;
	}
	evutil_make_socket_nonblocking(fd);
	evutil_make_socket_closeonexec(fd);
	struct event *event = event_new(s->base, fd, EV_READ | EV_PERSIST, on_acceptable, s);
	if (!event || event_add(event, NULL) < 0) {
		if (event)
			event_free(event);
		close_fd(fd);
		return -ENOMEM;
	}
	s->listeners[s->n_listeners++] = event;
	return 0;
}

static void close_listeners(struct http_server *s)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		int fd = event_get_fd(s->listeners[i]);
		event_free(s->listeners[i]);
		close_fd(fd);
	}
	s->n_listeners = 0;
}

/* Those that have not begun a request. What was sent before the end counts, though it was not read yet. */
static void free_silent(struct exchange_queue *queue)
{
	struct http_exchange *c, *next;
	char byte;

	for (c = TAILQ_FIRST(queue); c; c = next) {
		next = TAILQ_NEXT(c, queue);
		if (c->in_size == 0 && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
			connection_free(c);
	}
}

void http_server_drain(struct http_server *s)
{
	s->draining = true;
	close_listeners(s);
	free_silent(&s->queues[PHASE_IDLE]);
	free_silent(&s->queues[PHASE_HEADER]);
}

void http_server_cut(struct http_server *s, unsigned ms)
{
	s->cut_at = ms ? http_now_ms() + ms : 0;
}

unsigned http_server_connections(const struct http_server *s)
{
	return s->connections;
}

void http_exchange_set(struct http_exchange *c, void *data)
{
	c->data = data;
}

void *http_exchange_get(const struct http_exchange *c)
{
	return c->data;
}

static unsigned or_default(unsigned value, unsigned otherwise)
{
	return value ? value : otherwise;
}

int http_server_new(struct event_base *base, const struct http_limits *limits,
		    const struct http_handler *handler, struct http_server **ret)
{
	static const struct timeval interval = { 0, TICK_USECONDS };
	_cleanup_(http_server_freep) struct http_server *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	for (enum phase phase = 0; phase < PHASES; phase++)
		TAILQ_INIT(&s->queues[phase]);
	TAILQ_INIT(&s->pending_queue);
	s->base = base;
	s->handler = *handler;
	if (limits)
		s->limits = *limits;
	s->limits.connections = or_default(s->limits.connections, HTTP_CONNECTIONS);
	s->limits.header_seconds = or_default(s->limits.header_seconds, HTTP_HEADER_SECONDS);
	s->limits.idle_seconds = or_default(s->limits.idle_seconds, HTTP_IDLE_SECONDS);
	s->limits.stall_seconds = or_default(s->limits.stall_seconds, HTTP_STALL_SECONDS);
	s->limits.buffer_mib = or_default(s->limits.buffer_mib, HTTP_BUFFER_MIB);
	s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
	if (!s->tick || event_add(s->tick, &interval) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(s);
	return 0;
}

void http_server_free(struct http_server *s)
{
	close_listeners(s);
	for (enum phase phase = 0; phase < PHASES; phase++)
		free_queue(&s->queues[phase]);
	free_queue(&s->pending_queue);
	if (s->tick)
		event_free(s->tick);
	free(s);
}
