/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_HTTP_CONNECTION_H
#define LARDER_HTTP_CONNECTION_H
/*
 * Inside of the server: one connection, and what server.c and connection.c share. A connection is in exactly one phase, and in
 * every phase but PENDING it stands in the queue of that phase, oldest first, so that the deadlines of a queue are found at its
 * head.
 */
#include <sys/queue.h>

#include "http/server.h"

enum phase {
	PHASE_HEADER, /* a header section is incomplete, or the first one has not begun */
	PHASE_IDLE,   /* between requests */
	PHASE_SENDING,
	PHASE_LINGER, /* answered for the last time; input is thrown away so that the client reads the answer */
	PHASES,
	PHASE_PENDING = PHASES, /* the handler has it */
};

struct http_exchange {
	struct http_server *server;
	TAILQ_ENTRY(http_exchange) queue;
	int fd;
	enum phase phase;
	uint64_t since; /* when it came into its phase, or progressed in it; ms */
	int unread;	/* bytes that the client had not taken out of the socket, */
	bool looked_at; /* when it was looked at after that */
	struct event *readable;
	struct event *writable; /* NULL until the socket was full for the first time */
	struct event
		*turn;	 /* for the rest of many pipelined requests; NULL until there were many */
	bool reading;	 /* readable is added */
	bool writing;	 /* writable is added */
	bool in_handler; /* the answer is sent when the handler has returned */

	char *in; /* NULL: nothing was read */
	size_t in_size, in_capacity;
	struct http_scan scan;

	uint64_t started; /* ns */
	unsigned minor;	  /* of its version */
	bool head;	  /* the answer has no body: HEAD, or 304 */
	bool close_after; /* the answer is the last one */
	bool linger;	  /* input may be left unread when it is */
	void *data;

	char *out; /* header section of the answer; NULL: none begun */
	size_t out_at, out_size, out_capacity;
	struct http_body body;
	bool has_body;
	uint64_t body_at;
	uint64_t holds_at; /* where the body was when it was asked last whether it holds */
	size_t held;	   /* bytes of the body in memory that wait for the client to read */
	unsigned status;
};

TAILQ_HEAD(exchange_queue, http_exchange);

#define LISTENERS_MAX 32

struct http_server {
	struct event_base *base;
	struct http_limits limits;
	struct http_handler handler;
	struct event *tick;
	struct event *listeners[LISTENERS_MAX];
	size_t n_listeners;
	bool paused; /* no descriptor or no connection was free: accepting again at the next tick */
	bool draining;
	uint64_t cut_at; /* ms; then what cannot be sent at once is not sent; 0: no end */
	unsigned connections;
	size_t buffered; /* bytes of all input buffers */
	size_t held;	 /* of all bodies in memory that wait for their clients to read */
	struct exchange_queue queues[PHASES];
	struct exchange_queue pending_queue;
	char date[64]; /* the Date field, made anew every second */
	time_t date_made;
};

/* Takes fd. */
int connection_new(struct http_server *server, int fd);
/* Closes and frees; an answer that is under way ends incomplete. */
void connection_free(struct http_exchange *c);
void connection_enter(struct http_exchange *c, enum phase phase);
/* The request that is being answered is the last one: what came behind it is forgotten. */
void connection_ignore_rest(struct http_exchange *c);
uint64_t http_now_ms(void);
uint64_t http_now_ns(void);
const char *http_status_text(unsigned status);

size_t server_buffer_limit(const struct http_server *server); /* bytes */

/*
 * Frees the buffer of one connection, but not of this one, which is one that has progressed least lately, and rather one that is answered: who has been writing a header
 * section is closed, who is being answered loses what it has sent behind that request. False: there is no buffer.
 */
bool server_free_buffer(struct http_server *server, const struct http_exchange *spared);

/* Keeps what waits in memory for clients within its limit: those go that have read least lately. */
void server_limit_held(struct http_server *server);

/* Inside reply.c. */
enum send_result {
	SEND_DONE,
	SEND_AGAIN, /* the socket is full, or others are due */
	SEND_FAILED,
};
enum send_result reply_send(struct http_exchange *c, bool *ret_unreadable);
void reply_done(struct http_exchange *c);
/* Sends what http_reply() has made, and goes on with the next request. */
void connection_answer(struct http_exchange *c);

#endif
