/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_TIME_H
#define LARDER_CEL_TIME_H
/*
 * Timestamps (years 1 to 9999, nanoseconds) and durations (64 bits of nanoseconds), in the proleptic Gregorian calendar, without leap seconds.
 */
#include "cel/eval.h"

#define NANOSECONDS 1000000000

#define TIME_MIN (-62135596800) /* 0001-01-01T00:00:00Z */
#define TIME_MAX 253402300799	/* 9999-12-31T23:59:59Z */

struct civil {
	int64_t year;
	unsigned month, day; /* from 1 */
	unsigned hour, minute, second;
	unsigned day_of_year, day_of_week; /* from 0; Sunday is 0 */
};

struct civil civil_from_seconds(int64_t seconds);
int64_t days_from_civil(int64_t year, unsigned month, unsigned day);
bool is_leap_year(int64_t year);
unsigned days_of_month(int64_t year, unsigned month);

/* RFC 3339, with capital T and Z and without leap seconds. False: it is none, or out of range. */
bool timestamp_parse(const char *s, uint32_t length, struct cel_value *ret);

/* "1h30m", "-1.5s", "0": Go's form. */
bool duration_text_parse(const char *s, uint32_t length, int64_t *ret);

/* False: these are not operands of time arithmetic. */
bool time_add(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b,
	      struct cel_value *ret);
bool time_subtract(struct cel_eval *e, const struct cel_value *a, const struct cel_value *b,
		   struct cel_value *ret);

/*
 * zone.c: seconds east of UTC at a time, in "+02:00" or "Europe/Berlin" (read from the system's time zone files, RFC 8536). -ENOENT:
 * there is no such zone here; -EINVAL.
 */
#define ZONE_NAME_MAX  128
#define ZONE_BYTES_MAX (256 * 1024)
int zone_offset(const char *zone, uint32_t length, int64_t seconds, int64_t *ret);

/* posix_zone.c: the same by the rule that ends a time zone file, as in TZ: "CET-1CEST,M3.5.0,M10.5.0/3". */
int posix_zone_offset(const char *rule, int64_t seconds, int64_t *ret);

#endif
