/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making an answer and sending it: header section and body, through a socket that may be full at any byte. */
#include "http/connection.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define HEAD_CAPACITY 1024	   /* bytes at first */
#define HEAD_PREFIX   256	   /* room before the fields for what http_reply() adds */
#define HEAD_MAX      16384	   /* fields beyond it are a bug of the caller */
#define TURN_BYTES    (2U << 20)   /* sent for one connection before others have their turn */
#define PIECE_BYTES   (128U << 10) /* read at once where sendfile cannot be used */

const char *http_status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} texts[] = {
		{ 200, "OK" },
		{ 206, "Partial Content" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Other";
}

static bool reserve_head(struct http_exchange *c, size_t more)
{
	size_t capacity = c->out_capacity ? c->out_capacity : HEAD_CAPACITY;

	if (!c->out)
		c->out_at = c->out_size = HEAD_PREFIX;
	while (capacity < c->out_size + more)
		capacity *= 2;
	if (capacity == c->out_capacity)
		return true;
	assert(capacity <= HEAD_MAX);
	char *larger = realloc(c->out, capacity);
	if (!larger)
		return false;
	c->out = larger;
	c->out_capacity = capacity;
	return true;
}

static void append_field(struct http_exchange *c, const char *name, const char *value, size_t size)
{
	size_t name_size = strlen(name);

	/* Without memory the answer goes out without this field, and the connection ends with it. */
	if (!reserve_head(c, name_size + size + 4)) {
		c->close_after = true;
		return;
	}
	char *at = c->out + c->out_size;
	at = mempcpy(at, name, name_size);
	at = mempcpy(at, ": ", 2);
	for (size_t i = 0; i < size; i++)
		*at++ = (unsigned char)value[i] >= 0x20 && (unsigned char)value[i] < 0x7f ? value[i]
											  : '?';
	at = mempcpy(at, "\r\n", 2);
	c->out_size = (size_t)(at - c->out);
}

void http_reply_field(struct http_exchange *c, const char *name, const char *format, ...)
{
	char value[2048];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(value, sizeof(value), format, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(value))
		append_field(c, name, value, (size_t)n);
}

static const char *date_field(struct http_server *server)
{
	time_t now = time(NULL);
	struct tm tm;

	if (now != server->date_made && gmtime_r(&now, &tm)) {
		/* RFC 9110, 5.6.7; LC_TIME of a daemon is C */
		strftime(server->date, sizeof(server->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n",
			 &tm);
		server->date_made = now;
	}
	return server->date;
}

/* The status line and the fields that every answer has, put right before the fields that are there. */
static bool make_prefix(struct http_exchange *c, uint64_t announced)
{
	char prefix[HEAD_PREFIX], length[48] = "";
	const char *connection = c->close_after	 ? "Connection: close\r\n"
				 : c->minor == 0 ? "Connection: keep-alive\r\n"
						 : "";

	if (c->status != 304)
		snprintf(length, sizeof(length), "Content-Length: %llu\r\n",
			 (unsigned long long)announced);
	int n = snprintf(prefix, sizeof(prefix), "HTTP/1.1 %u %s\r\n%s%s%s", c->status,
			 http_status_text(c->status), date_field(c->server), length, connection);
	if (n < 0 || (size_t)n >= sizeof(prefix) || !reserve_head(c, 2))
		return false;
	c->out_at = HEAD_PREFIX - (size_t)n;
	memcpy(c->out + c->out_at, prefix, (size_t)n);
	memcpy(c->out + c->out_size, "\r\n", 2);
	c->out_size += 2;
	return true;
}

void reply_done(struct http_exchange *c)
{
	if (c->has_body && c->body.done)
		c->body.done(c->body.user);
	c->has_body = false;
	c->server->held -= c->held;
	c->held = 0;
	free(c->out);
	c->out = NULL;
	c->out_at = c->out_size = c->out_capacity = 0;
	c->body_at = c->holds_at = 0;
}

void http_reply(struct http_exchange *c, unsigned status, const struct http_body *body)
{
	assert(c->phase == PHASE_PENDING);
	c->status = status;
	c->has_body = body != NULL;
	c->body = body ? *body : (struct http_body){ .fd = -1 };
	c->body_at = c->holds_at = 0;
	c->close_after = c->close_after || c->server->draining;
	if (!make_prefix(c, c->body.size)) {
		/* Out of memory: there is nothing that could be said. */
		c->out_at = c->out_size;
		c->body.size = 0;
		c->close_after = true;
	}
	c->head = c->head || status == 304;
	if (c->head)
		c->body_at = c->body.size;
	connection_enter(c, PHASE_SENDING);
	if (!c->in_handler)
		connection_answer(c);
}

void http_reply_text(struct http_exchange *c, unsigned status, const char *content_type,
		     const char *text, size_t size)
{
	struct http_body body = { .fd = -1 };
	char *copy = malloc(size + 1);

	if (copy) {
		memcpy(copy, text, size);
		body = (struct http_body){
			.size = size, .data = copy, .fd = -1, .done = free, .user = copy
		};
		http_reply_field(c, "Content-Type", "%s", content_type);
	}
	http_reply(c, status, copy ? &body : NULL);
}

/* Takes n sent bytes off the header section first, then off the body. */
static void advance(struct http_exchange *c, size_t n)
{
	size_t head = c->out_size - c->out_at;

	if (n < head) {
		c->out_at += n;
		return;
	}
	c->out_at = c->out_size;
	c->body_at += n - head;
}

static ssize_t send_bytes(struct http_exchange *c, const void *body, size_t size, bool more)
{
	struct iovec iov[2] = {
		{ c->out + c->out_at, c->out_size - c->out_at },
		{ (void *)(uintptr_t)body, size },
	};
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = body ? 2 : 1 };

	if (body && iov[0].iov_len == 0) {
		message.msg_iov = iov + 1;
		message.msg_iovlen = 1;
	}
	return sendmsg(c->fd, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
}

static ssize_t send_extent(struct http_exchange *c, size_t size, bool *ret_unreadable)
{
	off_t at = (off_t)(c->body.offset + c->body_at);
	ssize_t n = sendfile(c->fd, c->body.fd, &at, size);

	if (n == 0 || (n < 0 && (errno == EIO || errno == EINVAL || errno == EOVERFLOW)))
		*ret_unreadable = true;
	return n;
}

static ssize_t read_piece(struct http_exchange *c, void *buffer, size_t size)
{
	uint64_t at = c->body.offset + c->body_at;

	if (c->body.fd < 0)
		return c->body.read(c->body.user, buffer, size, at);
	for (;;) {
		ssize_t n = pread(c->body.fd, buffer, size, (off_t)at);
		if (n >= 0 || errno != EINTR)
			return n;
	}
}

static bool still_holds(struct http_exchange *c)
{
	c->holds_at = c->body_at;
	return !c->body.holds || c->body.holds(c->body.user);
}

/* With the header section, if that has not gone out. */
static ssize_t send_read(struct http_exchange *c, size_t size, bool *ret_unreadable)
{
	char buffer[PIECE_BYTES];
	ssize_t n = read_piece(c, buffer, size < sizeof(buffer) ? size : sizeof(buffer));

	if (n <= 0 || ((uint64_t)n == c->body.size - c->body_at && !still_holds(c))) {
		*ret_unreadable = true;
		return 0;
	}
	return send_bytes(c, buffer, (size_t)n, false);
}

static bool is_time_to_ask(const struct http_exchange *c, uint64_t left)
{
	return c->body_at - c->holds_at >= HTTP_HOLDS_BYTES ||
	       (c->body.fd >= 0 && left <= HTTP_LAST_PIECE);
}

static ssize_t send_some(struct http_exchange *c, bool *ret_unreadable)
{
	uint64_t left = c->body.size - c->body_at;
	size_t size = left < TURN_BYTES ? (size_t)left : TURN_BYTES;

	if (left > 0 && c->body.data)
		return send_bytes(c, (const char *)c->body.data + c->body_at, size, false);
	if (left > 0 && left <= HTTP_COPIED && c->body.holds)
		return send_read(c, size, ret_unreadable);
	if (c->out_at < c->out_size)
		return send_bytes(c, NULL, 0, left > 0);
	if (is_time_to_ask(c, left) && !still_holds(c)) {
		*ret_unreadable = true;
		return 0;
	}
	if (c->body.fd < 0)
		return send_read(c, size, ret_unreadable);
	if (c->body.holds && size == left && left > HTTP_LAST_PIECE)
		size -= HTTP_LAST_PIECE;
	return send_extent(c, size, ret_unreadable);
}

enum send_result reply_send(struct http_exchange *c, bool *ret_unreadable)
{
	uint64_t turn = 0;

	while (c->out_at < c->out_size || c->body_at < c->body.size) {
		if (turn >= TURN_BYTES)
			return SEND_AGAIN;
		ssize_t n = send_some(c, ret_unreadable);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && !*ret_unreadable)
			return SEND_AGAIN;
		if (n <= 0)
			return SEND_FAILED;
		bool extent = c->out_at == c->out_size && !c->body.data;
		if (extent)
			c->body_at += (uint64_t)n;
		else
			advance(c, (size_t)n);
		turn += (uint64_t)n;
	}
	return SEND_DONE;
}
