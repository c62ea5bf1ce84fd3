/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "cel/number.h"
#include "cel/time.h"

#define ZONEINFO_DIR "/usr/share/zoneinfo"
#define LOCAL_ZONE   "/etc/localtime"

/* "+02:00", "-5:30": hours and minutes. */
static int numeric_offset(const char *zone, const char *colon, uint32_t length, int64_t *ret)
{
	int64_t hours, minutes;

	if (!number_parse_int(zone, (uint32_t)(colon - zone), &hours) ||
	    !number_parse_int(colon + 1, length - (uint32_t)(colon - zone) - 1, &minutes) ||
	    hours > 23 || hours < -23 || minutes > 59 || minutes < 0)
		return -EINVAL;
	*ret = (hours * 60 + (zone[0] == '-' ? -minutes : minutes)) * 60;
	return 0;
}

static int64_t big_endian(const unsigned char *p, unsigned bytes)
{
	uint64_t value = p[0] & 0x80 ? ~UINT64_C(0) : 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | p[i];
	return (int64_t)value;
}

#define HEADER_BYTES 44

/* One data block of a time zone file: RFC 8536, section 3. */
struct block {
	uint32_t ut, standard, leaps, times, types, chars;
	unsigned width; /* bytes of a time */
	const unsigned char *data;
	size_t size;
};

static bool read_header(const unsigned char *p, size_t left, unsigned width, struct block *b)
{
	if (left < HEADER_BYTES || memcmp(p, "TZif", 4) != 0)
		return false;
	b->ut = (uint32_t)big_endian(p + 20, 4);
	b->standard = (uint32_t)big_endian(p + 24, 4);
	b->leaps = (uint32_t)big_endian(p + 28, 4);
	b->times = (uint32_t)big_endian(p + 32, 4);
	b->types = (uint32_t)big_endian(p + 36, 4);
	b->chars = (uint32_t)big_endian(p + 40, 4);
	b->width = width;
	b->data = p + HEADER_BYTES;
	if (b->times > ZONE_BYTES_MAX || b->types == 0 || b->types > 256 || b->chars > 4096 ||
	    b->leaps > 4096 || b->ut > 256 || b->standard > 256)
		return false;
	b->size = (size_t)b->times * (width + 1) + b->types * 6 + b->chars +
		  (size_t)b->leaps * (width + 4) + b->standard + b->ut;
	return b->size <= left - HEADER_BYTES;
}

static int64_t offset_of_type(const struct block *b, unsigned type)
{
	const unsigned char *types = b->data + (size_t)b->times * (b->width + 1);

	return type < b->types ? big_endian(types + 6 * (size_t)type, 4) : 0;
}

/* Before the first change of a zone the first type without daylight saving holds. */
static int64_t first_offset(const struct block *b)
{
	const unsigned char *types = b->data + (size_t)b->times * (b->width + 1);

	for (unsigned i = 0; i < b->types; i++)
		if (types[6 * i + 4] == 0)
			return offset_of_type(b, i);
	return offset_of_type(b, 0);
}

static int64_t time_of(const struct block *b, uint32_t i)
{
	return big_endian(b->data + (size_t)i * b->width, b->width);
}

static int64_t offset_at(const struct block *b, int64_t seconds, const char *rule)
{
	uint32_t low = 0, high = b->times; /* the first time after seconds is in [low, high] */
	int64_t offset;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (time_of(b, middle) <= seconds)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == b->times && posix_zone_offset(rule, seconds, &offset) == 0)
		return offset;
	if (low == 0)
		return first_offset(b);
	return offset_of_type(b, b->data[(size_t)b->times * b->width + low - 1]);
}

static int offset_in_file(char *file, size_t size, int64_t seconds, int64_t *ret)
{
	const unsigned char *p = (unsigned char *)file;
	struct block b;

	if (!read_header(p, size, 4, &b))
		return -EINVAL;
	const char *rule = "";
	if (p[4] >= '2') {
		size_t skip = HEADER_BYTES + b.size;
		if (!read_header(p + skip, size - skip, 8, &b))
			return -EINVAL;
		skip += HEADER_BYTES + b.size;
		/* The rule stands between two line feeds; the file is terminated. */
		if (size > skip && p[skip] == '\n') {
			file[skip + 1 + strcspn(file + skip + 1, "\n")] = '\0';
			rule = file + skip + 1;
		}
	}
	*ret = offset_at(&b, seconds, rule);
	return 0;
}

/* Letters, digits and what names of zones have besides; no component that begins with a dot. */
static bool is_zone_name(const char *s)
{
	if (s[0] == '\0' || s[0] == '/' || s[0] == '.' || strstr(s, "/."))
		return false;
	return s[strspn(s,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/.")] ==
	       '\0';
}

static int read_zone(const char *name, char **ret, size_t *ret_size)
{
	char path[sizeof(ZONEINFO_DIR) + ZONE_NAME_MAX + 1];

	if (strcmp(name, "Local") == 0)
		return read_file_at(AT_FDCWD, LOCAL_ZONE, ZONE_BYTES_MAX, ret, ret_size);
	if (!is_zone_name(name))
		return -EINVAL;
	snprintf(path, sizeof(path), "%s/%s", ZONEINFO_DIR, name);
	return read_file_at(AT_FDCWD, path, ZONE_BYTES_MAX, ret, ret_size);
}

int zone_offset(const char *zone, uint32_t length, int64_t seconds, int64_t *ret)
{
	const char *colon = length > 0 ? memchr(zone, ':', length) : NULL;
	_cleanup_free_ char *file = NULL;
	char name[ZONE_NAME_MAX];
	size_t size;

	if (colon)
		return numeric_offset(zone, colon, length, ret);
	if (length >= sizeof(name) || (length > 0 && memchr(zone, '\0', length)))
		return -EINVAL;
	memcpy(name, zone, length);
	name[length] = '\0';
	if (length == 0 || strcmp(name, "UTC") == 0) {
		*ret = 0;
		return 0;
	}
	int r = read_zone(name, &file, &size);
	if (r == -ENOENT && strcmp(name, "Local") == 0) {
		*ret = 0;
		return 0;
	}
	return r < 0 ? r : offset_in_file(file, size, seconds, ret);
}
