/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_UTF8_H
#define LARDER_CEL_UTF8_H
/*
 * Code points. A byte that begins no valid sequence is one U+FFFD of one byte, as in Go.
 */
#include <stdint.h>

#define UTF8_REPLACEMENT 0xfffdU

/* The code point at s (s < end) and the bytes it takes. */
static inline uint32_t utf8_decode(const char *s, const char *end, uint32_t *ret_length)
{
	const unsigned char *u = (const unsigned char *)s;
	uint32_t left = (uint32_t)(end - s), point;

	*ret_length = 1;
	if (u[0] < 0x80)
		return u[0];
	if (u[0] >= 0xc2 && u[0] <= 0xdf && left >= 2 && (u[1] & 0xc0) == 0x80) {
		*ret_length = 2;
		return (u[0] & 0x1fU) << 6 | (u[1] & 0x3fU);
	}
	if ((u[0] & 0xf0) == 0xe0 && left >= 3 && (u[1] & 0xc0) == 0x80 && (u[2] & 0xc0) == 0x80) {
		point = (u[0] & 0x0fU) << 12 | (u[1] & 0x3fU) << 6 | (u[2] & 0x3fU);
		if (point < 0x800 || (point >= 0xd800 && point <= 0xdfff))
			return UTF8_REPLACEMENT;
		*ret_length = 3;
		return point;
	}
	if (u[0] >= 0xf0 && u[0] <= 0xf4 && left >= 4 && (u[1] & 0xc0) == 0x80 &&
	    (u[2] & 0xc0) == 0x80 && (u[3] & 0xc0) == 0x80) {
		point = (u[0] & 0x07U) << 18 | (u[1] & 0x3fU) << 12 | (u[2] & 0x3fU) << 6 |
			(u[3] & 0x3fU);
		if (point < 0x10000 || point > 0x10ffff)
			return UTF8_REPLACEMENT;
		*ret_length = 4;
		return point;
	}
	return UTF8_REPLACEMENT;
}

/* Writes at most 4 bytes; returns how many. */
static inline uint32_t utf8_encode(uint32_t point, char *to)
{
	if (point < 0x80) {
		to[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		to[0] = (char)(0xc0 | point >> 6);
		to[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		to[0] = (char)(0xe0 | point >> 12);
		to[1] = (char)(0x80 | (point >> 6 & 0x3f));
		to[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | point >> 18);
	to[1] = (char)(0x80 | (point >> 12 & 0x3f));
	to[2] = (char)(0x80 | (point >> 6 & 0x3f));
	to[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

static inline uint32_t utf8_count(const char *s, uint32_t length)
{
	const char *end = s + length;
	uint32_t n = 0, step;

	for (; s < end; s += step, n++)
		utf8_decode(s, end, &step);
	return n;
}

#endif
