/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

bool number_parse_uint(const char *s, uint32_t length, uint64_t *ret)
{
	uint64_t value = 0;

	if (length == 0)
		return false;
	for (uint32_t i = 0; i < length; i++) {
		if (s[i] < '0' || s[i] > '9' || __builtin_mul_overflow(value, 10U, &value) ||
		    __builtin_add_overflow(value, (unsigned)(s[i] - '0'), &value))
			return false;
	}
	*ret = value;
	return true;
}

bool number_parse_int(const char *s, uint32_t length, int64_t *ret)
{
	bool sign = length > 0 && (s[0] == '-' || s[0] == '+'), negative = sign && s[0] == '-';
	uint64_t value;

	if (!number_parse_uint(s + sign, length - sign, &value) ||
	    value > (uint64_t)INT64_MAX + negative)
		return false;
	*ret = (int64_t)(negative ? -value : value);
	return true;
}

static bool is_digit(char c, bool hex)
{
	return (c >= '0' && c <= '9') ||
	       (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
}

static const char *skip_digits(const char *s, bool hex, bool *any)
{
	for (; is_digit(*s, hex); s++)
		*any = true;
	return s;
}

/* Digits with at most one point, then an exponent, which hexadecimal must have. s is terminated. */
static bool is_float(const char *s)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X'), any = false, any_exponent = false;

	s = skip_digits(hex ? s + 2 : s, hex, &any);
	if (*s == '.')
		s = skip_digits(s + 1, hex, &any);
	if (!any)
		return false;
	char c = (char)(*s | 0x20);
	if (c == (hex ? 'p' : 'e')) {
		s++;
		if (*s == '+' || *s == '-')
			s++;
		s = skip_digits(s, false, &any_exponent);
		return any_exponent && *s == '\0';
	}
	return !hex && *s == '\0';
}

static bool is_word(const char *s, double *ret)
{
	if (strcasecmp(s, "inf") == 0 || strcasecmp(s, "infinity") == 0)
		*ret = INFINITY;
	else if (strcasecmp(s, "nan") == 0)
		*ret = NAN;
	else
		return false;
	return true;
}

/* Takes out underscores, which may stand between digits; false: one stands elsewhere. s is terminated. */
static bool remove_underscores(char *s)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X'), after_digit = false;
	char *to = s, *from = s;

	if (hex) {
		to = from = s + 2;
		after_digit = true;
	}
	for (; *from; from++) {
		if (*from == '_') {
			if (!after_digit || !is_digit(from[1], hex))
				return false;
			continue;
		}
		after_digit = is_digit(*from, hex);
		*to++ = *from;
	}
	*to = '\0';
	return true;
}

#define DOUBLE_TEXT_MAX 4096

bool number_parse_double(const char *s, uint32_t length, double *ret)
{
	_cleanup_free_ char *copy = length < DOUBLE_TEXT_MAX ? strndup(s, length) : NULL;

	if (!copy || strlen(copy) != length)
		return false;
	bool sign = copy[0] == '-' || copy[0] == '+';
	double value;
	if (!is_word(copy + sign, &value)) {
		if (!remove_underscores(copy + sign) || !is_float(copy + sign))
			return false;
		value = strtod(copy + sign, NULL);
		if (isinf(value))
			return false;
	} else if (sign && isnan(value)) {
		return false;
	}
	*ret = copy[0] == '-' ? -value : value;
	return true;
}

/* The shortest digits that read back as d (positive, finite), and the place of the point: 0.DIGITS × 10^point. */
static uint32_t shortest(double d, char digits[static 20], int *ret_point)
{
	char text[40];
	uint32_t n = 0;

	for (int precision = 0; precision < 17; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, d);
		if (strtod(text, NULL) == d)
			break;
	}
	char *e = strchr(text, 'e');
	for (const char *s = text; s < e; s++)
		if (*s != '.')
			digits[n++] = *s;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	*ret_point = atoi(e + 1) + 1;
	return n;
}

static uint32_t with_exponent(const char *digits, uint32_t n, int exponent, char *to)
{
	char *start = to;

	*to++ = digits[0];
	if (n > 1) {
		*to++ = '.';
		memcpy(to, digits + 1, n - 1);
		to += n - 1;
	}
	to += sprintf(to, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
	return (uint32_t)(to - start);
}

static uint32_t without_exponent(const char *digits, uint32_t n, int point, char *to)
{
	char *start = to;

	if (point <= 0)
		*to++ = '0';
	for (int i = 0; i < point; i++)
		*to++ = (uint32_t)i < n ? digits[i] : '0';
	if (point < (int)n) {
		*to++ = '.';
		for (int i = point; i < 0; i++)
			*to++ = '0';
		uint32_t from = point > 0 ? (uint32_t)point : 0;
		memcpy(to, digits + from, n - from);
		to += n - from;
	}
	return (uint32_t)(to - start);
}

static uint32_t text(const char *s, char *to)
{
	memcpy(to, s, strlen(s));
	return (uint32_t)strlen(s);
}

uint32_t number_format_double(double d, bool plain, char buffer[static NUMBER_TEXT_MAX])
{
	char digits[20];
	uint32_t sign = 0;
	int point;

	if (isnan(d))
		return text("NaN", buffer);
	if (isinf(d))
		return text(d < 0 ? "-Inf" : "+Inf", buffer);
	if (signbit(d)) {
		buffer[sign++] = '-';
		d = -d;
	}
	if (d == 0)
		return sign + text("0", buffer + sign);
	uint32_t n = shortest(d, digits, &point);
	int exponent = point - 1;
	if (!plain && (exponent < -4 || exponent >= 6))
		return sign + with_exponent(digits, n, exponent, buffer + sign);
	return sign + without_exponent(digits, n, point, buffer + sign);
}
