/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_HTTP_REQUEST_H
#define LARDER_HTTP_REQUEST_H
/*
 * HTTP/1.x requests as bytes (RFC 9112, RFC 9110), in two steps that know no sockets:
 *
 * http_scan() looks at bytes as they arrive, each byte once, and finds the end of the header section. What can never become a
 * request (a bare LF, a NUL, a TLS hello, a line that is too long) is refused as soon as its byte is there.
 * http_parse() then reads the whole header section. Strict where leniency is how requests are smuggled: lines end with CRLF,
 * no folding, no blank before the colon, one Host, one Content-Length of digits only, never Content-Length beside
 * Transfer-Encoding.
 *
 * Both return 0 when complete, -EAGAIN when bytes are missing, or -EBADMSG and the status to answer with; status 0
 * means: this is not HTTP/1, close without a word.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_REQUEST_LINE_MAX 8192  /* bytes; longer is 414 */
#define HTTP_HEADER_MAX	      16384 /* bytes of request line and fields; more is 431 */
#define HTTP_FIELDS_MAX	      100   /* more is 431 */
#define HTTP_METHOD_MAX	      32    /* bytes; longer is 501 */

/* A part of the bytes that were parsed; no NUL at its end. */
struct http_text {
	const char *data;
	size_t size;
};

struct http_scan {
	size_t seen; /* bytes looked at */
	size_t line; /* where the current line begins */
	unsigned lines;
	unsigned status; /* after -EBADMSG */
};

/* data is the request from its first byte; size grows from call to call. *ret_size: bytes of the header section. */
int http_scan(struct http_scan *scan, const char *data, size_t size, size_t *ret_size);

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_OTHER_METHOD,
};

struct http_field {
	struct http_text name;
	struct http_text value; /* without blanks around it */
};

struct http_request {
	enum http_method method;
	struct http_text method_text;
	struct http_text path;	/* begins with a slash, or is "*"; still percent-encoded */
	struct http_text query; /* after the "?"; data NULL: none */
	unsigned minor;		/* of the version: HTTP/1.minor, 0 or 1 */
	bool keep_alive;
	bool has_body;
	bool unknown_expectation; /* Expect: other than 100-continue */
	size_t n_fields;
	struct http_field fields[HTTP_FIELDS_MAX];
};

/* data is a complete header section as http_scan() found it. ret points into data. *ret_status is set on -EBADMSG. */
int http_parse(const char *data, size_t size, struct http_request *ret, unsigned *ret_status);

/* The value of the first field of this name (letter case counts nothing); data NULL: there is none. */
struct http_text http_field(const struct http_request *request, const char *name);

/* How many fields of this name there are. */
unsigned http_field_count(const struct http_request *request, const char *name);

bool http_text_equal(struct http_text text, const char *word); /* byte for byte */
bool http_text_equal_nocase(struct http_text text,
			    const char *word); /* ASCII letter case counts nothing */

/* Takes the next element of a comma-separated list off the front of *rest, trimmed. False: none is left. Commas in
 * quoted strings do not separate. Empty elements are passed over. */
bool http_list_next(struct http_text *rest, struct http_text *ret_item);

#endif
