/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http/request.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
	BAD_REQUEST = 400,
	URI_TOO_LONG = 414,
	FIELDS_TOO_LARGE = 431,
	NOT_IMPLEMENTED = 501,
	VERSION_NOT_SUPPORTED = 505,
	NOT_HTTP = 0,
};

#define TLS_HANDSHAKE 0x16 /* the first byte of a ClientHello (RFC 8446, 5.1) */

/* The connection preface of HTTP/2 (RFC 9113, 3.4); its first line is enough. */
static const char http2_preface[] = "PRI * HTTP/2.0\r\n";

static int refuse(unsigned *ret_status, unsigned status)
{
	*ret_status = status;
	return -EBADMSG;
}

/* tchar of RFC 9110, 5.6.2 */
static bool is_token_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* field-vchar, SP and HTAB of RFC 9110, 5.5 */
static bool is_value_char(unsigned char c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Does the request line end with a version? A request without one (HTTP/0.9) would never have an end that shows. */
static bool ends_with_version(const char *line, size_t size)
{
	static const char word[] = " HTTP/";
	size_t version = sizeof(word) - 1 + sizeof("1.1\r\n") - 1;

	return size > version && memcmp(line + size - version, word, sizeof(word) - 1) == 0;
}

static int scan_line_end(struct http_scan *scan, const char *data, size_t at, size_t *ret_size)
{
	size_t length = at - scan->line;

	if (length == 0 || data[at - 1] != '\r')
		return refuse(&scan->status, BAD_REQUEST);
	bool empty = length == 1;
	/* One empty line before the request line is passed over (RFC 9112, 2.2). */
	if (empty && scan->lines > 0) {
		*ret_size = at + 1;
		return 0;
	}
	if (empty && scan->line > 0)
		return refuse(&scan->status, BAD_REQUEST);
	if (!empty) {
		if (scan->lines == 0 && length + 1 == sizeof(http2_preface) - 1 &&
		    memcmp(data + scan->line, http2_preface, sizeof(http2_preface) - 1) == 0)
			return refuse(&scan->status, NOT_HTTP);
		if (scan->lines == 0 && !ends_with_version(data + scan->line, length + 1))
			return refuse(&scan->status, BAD_REQUEST);
		scan->lines++;
	}
	if (scan->lines > HTTP_FIELDS_MAX + 1)
		return refuse(&scan->status, FIELDS_TOO_LARGE);
	scan->line = at + 1;
	return -EAGAIN;
}

static int scan_byte(struct http_scan *scan, const char *data, size_t at, size_t *ret_size)
{
	unsigned char c = (unsigned char)data[at];

	if (at == 0 && c == TLS_HANDSHAKE)
		return refuse(&scan->status, NOT_HTTP);
	if (c == '\n')
		return scan_line_end(scan, data, at, ret_size);
	if (at > scan->line && data[at - 1] == '\r')
		return refuse(&scan->status, BAD_REQUEST);
	if (c != '\r' && !is_value_char(c))
		return refuse(&scan->status, BAD_REQUEST);
	if (scan->lines == 0 && at - scan->line >= HTTP_REQUEST_LINE_MAX)
		return refuse(&scan->status, URI_TOO_LONG);
	if (at + 1 >= HTTP_HEADER_MAX)
		return refuse(&scan->status, FIELDS_TOO_LARGE);
	return -EAGAIN;
}

int http_scan(struct http_scan *scan, const char *data, size_t size, size_t *ret_size)
{
	while (scan->seen < size) {
		int r = scan_byte(scan, data, scan->seen, ret_size);
		scan->seen++;
		if (r != -EAGAIN)
			return r;
	}
	return -EAGAIN;
}

bool http_text_equal(struct http_text text, const char *word)
{
	size_t size = strlen(word);

	return text.data && text.size == size && memcmp(text.data, word, size) == 0;
}

bool http_text_equal_nocase(struct http_text text, const char *word)
{
	size_t size = strlen(word);

	return text.data && text.size == size && strncasecmp(text.data, word, size) == 0;
}

static struct http_text trim(const char *data, size_t size)
{
	while (size > 0 && is_blank(*data)) {
		data++;
		size--;
	}
	while (size > 0 && is_blank(data[size - 1]))
		size--;
	return (struct http_text){ data, size };
}

bool http_list_next(struct http_text *rest, struct http_text *ret_item)
{
	while (rest->data && rest->size > 0) {
		size_t n = 0;
		bool quoted = false;
		for (; n < rest->size && (quoted || rest->data[n] != ','); n++) {
			if (rest->data[n] == '"')
				quoted = !quoted;
			else if (quoted && rest->data[n] == '\\' && n + 1 < rest->size)
				n++;
		}
		struct http_text item = trim(rest->data, n);
		size_t used = n < rest->size ? n + 1 : n;
		rest->data += used;
		rest->size -= used;
		if (item.size > 0) {
			*ret_item = item;
			return true;
		}
	}
	return false;
}

struct http_text http_field(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_fields; i++)
		if (http_text_equal_nocase(request->fields[i].name, name))
			return request->fields[i].value;
	return (struct http_text){ 0 };
}

unsigned http_field_count(const struct http_request *request, const char *name)
{
	unsigned n = 0;

	for (size_t i = 0; i < request->n_fields; i++)
		n += http_text_equal_nocase(request->fields[i].name, name);
	return n;
}

static int parse_method(struct http_text text, struct http_request *ret, unsigned *ret_status)
{
	if (text.size == 0)
		return refuse(ret_status, BAD_REQUEST);
	for (size_t i = 0; i < text.size; i++)
		if (!is_token_char((unsigned char)text.data[i]))
			return refuse(ret_status, BAD_REQUEST);
	if (text.size > HTTP_METHOD_MAX)
		return refuse(ret_status, NOT_IMPLEMENTED);
	ret->method_text = text;
	ret->method = http_text_equal(text, "GET")    ? HTTP_GET
		      : http_text_equal(text, "HEAD") ? HTTP_HEAD
						      : HTTP_OTHER_METHOD;
	return 0;
}

/* absolute-form: "http://host/path" is read as "/path" (RFC 9112, 3.2.2). */
static struct http_text strip_authority(struct http_text target)
{
	static const char scheme[] = "http://";
	size_t size = sizeof(scheme) - 1;

	if (target.size <= size || strncasecmp(target.data, scheme, size) != 0)
		return target;
	while (size < target.size && target.data[size] != '/' && target.data[size] != '?')
		size++;
	if (size == sizeof(scheme) - 1)
		return target;
	if (size == target.size || target.data[size] == '?')
		return (struct http_text){ "/",
					   1 }; /* a query without a path asks for nothing here */
	return (struct http_text){ target.data + size, target.size - size };
}

static int parse_target(struct http_text target, struct http_request *ret, unsigned *ret_status)
{
	for (size_t i = 0; i < target.size; i++)
		if ((unsigned char)target.data[i] <= 0x20 ||
		    (unsigned char)target.data[i] >= 0x7f || target.data[i] == '#')
			return refuse(ret_status, BAD_REQUEST);
	target = strip_authority(target);
	bool asterisk = http_text_equal(target, "*") && ret->method == HTTP_OTHER_METHOD;
	bool authority = http_text_equal(ret->method_text, "CONNECT");
	if (target.size == 0 || (target.data[0] != '/' && !asterisk && !authority))
		return refuse(ret_status, BAD_REQUEST);
	const char *mark = memchr(target.data, '?', target.size);
	ret->path = target;
	ret->query = (struct http_text){ 0 };
	if (mark) {
		ret->path.size = (size_t)(mark - target.data);
		ret->query.data = mark + 1;
		ret->query.size = target.size - ret->path.size - 1;
	}
	return 0;
}

/* HTTP-version = "HTTP/" DIGIT "." DIGIT */
static int parse_version(struct http_text text, struct http_request *ret, unsigned *ret_status)
{
	if (text.size != 8 || memcmp(text.data, "HTTP/", 5) != 0 || text.data[6] != '.')
		return refuse(ret_status, BAD_REQUEST);
	char major = text.data[5], minor = text.data[7];
	if (major < '0' || major > '9' || minor < '0' || minor > '9')
		return refuse(ret_status, BAD_REQUEST);
	if (major != '1')
		return refuse(ret_status, VERSION_NOT_SUPPORTED);
	ret->minor = minor == '0' ? 0 : 1;
	return 0;
}

/* request-line = method SP request-target SP HTTP-version */
static int parse_request_line(struct http_text line, struct http_request *ret, unsigned *ret_status)
{
	const char *end = line.data + line.size;
	const char *first = memchr(line.data, ' ', line.size);

	if (!first)
		return refuse(ret_status, BAD_REQUEST);
	const char *second = memchr(first + 1, ' ', (size_t)(end - first - 1));
	if (!second)
		return refuse(ret_status, BAD_REQUEST);
	int r = parse_version((struct http_text){ second + 1, (size_t)(end - second - 1) }, ret,
			      ret_status);
	if (r == 0)
		r = parse_method((struct http_text){ line.data, (size_t)(first - line.data) }, ret,
				 ret_status);
	if (r == 0)
		r = parse_target((struct http_text){ first + 1, (size_t)(second - first - 1) }, ret,
				 ret_status);
	return r;
}

/* field-line = field-name ":" OWS field-value OWS */
static int parse_field(struct http_text line, struct http_request *ret, unsigned *ret_status)
{
	size_t n = 0;

	while (n < line.size && is_token_char((unsigned char)line.data[n]))
		n++;
	if (n == 0 || n == line.size || line.data[n] != ':')
		return refuse(ret_status, BAD_REQUEST);
	for (size_t i = n; i < line.size; i++)
		if (!is_value_char((unsigned char)line.data[i]))
			return refuse(ret_status, BAD_REQUEST);
	if (ret->n_fields == HTTP_FIELDS_MAX)
		return refuse(ret_status, FIELDS_TOO_LARGE);
	ret->fields[ret->n_fields++] = (struct http_field){
		.name = { line.data, n },
		.value = trim(line.data + n + 1, line.size - n - 1),
	};
	return 0;
}

/* Takes one line off the front of *rest; -EBADMSG unless it ends with CRLF and holds no other CR or LF. */
static int take_line(struct http_text *rest, struct http_text *ret_line, unsigned *ret_status)
{
	const char *end = memchr(rest->data, '\n', rest->size);

	if (!end || end == rest->data || end[-1] != '\r')
		return refuse(ret_status, BAD_REQUEST);
	*ret_line = (struct http_text){ rest->data, (size_t)(end - rest->data) - 1 };
	rest->size -= (size_t)(end + 1 - rest->data);
	rest->data = end + 1;
	return memchr(ret_line->data, '\r', ret_line->size) ? refuse(ret_status, BAD_REQUEST) : 0;
}

/* uri-host [":" port], by its letters only: nothing here is looked up by it. */
static bool host_is_sane(struct http_text host)
{
	for (size_t i = 0; i < host.size; i++) {
		unsigned char c = (unsigned char)host.data[i];
		if (c <= 0x20 || c >= 0x7f || strchr("/?#@\\\"<>^`{|},", c))
			return false;
	}
	return true;
}

static int check_host(const struct http_request *request, unsigned *ret_status)
{
	unsigned n = http_field_count(request, "Host");

	if (n > 1 || (n == 0 && request->minor >= 1))
		return refuse(ret_status, BAD_REQUEST);
	return host_is_sane(http_field(request, "Host")) ? 0 : refuse(ret_status, BAD_REQUEST);
}

/* Content-Length = 1*DIGIT; whether it is more than zero is all that matters here. */
static int read_content_length(struct http_text text, bool *ret_some, unsigned *ret_status)
{
	bool some = false;

	if (text.size == 0)
		return refuse(ret_status, BAD_REQUEST);
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return refuse(ret_status, BAD_REQUEST);
		some = some || text.data[i] != '0';
	}
	*ret_some = some;
	return 0;
}

/* Framing as RFC 9112, 6.1 and 6.3: whatever two readers could understand differently is refused. */
static int check_framing(struct http_request *request, unsigned *ret_status)
{
	unsigned lengths = http_field_count(request, "Content-Length");
	unsigned codings = http_field_count(request, "Transfer-Encoding");

	request->has_body = false;
	if (lengths > 1 || codings > 1 || (lengths && codings) || (codings && request->minor == 0))
		return refuse(ret_status, BAD_REQUEST);
	if (lengths)
		return read_content_length(http_field(request, "Content-Length"),
					   &request->has_body, ret_status);
	if (codings) {
		if (!http_text_equal_nocase(http_field(request, "Transfer-Encoding"), "chunked"))
			return refuse(ret_status, NOT_IMPLEMENTED);
		request->has_body = true;
	}
	return 0;
}

static void read_connection(struct http_request *request)
{
	bool close = false, keep = false;

	for (size_t i = 0; i < request->n_fields; i++) {
		struct http_text item, rest = request->fields[i].value;
		if (!http_text_equal_nocase(request->fields[i].name, "Connection"))
			continue;
		while (http_list_next(&rest, &item)) {
			close = close || http_text_equal_nocase(item, "close");
			keep = keep || http_text_equal_nocase(item, "keep-alive");
		}
	}
	request->keep_alive = !close && (request->minor >= 1 || keep);
}

static int parse_fields(struct http_text rest, struct http_request *ret, unsigned *ret_status)
{
	struct http_text line;

	for (;;) {
		int r = take_line(&rest, &line, ret_status);
		if (r < 0)
			return r;
		if (line.size == 0)
			return rest.size == 0 ? 0 : refuse(ret_status, BAD_REQUEST);
		r = parse_field(line, ret, ret_status);
		if (r < 0)
			return r;
	}
}

int http_parse(const char *data, size_t size, struct http_request *ret, unsigned *ret_status)
{
	struct http_text line, rest = { data, size };

	ret->n_fields = 0;
	int r = take_line(&rest, &line, ret_status);
	if (r == 0 && line.size == 0)
		r = take_line(&rest, &line, ret_status);
	if (r == 0)
		r = parse_request_line(line, ret, ret_status);
	if (r == 0)
		r = parse_fields(rest, ret, ret_status);
	if (r == 0)
		r = check_host(ret, ret_status);
	if (r == 0)
		r = check_framing(ret, ret_status);
	if (r < 0)
		return r;
	read_connection(ret);
	struct http_text expect = http_field(ret, "Expect");
	ret->unknown_expectation = expect.data && !http_text_equal_nocase(expect, "100-continue");
	return 0;
}
