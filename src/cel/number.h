/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_NUMBER_H
#define LARDER_CEL_NUMBER_H
/*
 * Numbers as text, as the reference implementation reads and writes them.
 */
#include <stdbool.h>
#include <stdint.h>

/* Optional sign and digits; nothing else. False: it is no such number, or does not fit. */
bool number_parse_int(const char *s, uint32_t length, int64_t *ret);
bool number_parse_uint(const char *s, uint32_t length, uint64_t *ret); /* no sign */

/* Decimal or hexadecimal floating point, "inf", "infinity", "nan" in any case. False also if it is too large. */
bool number_parse_double(const char *s, uint32_t length, double *ret);

/* The shortest text that reads back as d: "1.5", "1e+06", "NaN", "+Inf"; plain: without an exponent. */
#define NUMBER_TEXT_MAX 352
uint32_t number_format_double(double d, bool plain, char buffer[static NUMBER_TEXT_MAX]);

#endif
