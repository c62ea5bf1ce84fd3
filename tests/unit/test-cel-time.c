/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timestamps, durations, time zones and numbers as text. */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "cel/number.h"
#include "cel/time.h"

static void test_timestamps(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		int64_t seconds;
		uint32_t nanoseconds;
		const char *formatted; /* NULL: as it was written */
	} cases[] = {
		{ "1970-01-01T00:00:00Z", true, 0, 0, NULL },
		{ "2009-02-13T23:31:30Z", true, 1234567890, 0, NULL },
		{ "2009-02-14T05:01:30+05:30", true, 1234567890, 0, NULL },
		{ "2009-02-13T15:31:30.5-08:00", true, 1234567890, 500000000, NULL },
		{ "2009-02-13T23:31:30.123456789Z", true, 1234567890, 123456789, NULL },
		{ "2009-02-13T23:31:30.1200Z", true, 1234567890, 120000000,
		  "2009-02-13T23:31:30.12Z" },
		{ "2009-02-13T23:31:30+00:00", true, 1234567890, 0, "2009-02-13T23:31:30Z" },
		{ "0001-01-01T00:00:00Z", true, TIME_MIN, 0, NULL },
		{ "9999-12-31T23:59:59Z", true, TIME_MAX, 0, NULL },
		{ "2024-02-29T00:00:00Z", true, 1709164800, 0, NULL },
		{ "2000-02-29T12:00:00Z", true, 951825600, 0, NULL },
		{ "1900-02-29T12:00:00Z", false, 0, 0, NULL },
		{ "2023-02-29T00:00:00Z", false, 0, 0, NULL },
		{ "0001-01-01T00:00:00+00:01", false, 0, 0, NULL },
		{ "0000-12-31T00:00:00Z", false, 0, 0, NULL },
		{ "2009-02-13T23:31:60Z", false, 0, 0, NULL },
		{ "2009-02-13T24:00:00Z", false, 0, 0, NULL },
		{ "2009-02-13T1:31:30Z", false, 0, 0, NULL },
		{ "2009-02-13T23:31:30,5Z", false, 0, 0, NULL },
		{ "2009-02-13T23:31:30.Z", false, 0, 0, NULL },
		{ "2009-02-13T23:31:30", false, 0, 0, NULL },
		{ "2009-02-13t23:31:30z", false, 0, 0, NULL },
		{ "2009-02-13 23:31:30Z", false, 0, 0, NULL },
		{ "2009-02-13T23:31:30+24:00", false, 0, 0, NULL },
		{ "2009-02-13T23:31:30+0530", false, 0, 0, NULL },
		{ "2009-02-13T23:31:30Zx", false, 0, 0, NULL },
		{ "", false, 0, 0, NULL },
	};
	char text[CEL_TIME_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cel_value v = { 0 };
		bool valid = timestamp_parse(cases[i].text, (uint32_t)strlen(cases[i].text), &v);
		if (valid != cases[i].valid)
			fail_msg("%s", cases[i].text);
		if (!valid)
			continue;
		assert_int_equal(v.i, cases[i].seconds);
		assert_int_equal(v.length, cases[i].nanoseconds);
		cel_timestamp_format(&v, false, text);
		assert_string_equal(text, cases[i].formatted ? cases[i].formatted : cases[i].text);
	}
}

/* Every day for 800 years: to a date and back. */
static void test_calendar(void **state)
{
	unsigned weekday;

	(void)state;
	int64_t first = days_from_civil(1600, 1, 1);
	weekday = civil_from_seconds(first * 86400).day_of_week;
	assert_int_equal(weekday, 6); /* a Saturday */
	for (int64_t day = first; day < first + 292194; day++) {
		struct civil c = civil_from_seconds(day * 86400 + 86399);
		assert_int_equal(days_from_civil(c.year, c.month, c.day), day);
		assert_int_equal(c.day_of_week, weekday);
		assert_in_range(c.day, 1, days_of_month(c.year, c.month));
		weekday = (weekday + 1) % 7;
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		int64_t nanoseconds;
	} cases[] = {
		{ "0", true, 0 },
		{ "-0", true, 0 },
		{ "1s", true, NANOSECONDS },
		{ "+1.5h", true, 5400LL * NANOSECONDS },
		{ "-1h2m3.5s", true, -3723500000000 },
		{ "1ms2us3ns", true, 1002003 },
		{ "1\xc2\xb5s1\xce\xbcs", true, 2000 },
		{ ".5s", true, 500000000 },
		{ "5.s", true, 5LL * NANOSECONDS },
		{ "2562047h47m16.854775807s", true, INT64_MAX },
		{ "-2562047h47m16.854775808s", true, INT64_MIN },
		{ "2562047h47m16.854775808s", false, 0 },
		{ "1d", false, 0 },
		{ "1", false, 0 },
		{ "", false, 0 },
		{ "-", false, 0 },
		{ ".s", false, 0 },
		{ "1h-2m", false, 0 },
		{ "99999999999999999999s", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t nanoseconds = 0;
		bool valid = duration_text_parse(cases[i].text, (uint32_t)strlen(cases[i].text),
						 &nanoseconds);
		if (valid != cases[i].valid || (valid && nanoseconds != cases[i].nanoseconds))
			fail_msg("%s: %lld", cases[i].text, (long long)nanoseconds);
	}
}

static int64_t offset(const char *zone, const char *time)
{
	struct cel_value v;
	int64_t seconds = 0;

	assert_true(timestamp_parse(time, (uint32_t)strlen(time), &v));
	int r = zone_offset(zone, (uint32_t)strlen(zone), v.i, &seconds);
	return r < 0 ? r : seconds;
}

static void test_zones(void **state)
{
	static const struct {
		const char *zone, *time;
		int64_t offset;
	} cases[] = {
		{ "UTC", "2025-07-01T00:00:00Z", 0 },
		{ "", "2025-07-01T00:00:00Z", 0 },
		{ "+05:30", "2025-07-01T00:00:00Z", 19800 },
		{ "-08:00", "2025-07-01T00:00:00Z", -28800 },
		{ "02:00", "2025-07-01T00:00:00Z", 7200 },
		{ "-00:30", "2025-07-01T00:00:00Z", -1800 },
		{ "+24:00", "2025-07-01T00:00:00Z", -EINVAL },
		{ "+01:60", "2025-07-01T00:00:00Z", -EINVAL },
		{ ":30", "2025-07-01T00:00:00Z", -EINVAL },
		{ "../etc/passwd", "2025-07-01T00:00:00Z", -EINVAL },
		{ "/etc/localtime", "2025-07-01T00:00:00Z", -EINVAL },
		{ "Nowhere/City", "2025-07-01T00:00:00Z", -ENOENT },
	};
	/* These need the system's files. */
	static const struct {
		const char *zone, *time;
		int64_t offset;
	} named[] = {
		{ "Europe/Berlin", "2025-07-01T00:00:00Z", 7200 },
		{ "Europe/Berlin", "2025-01-01T00:00:00Z", 3600 },
		{ "Europe/Berlin", "2025-03-30T00:59:59Z", 3600 },
		{ "Europe/Berlin", "2025-03-30T01:00:00Z", 7200 },
		{ "Europe/Berlin", "2500-07-01T00:00:00Z", 7200 }, /* by the rule */
		{ "Europe/Berlin", "2500-12-01T00:00:00Z", 3600 },
		{ "America/New_York", "2025-07-01T00:00:00Z", -14400 },
		{ "Australia/Sydney", "2400-01-01T00:00:00Z", 39600 },
		{ "Asia/Kathmandu", "2025-01-01T00:00:00Z", 20700 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(offset(cases[i].zone, cases[i].time), cases[i].offset);
	if (offset("Europe/Berlin", "2025-07-01T00:00:00Z") == -ENOENT) {
		print_message("no time zone files here (tzdata): named zones are not tried\n");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(named); i++)
		assert_int_equal(offset(named[i].zone, named[i].time), named[i].offset);
}

static void test_zone_rules(void **state)
{
	static const struct {
		const char *rule, *time;
		int64_t offset; /* -1: refused */
	} cases[] = {
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2025-10-26T00:59:59Z", 7200 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2025-10-26T01:00:00Z", 3600 },
		{ "EST5EDT,M3.2.0,M11.1.0", "2025-03-09T07:00:00Z", -14400 },
		{ "AEST-10AEDT,M10.1.0,M4.1.0/3", "2025-12-31T00:00:00Z", 39600 },
		{ "<+0545>-5:45", "2025-01-01T00:00:00Z", 20700 },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", "2025-12-01T00:00:00Z", 0 },
		{ "XXX3YYY,J60/0,J300/0", "2024-03-01T12:00:00Z", -7200 },
		{ "XXX3YYY,0/0,J365/25", "2025-07-01T00:00:00Z", -7200 },
		{ "X3", "2025-01-01T00:00:00Z", -1 },
		{ "CET-1CEST,M13.5.0,M10.5.0", "2025-01-01T00:00:00Z", -1 },
		{ "CET-1CEST", "2025-01-01T00:00:00Z", -1 },
		{ "", "2025-01-01T00:00:00Z", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cel_value v;
		int64_t seconds = 0;
		assert_true(timestamp_parse(cases[i].time, (uint32_t)strlen(cases[i].time), &v));
		int r = posix_zone_offset(cases[i].rule, v.i, &seconds);
		if ((r < 0) != (cases[i].offset == -1) || (r == 0 && seconds != cases[i].offset))
			fail_msg("%s at %s: %d, %lld", cases[i].rule, cases[i].time, r,
				 (long long)seconds);
	}
}

static void test_doubles(void **state)
{
	static const struct {
		double d;
		const char *text, *plain;
	} cases[] = {
		{ 0, "0", "0" },
		{ 1.5, "1.5", "1.5" },
		{ -0.1, "-0.1", "-0.1" },
		{ 100000, "100000", "100000" },
		{ 1e6, "1e+06", "1000000" },
		{ 123456789, "1.23456789e+08", "123456789" },
		{ 0.0001, "0.0001", "0.0001" },
		{ 0.00001, "1e-05", "0.00001" },
		{ 1e21, "1e+21", "1000000000000000000000" },
		{ 0.1 + 0.2, "0.30000000000000004", "0.30000000000000004" },
		{ 1.5e300, "1.5e+300", NULL },
		{ 5e-324, "5e-324", NULL },
	};
	char text[NUMBER_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		text[number_format_double(cases[i].d, false, text)] = '\0';
		assert_string_equal(text, cases[i].text);
		double back = NAN;
		assert_true(number_parse_double(text, (uint32_t)strlen(text), &back));
		assert_true(back == cases[i].d);
		text[number_format_double(cases[i].d, true, text)] = '\0';
		if (cases[i].plain)
			assert_string_equal(text, cases[i].plain);
	}
}

static void test_double_texts(void **state)
{
	static const char *const good[] = { "1",      "-1.5",	 ".5",	      "5.",
					    "1e5",    "+Inf",	 "-infinity", "NaN",
					    "0x1p-2", "1_000.5", "0x_1p0",    "1e-400" };
	static const char *const bad[] = { "",	   ".",	    "1e",      "abc", " 1",   "1 ",
					   "-nan", "0x1",   "1e400",   "_1",  "1__0", "1_",
					   "0x",   "1.5.5", "infinit", "--1" };
	double d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!number_parse_double(good[i], (uint32_t)strlen(good[i]), &d))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (number_parse_double(bad[i], (uint32_t)strlen(bad[i]), &d))
			fail_msg("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timestamps),   cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_durations),    cmocka_unit_test(test_zones),
		cmocka_unit_test(test_zone_rules),   cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_double_texts),
	};

	return unit_main(tests);
}
