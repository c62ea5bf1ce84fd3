/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <string.h>

#include "config/sizes.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		enum size_kind kind;
		uint64_t value;
		const char *described;
	} cases[] = {
		{ "0", SIZE_BYTES, 0, "0 B" },
		{ "1048576", SIZE_BYTES, MIB, "1 MiB" },
		{ "1048576B", SIZE_BYTES, MIB, "1 MiB" },
		{ "2.5GiB", SIZE_BYTES, 5 * GIB / 2, "2.5 GiB" },
		{ "2.5 GiB", SIZE_BYTES, 5 * GIB / 2, "2.5 GiB" },
		{ "100MB", SIZE_BYTES, 100000000, "95.4 MiB" },
		{ "100mb", SIZE_BYTES, 100000000, "95.4 MiB" },
		{ "1k", SIZE_BYTES, 1000, "1000 B" },
		{ "1Ki", SIZE_BYTES, 1024, "1 KiB" },
		{ "3G", SIZE_BYTES, UINT64_C(3000000000), "2.8 GiB" },
		{ "1T", SIZE_BYTES, UINT64_C(1000000000000), "931.3 GiB" },
		{ "15EiB", SIZE_BYTES, UINT64_C(15) << 60, "15 EiB" },
		{ "18446744073709551615", SIZE_BYTES, UINT64_MAX, "16 EiB" },
		{ "80%", SIZE_PERCENT, 8000, "80%" },
		{ "12.5%", SIZE_PERCENT, 1250, "12.5%" },
		{ "33.33%", SIZE_PERCENT, 3333, "33.33%" },
		{ "100%", SIZE_PERCENT, 10000, "100%" },
		{ "-10GiB", SIZE_NEGATIVE, 10 * GIB, "all but 10 GiB" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diag_ struct diag d = DIAG_INIT;
		struct size_spec s = { 0 };
		if (size_parse(cases[i].text, true, &s, &d) < 0)
			fail_msg("%s: %s", cases[i].text, diag_text(&d));
		assert_int_equal(s.kind, cases[i].kind);
		assert_int_equal(s.value, cases[i].value);
		_cleanup_free_ char *described = size_describe(&s);
		assert_string_equal(described, cases[i].described);
	}
}

static void test_wrong_sizes(void **state)
{
	static const struct {
		const char *text;
		bool relative;
		int err;
		const char *message;
	} cases[] = {
#define FIXED	 " is not a size; write a number and a unit as in 2.5GiB or 100MB"
#define RELATIVE FIXED ", a share as in 80%, or what to leave free as in -10GiB"
		{ "", false, -EINVAL, "\"\"" FIXED },
		{ "GiB", false, -EINVAL, "\"GiB\"" FIXED },
		{ "5 apples", false, -EINVAL, "\"5 apples\"" FIXED },
		{ ".5GiB", false, -EINVAL, "\".5GiB\"" FIXED },
		{ "5.GiB", false, -EINVAL, "\"5.GiB\"" FIXED },
		{ "1e9", false, -EINVAL, "\"1e9\"" FIXED },
		{ "0x10", false, -EINVAL, "\"0x10\"" FIXED },
		{ "+5", false, -EINVAL, "\"+5\"" FIXED },
		{ " 5", false, -EINVAL, "\" 5\"" FIXED },
		{ "80%", false, -EINVAL,
		  "\"80%\" is a share, and only a fixed size is allowed here" },
		{ "-1GiB", false, -EINVAL, "\"-1GiB\" is negative, and that is not allowed here" },
		{ "-80%", true, -EINVAL, "\"-80%\"" RELATIVE },
		{ "--5", true, -EINVAL, "\"--5\"" RELATIVE },
		{ "100.01%", true, -ERANGE, "\"100.01%\" is more than 100%" },
		{ "16EiB", false, -ERANGE, "\"16EiB\" is larger than any disk (16 EiB)" },
		{ "18446744073709551616", false, -ERANGE,
		  "\"18446744073709551616\" is larger than any disk (16 EiB)" },
		{ "-99EiB", true, -ERANGE, "\"-99EiB\" is larger than any disk (16 EiB)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diag_ struct diag d = DIAG_INIT;
		struct size_spec s = { SIZE_UNSET, 7 };
		assert_int_equal(size_parse(cases[i].text, cases[i].relative, &s, &d),
				 cases[i].err);
		assert_string_equal(diag_text(&d), cases[i].message);
		assert_int_equal(s.value, 7);
	}
}

static void test_resolve(void **state)
{
	static const struct {
		struct size_spec spec;
		uint64_t available, expected;
	} cases[] = {
		{ { SIZE_BYTES, 5 }, 3, 5 },
		{ { SIZE_PERCENT, 8000 }, 1000, 800 },
		{ { SIZE_PERCENT, 1 }, 9999, 0 },
		{ { SIZE_PERCENT, 10000 }, UINT64_MAX, UINT64_MAX },
		{ { SIZE_NEGATIVE, 10 }, 100, 90 },
		{ { SIZE_NEGATIVE, 100 }, 100, 0 },
		{ { SIZE_NEGATIVE, 101 }, 100, 0 },
		{ { SIZE_UNSET, 0 }, 100, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(size_resolve(&cases[i].spec, cases[i].available),
				 cases[i].expected);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "500ms", 500 },
		{ "10s", 10000 },
		{ "1m30s", 90000 },
		{ "1.5h", 5400000 },
		{ "30d", 2592000000 },
		{ "2h1ms", 7200001 },
	};
	static const char *const bad[] = {
		"", "10", "s", "-1s", "1 s", "1y", "1s2", "5..s", "1us"
	};
	uint64_t ms = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(duration_parse(good[i].text, &ms, NULL), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_diag_ struct diag d = DIAG_INIT;
		assert_int_equal(duration_parse(bad[i], &ms, &d), -EINVAL);
		assert_non_null(strstr(diag_text(&d), "is not a time; write a number and ms"));
	}
	assert_int_equal(duration_parse("99999999999999999999s", &ms, NULL), -ERANGE);
	assert_int_equal(duration_parse("9223372036854775807ms1ms", &ms, NULL), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_wrong_sizes),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_durations),
	};

	return unit_main(tests);
}
