/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers: errors in the form of the OCI distribution specification, conditions and ranges. */
#include "registry/inside.h"

#include <jansson.h>
#include <string.h>

#include "base/text.h"
#include "http/fields.h"

#define JSON_TYPE "application/json"

void answer_out_of_memory(struct http_exchange *x)
{
	http_reply(x, 503, NULL);
}

void answer_error(struct http_exchange *x, unsigned status, const char *code, const char *format,
		  ...)
{
	_cleanup_free_ char *message = NULL, *body = NULL;
	va_list ap;

	va_start(ap, format);
	message = text_vformat(format, ap);
	va_end(ap);
	json_t *error =
		message ? json_pack("{s:[{s:s, s:s}]}", "errors", "code", code, "message", message)
			: NULL;
	if (error)
		body = json_dumps(error, JSON_COMPACT);
	json_decref(error);
	if (!body) {
		answer_out_of_memory(x);
		return;
	}
	http_reply_text(x, status, JSON_TYPE, body, strlen(body));
}

void answer_common_fields(const struct asked *asked)
{
	http_reply_field(asked->exchange, "Docker-Distribution-API-Version", "registry/2.0");
	if (asked->route.ns[0])
		http_reply_field(asked->exchange, "OCI-Namespace", "%s", asked->route.ns);
}

static struct http_text text_of(const char *text)
{
	return (struct http_text){ *text ? text : NULL, strlen(text) };
}

static void drop_body(struct http_body *body)
{
	if (body->done)
		body->done(body->user);
}

/* Narrows body to the range that was asked for; returns the status. */
static unsigned apply_range(const struct asked *asked, const char *etag, struct http_body *body)
{
	uint64_t first, count, whole = body->size;

	if (!http_if_range_holds(text_of(asked->if_range), etag))
		return 200;
	switch (http_range(text_of(asked->range), whole, &first, &count)) {
	case HTTP_RANGE_ONE:
		break;
	case HTTP_RANGE_UNSATISFIABLE:
		return 416;
	default:
		return 200;
	}
	http_reply_field(asked->exchange, "Content-Range", "bytes %llu-%llu/%llu",
			 (unsigned long long)first, (unsigned long long)(first + count - 1),
			 (unsigned long long)whole);
	if (body->data)
		body->data = (const char *)body->data + first;
	body->offset += first;
	body->size = count;
	return 206;
}

void answer_content(const struct asked *asked, const struct digest *digest, const char *media_type,
		    struct http_body *body)
{
	struct http_exchange *x = asked->exchange;
	char text[DIGEST_STRING_MAX], etag[DIGEST_STRING_MAX + 2];

	digest_format(digest, text);
	snprintf(etag, sizeof(etag), "\"%s\"", text);
	answer_common_fields(asked);
	http_reply_field(x, "Docker-Content-Digest", "%s", text);
	http_reply_field(x, "ETag", "%s", etag);
	http_reply_field(x, "Accept-Ranges", "bytes");
	if (http_etag_listed(text_of(asked->if_none_match), etag)) {
		drop_body(body);
		http_reply(x, 304, NULL);
		return;
	}
	unsigned status = apply_range(asked, etag, body);
	if (status == 416) {
		http_reply_field(x, "Content-Range", "bytes */%llu",
				 (unsigned long long)body->size);
		drop_body(body);
		answer_error(x, 416, "SIZE_INVALID",
			     "the range lies behind the end of the content");
		return;
	}
	http_reply_field(x, "Content-Type", "%s", media_type);
	http_reply(x, status, body);
}
