/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_HTTP_SERVER_H
#define LARDER_HTTP_SERVER_H
/*
 * An HTTP/1.1 server on one libevent loop: it accepts, reads one request after the other from a connection, hands each to
 * a handler and sends the answer, files by sendfile(2). Requests with bodies are refused; pipelined requests are answered in
 * their order.
 *
 *	connection: header ──→ pending ──→ sending ──→ idle ──→ header …     (error, close) ──→ linger ──→ closed
 *
 * An exchange is one request whose answer is due. The handler answers at once or later, exactly once; an exchange that is
 * pending stays valid until it is answered, or until http_server_free(). Everything happens on the thread that runs the
 * loop. The process must ignore SIGPIPE.
 *
 * Against hostile clients: the header section must be complete within header_seconds of its first byte (counted from
 * accept() on for the first request), a client must take some of its answer within stall_seconds, or twice that if it took some before, and
 * when all connections or buffers are taken, the one that has been idle for longest makes room. A connection costs under 1 KiB while idle,
 * a few KiB while it is answered, and at most HTTP_HEADER_MAX more while a header is incomplete or more was sent behind it.
 */
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "http/request.h"

struct http_server;
struct http_exchange;

struct http_limits {
	unsigned connections;	 /* 0: HTTP_CONNECTIONS */
	unsigned header_seconds; /* 0: HTTP_HEADER_SECONDS */
	unsigned idle_seconds;	 /* 0: HTTP_IDLE_SECONDS */
	unsigned stall_seconds;	 /* 0: HTTP_STALL_SECONDS */
	/* Of incomplete requests, all together, and as much again of answers that wait in memory for their clients; 0: HTTP_BUFFER_MIB */
	unsigned buffer_mib;
};
#define HTTP_CONNECTIONS    8192
#define HTTP_HEADER_SECONDS 10
#define HTTP_IDLE_SECONDS   75
#define HTTP_STALL_SECONDS  60
#define HTTP_BUFFER_MIB	    16
#define HTTP_LINGER_SECONDS                                                                        \
	2 /* how long unread input is thrown away before the connection is closed */

/* How an exchange ended. */
struct http_outcome {
	unsigned status;
	uint64_t body_sent; /* bytes */
	uint64_t
		nanoseconds; /* from the complete header section to the last byte handed to the kernel */
	bool complete; /* false: the client went away, stalled, or the body could not be read */
};

struct http_handler {
	/* request and what it points to are valid during the call only. */
	void (*handle)(struct http_exchange *exchange, const struct http_request *request,
		       void *user);
	/* Words for what the server refuses by itself (400, 413, 414, 417, 431, 501, 505): answers exchange with status. */
	void (*refuse)(struct http_exchange *exchange, unsigned status, void *user);
	/* May be NULL. Called once for every exchange that was answered. */
	void (*finished)(struct http_exchange *exchange, const struct http_outcome *outcome,
			 void *user);
	void *user;
};

/* limits may be NULL. handler is copied. base must outlive the server. */
int http_server_new(struct event_base *base, const struct http_limits *limits,
		    const struct http_handler *handler, struct http_server **ret);
void http_server_free(struct http_server *server);
DEFINE_CLEANUP(struct http_server *, http_server_free);

/* Takes a listening socket, TCP or unix, in any case. */
int http_server_listen(struct http_server *server, int fd);

/* Takes one connected socket, in any case. -EBUSY: all connections are taken. */
int http_server_adopt(struct http_server *server, int fd);

/* Accepts no more, closes what is idle, and closes every other connection after the answer to what it has sent. */
void http_server_drain(struct http_server *server);

/*
 * What is being answered by then ends ms from now, complete or not, as for a client that stalls, and so does what begins to be answered
 * later and cannot be sent at once; 0: the end is called off. The server goes on.
 */
void http_server_cut(struct http_server *server, unsigned ms);

unsigned http_server_connections(const struct http_server *server);

/* What the exchange is for, kept for the handler; NULL at first. */
void http_exchange_set(struct http_exchange *exchange, void *data);
void *http_exchange_get(const struct http_exchange *exchange);

/*
 * The body of an answer: bytes in memory (data), else an extent of a file (fd, offset), else what read gives. done is called once
 * when the body is no longer needed, also for HEAD; before it unreadable, if the body could not be read. Both may be NULL.
 *
 * holds (may be NULL) says whether a file still has the bytes that were announced. It is asked after every HTTP_HOLDS_BYTES, and before
 * each call that may hand the kernel the last byte, which is one of at most HTTP_LAST_PIECE; if not, the body counts as unreadable, and
 * the answer ends before its end. What is left and no more than HTTP_COPIED is a copy, read before holds is asked: a body that small
 * is right or is not sent. What goes out by sendfile(2) the kernel does not copy: a write that comes after the last question can
 * still reach those bytes of it that the client has not taken out of its socket, at most what both sockets' buffers hold.
 */
#define HTTP_HOLDS_BYTES (2U << 20)
#define HTTP_LAST_PIECE	 (128U << 10)
#define HTTP_COPIED	 (16U << 10)
struct http_body {
	uint64_t size;
	const void *data;
	int fd;		 /* only if data is NULL; below 0: read */
	uint64_t offset; /* of its first byte, in fd or for read */
	ssize_t (*read)(void *user, void *buffer, size_t size, uint64_t offset);
	bool (*holds)(void *user);
	void (*unreadable)(void *user);
	void (*done)(void *user);
	void *user;
};

/* Adds a header field; the value must be made of printable ASCII. Only before http_reply(). */
void http_reply_field(struct http_exchange *exchange, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Answers. Adds Date, Content-Length and Connection. For HEAD the body is announced and not sent; 304 announces
 * nothing. body may be NULL; it is copied, and what it points to belongs to the server until done.
 */
void http_reply(struct http_exchange *exchange, unsigned status, const struct http_body *body);

/* Answers with a copy of text as the body. */
void http_reply_text(struct http_exchange *exchange, unsigned status, const char *content_type,
		     const char *text, size_t size);

#endif
