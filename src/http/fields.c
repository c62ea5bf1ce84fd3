/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http/fields.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* 1*DIGIT. More than 64 bits are as good as the largest of them: no size reaches it. False: no digit. */
static bool take_number(struct http_text *rest, uint64_t *ret)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; n < rest->size && rest->data[n] >= '0' && rest->data[n] <= '9'; n++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(rest->data[n] - '0'), &value))
			break;
	for (; n < rest->size && rest->data[n] >= '0' && rest->data[n] <= '9'; n++)
		value = UINT64_MAX;
	rest->data += n;
	rest->size -= n;
	*ret = value;
	return n > 0;
}

/* suffix-range: the last N bytes */
static enum http_range_result suffix_range(struct http_text rest, uint64_t size,
					   uint64_t *ret_first, uint64_t *ret_count)
{
	uint64_t count;

	if (!take_number(&rest, &count) || rest.size > 0)
		return HTTP_RANGE_NONE;
	if (count == 0 || size == 0)
		return HTTP_RANGE_UNSATISFIABLE;
	*ret_count = count < size ? count : size;
	*ret_first = size - *ret_count;
	return HTTP_RANGE_ONE;
}

enum http_range_result http_range(struct http_text text, uint64_t size, uint64_t *ret_first,
				  uint64_t *ret_count)
{
	static const char unit[] = "bytes=";
	size_t unit_size = sizeof(unit) - 1;
	uint64_t first, last = UINT64_MAX;

	if (!text.data || text.size <= unit_size || strncasecmp(text.data, unit, unit_size) != 0)
		return HTTP_RANGE_NONE;
	struct http_text rest = { text.data + unit_size, text.size - unit_size };
	if (rest.data[0] == '-')
		return suffix_range((struct http_text){ rest.data + 1, rest.size - 1 }, size,
				    ret_first, ret_count);
	if (!take_number(&rest, &first) || rest.size == 0 || rest.data[0] != '-')
		return HTTP_RANGE_NONE;
	rest.data++;
	rest.size--;
	if (rest.size > 0 && (!take_number(&rest, &last) || rest.size > 0 || last < first))
		return HTTP_RANGE_NONE;
	if (first >= size)
		return HTTP_RANGE_UNSATISFIABLE;
	if (last >= size)
		last = size - 1;
	*ret_first = first;
	*ret_count = last - first + 1;
	return HTTP_RANGE_ONE;
}

bool http_etag_listed(struct http_text text, const char *etag)
{
	struct http_text item;

	if (http_text_equal(text, "*"))
		return true;
	while (http_list_next(&text, &item)) {
		if (item.size > 2 && memcmp(item.data, "W/", 2) == 0) {
			item.data += 2;
			item.size -= 2;
		}
		if (http_text_equal(item, etag))
			return true;
	}
	return false;
}

bool http_if_range_holds(struct http_text text, const char *etag)
{
	return !text.data || http_text_equal(text, etag);
}

static struct http_text trim_blanks(struct http_text text)
{
	while (text.size > 0 && (*text.data == ' ' || *text.data == '\t')) {
		text.data++;
		text.size--;
	}
	while (text.size > 0 &&
	       (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
		text.size--;
	return text;
}

/* qvalue = "0" [ "." 0*3DIGIT ] or "1" [ "." 0*3"0" ]; what is not one counts as 1. */
static unsigned parse_qvalue(struct http_text text)
{
	unsigned value, scale = 100;

	if (text.size == 0 || text.size > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
	    (text.size > 1 && text.data[1] != '.'))
		return 1000;
	value = text.data[0] == '1' ? 1000 : 0;
	for (size_t i = 2; i < text.size; i++, scale /= 10) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 1000;
		value += (unsigned)(text.data[i] - '0') * scale;
	}
	return value > 1000 ? 1000 : value;
}

static unsigned quality_of(struct http_text parameters)
{
	while (parameters.size > 0) {
		const char *end = memchr(parameters.data, ';', parameters.size);
		size_t n = end ? (size_t)(end - parameters.data) : parameters.size;
		struct http_text one = trim_blanks((struct http_text){ parameters.data, n });
		if (one.size > 2 && strncasecmp(one.data, "q=", 2) == 0)
			return parse_qvalue((struct http_text){ one.data + 2, one.size - 2 });
		n = end ? n + 1 : n;
		parameters.data += n;
		parameters.size -= n;
	}
	return 1000;
}

/* 3: the type itself, 2: all of its kind, 1: everything, 0: another. */
static unsigned range_precision(struct http_text range, const char *media_type)
{
	size_t kind = strcspn(media_type, "/") + 1;

	if (http_text_equal_nocase(range, media_type))
		return 3;
	if (http_text_equal(range, "*/*"))
		return 1;
	if (range.size == kind + 1 && range.data[kind] == '*' &&
	    strncasecmp(range.data, media_type, kind) == 0)
		return 2;
	return 0;
}

unsigned http_accept_quality(const struct http_request *request, const char *media_type)
{
	unsigned best = 0, quality = 0;
	bool asked = false;

	for (size_t i = 0; i < request->n_fields; i++) {
		struct http_text item, rest = request->fields[i].value;
		if (!http_text_equal_nocase(request->fields[i].name, "Accept"))
			continue;
		while (http_list_next(&rest, &item)) {
			const char *mark = memchr(item.data, ';', item.size);
			size_t n = mark ? (size_t)(mark - item.data) : item.size;
			struct http_text range = trim_blanks((struct http_text){ item.data, n });
			unsigned precision = range_precision(range, media_type);
			asked = true;
			if (precision <= best)
				continue;
			best = precision;
			quality = quality_of((struct http_text){ item.data + n, item.size - n });
		}
	}
	return asked ? quality : 1000;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int http_percent_decode(struct http_text text, char *buffer, size_t capacity)
{
	size_t n = 0;

	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		if (c == '%') {
			int high = i + 2 < text.size ? hex_value(text.data[i + 1]) : -1;
			int low = i + 2 < text.size ? hex_value(text.data[i + 2]) : -1;
			if (high < 0 || low < 0 || (high == 0 && low == 0))
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (n + 1 >= capacity)
			return -ENAMETOOLONG;
		buffer[n++] = c;
	}
	buffer[n] = '\0';
	return 0;
}

int http_query_parameter(struct http_text query, const char *name, char *buffer, size_t capacity)
{
	size_t name_size = strlen(name);

	while (query.data && query.size > 0) {
		const char *end = memchr(query.data, '&', query.size);
		size_t n = end ? (size_t)(end - query.data) : query.size;
		if (n > name_size && query.data[name_size] == '=' &&
		    memcmp(query.data, name, name_size) == 0)
			return http_percent_decode(
				(struct http_text){ query.data + name_size + 1, n - name_size - 1 },
				buffer, capacity);
		n = end ? n + 1 : n;
		query.data += n;
		query.size -= n;
	}
	return -ENOENT;
}
