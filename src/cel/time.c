/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cel/time.h"

#include <string.h>

#define DAY 86400

bool is_leap_year(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

unsigned days_of_month(int64_t year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap_year(year));
}

/* Days since 1970-01-01. Years are counted from March on, in eras of 400, so that the leap day is the last of its year. */
int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, struct civil *c)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t day_of_era = days - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;

	c->day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
	c->month = (unsigned)(month < 10 ? month + 3 : month - 9);
	c->year = year_of_era + era * 400 + (c->month <= 2);
}

struct civil civil_from_seconds(int64_t seconds)
{
	int64_t days = seconds / DAY, rest = seconds % DAY;
	struct civil c = { 0 };

	if (rest < 0) {
		rest += DAY;
		days--;
	}
	date_from_days(days, &c);
	c.hour = (unsigned)(rest / 3600);
	c.minute = (unsigned)(rest / 60 % 60);
	c.second = (unsigned)(rest % 60);
	c.day_of_week = (unsigned)(((days + 4) % 7 + 7) % 7);
	c.day_of_year = (unsigned)(days - days_from_civil(c.year, 1, 1));
	return c;
}

struct cursor {
	const char *s, *end;
};

static bool take(struct cursor *c, char wanted)
{
	if (c->s == c->end || *c->s != wanted)
		return false;
	c->s++;
	return true;
}

static bool is_digit(const struct cursor *c, unsigned at)
{
	return (size_t)(c->end - c->s) > at && c->s[at] >= '0' && c->s[at] <= '9';
}

/* Exactly so many digits, of a number in a range. */
static bool number(struct cursor *c, unsigned digits, unsigned least, unsigned most, unsigned *ret)
{
	unsigned value = 0;

	for (unsigned i = 0; i < digits; i++) {
		if (!is_digit(c, i))
			return false;
		value = value * 10 + (unsigned)(c->s[i] - '0');
	}
	c->s += digits;
	*ret = value;
	return value >= least && value <= most;
}

static bool fraction(struct cursor *c, uint32_t *ret_nanoseconds)
{
	uint32_t value = 0, digits = 0;

	*ret_nanoseconds = 0;
	if (c->s == c->end || *c->s != '.' || !is_digit(c, 1))
		return true;
	for (c->s++; is_digit(c, 0); c->s++, digits++)
		if (digits < 9)
			value = value * 10 + (uint32_t)(*c->s - '0');
	for (; digits < 9; digits++)
		value *= 10;
	*ret_nanoseconds = value;
	return true;
}

static bool zone(struct cursor *c, int *ret_minutes)
{
	unsigned hours, minutes;
	bool west = c->s < c->end && *c->s == '-';

	*ret_minutes = 0;
	if (take(c, 'Z'))
		return true;
	if ((!take(c, '+') && !take(c, '-')) || !number(c, 2, 0, 23, &hours) || !take(c, ':') ||
	    !number(c, 2, 0, 59, &minutes))
		return false;
	*ret_minutes = (int)(hours * 60 + minutes) * (west ? -1 : 1);
	return true;
}

static bool date_and_time(struct cursor *c, struct civil *t)
{
	unsigned year;

	if (!number(c, 4, 0, 9999, &year) || !take(c, '-') || !number(c, 2, 1, 12, &t->month) ||
	    !take(c, '-') || !number(c, 2, 1, 31, &t->day) || !take(c, 'T'))
		return false;
	t->year = year;
	return t->day <= days_of_month(year, t->month) && number(c, 2, 0, 23, &t->hour) &&
	       take(c, ':') && number(c, 2, 0, 59, &t->minute) && take(c, ':') &&
	       number(c, 2, 0, 59, &t->second);
}

bool timestamp_parse(const char *s, uint32_t length, struct cel_value *ret)
{
	struct cursor c = { s, s + length };
	struct cel_value v = { .kind = CEL_TIMESTAMP };
	struct civil t;
	int minutes;

	if (!date_and_time(&c, &t) || !fraction(&c, &v.length) || !zone(&c, &minutes) ||
	    c.s != c.end)
		return false;
	v.i = days_from_civil(t.year, t.month, t.day) * DAY + t.hour * 3600 + t.minute * 60 +
	      t.second - minutes * 60;
	v.zone = (int16_t)minutes;
	*ret = v;
	return v.i >= TIME_MIN && v.i <= TIME_MAX;
}

void cel_timestamp_format(const struct cel_value *v, bool utc,
			  char buffer[static CEL_TIME_TEXT_MAX])
{
	int minutes = utc ? 0 : v->zone;
	struct civil t = civil_from_seconds(v->i + minutes * 60);
	int n = sprintf(buffer, "%04lld-%02u-%02uT%02u:%02u:%02u", (long long)t.year, t.month,
			t.day, t.hour, t.minute, t.second);

	if (v->length > 0) {
		n += sprintf(buffer + n, ".%09u", v->length);
		while (buffer[n - 1] == '0')
			n--;
	}
	if (minutes == 0)
		strcpy(buffer + n, "Z");
	else
		sprintf(buffer + n, "%c%02d:%02d", minutes < 0 ? '-' : '+', abs(minutes) / 60,
			abs(minutes) % 60);
}

static bool unit(struct cursor *c, uint64_t *ret)
{
	static const struct {
		const char *name;
		uint64_t nanoseconds;
	} units[] = {
		{ "ns", 1 },
		{ "us", 1000 },
		{ "\xc2\xb5s", 1000 }, /* micro sign */
		{ "\xce\xbcs", 1000 }, /* Greek letter mu */
		{ "ms", 1000000 },
		{ "s", NANOSECONDS },
		{ "m", 60ULL * NANOSECONDS },
		{ "h", 3600ULL * NANOSECONDS },
	};
	size_t n = 0;

	while (c->s + n < c->end && c->s[n] != '.' && (c->s[n] < '0' || c->s[n] > '9'))
		n++;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strlen(units[i].name) == n && memcmp(units[i].name, c->s, n) == 0) {
			*ret = units[i].nanoseconds;
			c->s += n;
			return true;
		}
	}
	return false;
}

/* One number with its unit, added to *sum. Sums up to 2^63 are possible, as the most negative duration has one. */
static bool duration_part(struct cursor *c, uint64_t *sum)
{
	const uint64_t most = (uint64_t)INT64_MAX + 1;
	uint64_t whole = 0, part = 0, scale;
	double divisor = 1;
	bool any = false, full = false;

	for (; is_digit(c, 0); c->s++, any = true)
		if (__builtin_mul_overflow(whole, 10U, &whole) ||
		    __builtin_add_overflow(whole, (unsigned)(*c->s - '0'), &whole) || whole > most)
			return false;
	if (take(c, '.')) {
		for (; is_digit(c, 0); c->s++, any = true) {
			uint64_t next = part * 10 + (unsigned)(*c->s - '0');
			full = full || part > (uint64_t)INT64_MAX / 10 || next > most;
			if (full)
				continue;
			part = next;
			divisor *= 10;
		}
	}
	if (!any || !unit(c, &scale) || __builtin_mul_overflow(whole, scale, &whole) ||
	    whole > most)
		return false;
	if (part > 0)
		whole += (uint64_t)((double)part * ((double)scale / divisor));
	return whole <= most && !__builtin_add_overflow(*sum, whole, sum) && *sum <= most;
}

bool duration_text_parse(const char *s, uint32_t length, int64_t *ret)
{
	struct cursor c = { s, s + length };
	bool negative = length > 0 && s[0] == '-';
	uint64_t sum = 0;

	if (!take(&c, '-'))
		take(&c, '+');
	if (c.end - c.s == 1 && *c.s == '0') {
		*ret = 0;
		return true;
	}
	if (c.s == c.end)
		return false;
	while (c.s < c.end)
		if (!duration_part(&c, &sum))
			return false;
	if (!negative && sum > INT64_MAX)
		return false;
	*ret = (int64_t)(negative ? -sum : sum);
	return true;
}
