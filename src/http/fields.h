/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_HTTP_FIELDS_H
#define LARDER_HTTP_FIELDS_H
/*
 * What single header fields mean: Range and If-Range (RFC 9110, 14 and 13.1.5), If-None-Match (13.1.2), Accept (12.5.1), and
 * percent-encoding with query parameters (RFC 3986). Pure functions over text; malformed conditions read as "not there",
 * as RFC 9110 asks for.
 */
#include "http/request.h"

enum http_range_result {
	HTTP_RANGE_NONE, /* none, malformed, another unit, or more than one: send everything, 200 */
	HTTP_RANGE_ONE,	 /* 206 */
	HTTP_RANGE_UNSATISFIABLE, /* 416 */
};

/* text: the value of Range (data NULL: none); size of the whole in bytes. *ret_first and *ret_count are set for ONE. */
enum http_range_result http_range(struct http_text text, uint64_t size, uint64_t *ret_first,
				  uint64_t *ret_count);

/* Does an If-None-Match name this entity tag (given with its quotes)? Weak comparison; "*" names every one. */
bool http_etag_listed(struct http_text text, const char *etag);

/* May a range be served, says If-Range? True without the field; only the very same strong entity tag counts. */
bool http_if_range_holds(struct http_text text, const char *etag);

/*
 * How much Accept wants this media type, in thousandths: 1000 when there is no Accept, 0 when it is not named by itself,
 * by "type/" followed by a star, or by two stars. The most specific range counts.
 */
unsigned http_accept_quality(const struct http_request *request, const char *media_type);

/*
 * Decodes %XX into buffer and ends it with a NUL. 0; -EINVAL: a broken escape or an encoded NUL; -ENAMETOOLONG: capacity is not
 * enough.
 */
int http_percent_decode(struct http_text text, char *buffer, size_t capacity);

/*
 * The parameter of this name from a query, decoded. 0, -ENOENT: it is not there; -EINVAL, -ENAMETOOLONG as above. "+" is a plus (RFC 3986
 * knows no other): clients write application/vnd.x+json as it is, and nothing that is asked for here has a blank.
 */
int http_query_parameter(struct http_text query, const char *name, char *buffer, size_t capacity);

#endif
