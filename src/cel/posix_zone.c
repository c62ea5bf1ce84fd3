/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rule at the end of a time zone file, for times after its last change: POSIX's TZ (8.3) as RFC 8536, section 3.3.1, extends it.
 */
#include <string.h>

#include "cel/time.h"

#define DAY 86400

struct rule {
	char kind; /* 'J': day 1 … 365 without leap days; '0': day 0 … 365; 'M': month, week, day of week */
	unsigned month, week, day;
	int64_t seconds; /* after midnight, local time */
};

static bool number(const char **s, unsigned most, unsigned *ret)
{
	unsigned value = 0, digits = 0;

	for (; **s >= '0' && **s <= '9' && digits < 4; (*s)++, digits++)
		value = value * 10 + (unsigned)(**s - '0');
	*ret = value;
	return digits > 0 && value <= most;
}

static bool skip_name(const char **s)
{
	const char *start = *s;

	if (**s == '<') {
		*s += strcspn(*s, ">");
		if (**s != '>')
			return false;
		(*s)++;
		return true;
	}
	while ((**s >= 'a' && **s <= 'z') || (**s >= 'A' && **s <= 'Z'))
		(*s)++;
	return *s - start >= 3;
}

/* [+-]h[h][h][:mm[:ss]] in seconds. */
static bool clock(const char **s, int64_t *ret)
{
	unsigned hours, minutes = 0, seconds = 0;
	bool negative = **s == '-';

	if (**s == '-' || **s == '+')
		(*s)++;
	if (!number(s, 167, &hours))
		return false;
	if (**s == ':' && ((*s)++, !number(s, 59, &minutes)))
		return false;
	if (**s == ':' && ((*s)++, !number(s, 59, &seconds)))
		return false;
	*ret = (int64_t)(hours * 3600 + minutes * 60 + seconds) * (negative ? -1 : 1);
	return true;
}

static bool dot(const char **s)
{
	return **s == '.' && (*s)++;
}

static bool read_rule(const char **s, struct rule *r)
{
	bool ok;

	if (**s != ',')
		return false;
	(*s)++;
	*r = (struct rule){ .kind = '0', .seconds = 7200 };
	if (**s == 'J' || **s == 'M')
		r->kind = *(*s)++;
	if (r->kind == 'M')
		ok = number(s, 12, &r->month) && r->month > 0 && dot(s) && number(s, 5, &r->week) &&
		     r->week > 0 && dot(s) && number(s, 6, &r->day);
	else
		ok = number(s, 365, &r->day) && (r->kind == '0' || r->day > 0);
	if (ok && **s == '/')
		ok = ((*s)++, clock(s, &r->seconds));
	return ok;
}

/* Seconds since the year began, local time, when the rule takes effect. */
static int64_t in_year(const struct rule *r, int64_t year)
{
	int64_t start = days_from_civil(year, 1, 1), day = r->day;

	if (r->kind == 'J') {
		day = r->day - 1 + (is_leap_year(year) && r->day >= 60);
	} else if (r->kind == 'M') {
		int64_t first = days_from_civil(year, r->month, 1);
		unsigned first_weekday = (unsigned)(((first + 4) % 7 + 7) % 7);
		unsigned in_month = (r->day + 7 - first_weekday) % 7 + 7 * (r->week - 1);
		if (in_month >= days_of_month(year, r->month))
			in_month -= 7;
		day = first - start + in_month;
	}
	return day * DAY + r->seconds;
}

int posix_zone_offset(const char *s, int64_t seconds, int64_t *ret)
{
	int64_t standard, daylight;
	struct rule begin, end;

	if (!skip_name(&s) || !clock(&s, &standard))
		return -EINVAL;
	standard = -standard;
	*ret = standard;
	if (*s == '\0')
		return 0;
	if (!skip_name(&s))
		return -EINVAL;
	daylight = standard + 3600;
	if (*s != ',' && *s != '\0') {
		if (!clock(&s, &daylight))
			return -EINVAL;
		daylight = -daylight;
	}
	if (!read_rule(&s, &begin) || !read_rule(&s, &end) || *s != '\0')
		return -EINVAL;
	int64_t year = civil_from_seconds(seconds + standard).year;
	int64_t in = seconds - days_from_civil(year, 1, 1) * DAY;
	int64_t from = in_year(&begin, year) - standard, to = in_year(&end, year) - daylight;
	bool saving = from < to ? in >= from && in < to : in >= from || in < to;
	*ret = saving ? daylight : standard;
	return 0;
}
