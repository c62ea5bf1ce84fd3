/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The language: what expressions give, and in which phase they fail. Many more vectors are in test-cel-spec.c. */
#include "unit.h"

#include <string.h>

#include "cel/selector_fields.h"

static const struct cel_env empty = { 0 };

/* type: bool is demanded, and this is it instead; NULL: any type will do. */
static void check_phase(const char *text, enum cel_phase phase, const char *type)
{
	_cleanup_(cel_program_freep) struct cel_program *program = NULL;
	_cleanup_diag_ struct diag d = DIAG_INIT;
	enum cel_phase failed;

	if (cel_compile(&empty, text, strlen(text), type ? &cel_bool : NULL, &program, &failed,
			&d) == 0)
		fail_msg("%s is accepted", text);
	if (failed != phase)
		fail_msg("%s fails in phase %d: %s", text, (int)failed, diag_text(&d));
	if (!type)
		return;
	_cleanup_free_ char *is = cel_type_format(cel_program_type(program));
	assert_string_equal(is, type);
}

/* Each of these is true. */
static const char *const truths[] = {
	"1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 % 4 == 3 && -7 / 2 == -3",
	"2u * 3u == 6u && 7u % 4u == 3u && 1.5 * 2.0 == 3.0",
	"- -7 == 7 && !!true && !false && --1 == 1",
	"0x1F == 31 && 0xffu == 255u && .5 == 0.5 && 1e3 == 1000.0",
	"-9223372036854775808 < 9223372036854775807 && 18446744073709551615u > 0u",
	"'a' + 'b' == \"ab\" && b'a' + b'b' == b'ab' && [1] + [2] == [1, 2]",
	"'''a\nb''' == 'a\\nb' && r'\\n' == '\\\\n' && '\\x41\\u00e9\\101' == 'A\u00e9A'",
	"b'\\xff'.size() == 1 && '\\xff' == '\u00ff' && b'\u00e9'.size() == 2",
	"'\U0001F433'.size() == 1 && bytes('\U0001F433').size() == 4",
	"'abc' < 'abd' && b'a' < b'b' && false < true && 'B' < 'a'",
	"dyn(1) == 1.0 && dyn(1u) == 1 && dyn(1) != 'a' && dyn(1) < 1.5 && dyn(2u) > 1",
	"0.0 / 0.0 != 0.0 / 0.0 && 1.0 / 0.0 > 1e308",
	"true || 1 / 0 > 0",
	"1 / 0 > 0 || true",
	"!(1 / 0 > 0 && false)",
	"false ? 1 / 0 > 0 : true",
	"[1, 2, 3][1] == 2 && {'a': 1}['a'] == 1 && {'a': {'b': 2}}.a.b == 2",
	"dyn([1, 2])[1u] == 2 && dyn([1, 2])[1.0] == 2 && {1: 'a'}[1] == 'a' && dyn({1: 'a'})[1.0] == 'a'",
	"2 in [1, 2] && 'a' in {'a': 1} && !(3 in [1, 2]) && dyn(1.0) in [1, 2]",
	"has({'a': 1}.a) && !has({'a': 1}.b)",
	"[1, 2].exists(x, x == 2) && [1, 2].all(x, x > 0) && [1, 2].exists_one(x, x > 1)",
	"[1, 2, 3].filter(x, x > 1) == [2, 3] && [1, 2].map(x, x * 2) == [2, 4]",
	"[1, 2, 3].map(x, x > 1, x * 2) == [4, 6] && {'a': 1}.map(k, k) == ['a']",
	"[0, 2].exists(x, 2 / x == 1)",
	"!([0, 2].all(x, 2 / x == 2))",
	"[[1], [2, 3]].map(x, x.map(y, y + 1)) == [[2], [3, 4]]",
	"[1].map(x, [2].map(x, x)) == [[2]]",
	"[].all(x, false) && ![].exists(x, true) && [] == []",
	"type(1) == int && type(1u) == uint && type('') == string && type(type(1)) == type",
	"type([]) == list && type({}) == map && type(null) == null_type && type(1.0) == double",
	"type(timestamp(0)) == google.protobuf.Timestamp && int(timestamp(7)) == 7",
	"int('-7') == -7 && int(1.9) == 1 && uint(7) == 7u && double('1e3') == 1000.0 && bool('t')",
	"string(1.5) == '1.5' && string(1e6) == '1e+06' && string(true) == 'true' && string(b'a') == 'a'",
	"string(duration('1h30m')) == '5400s' && string(timestamp(0)) == '1970-01-01T00:00:00Z'",
	"string(timestamp('2009-02-13T23:31:30+05:30')) == '2009-02-13T23:31:30+05:30'",
	"timestamp('2009-02-13T23:31:30Z') - timestamp('2009-02-13T23:31:00Z') == duration('30s')",
	"timestamp('2024-02-29T12:34:56.789Z').getMilliseconds() == 789",
	"timestamp(0).getDayOfWeek() == 4 && timestamp(0).getMonth() == 0 && timestamp(0).getDate() == 1",
	"timestamp(0).getHours('+05:30') == 5 && timestamp(0).getFullYear('-00:01') == 1969",
	"duration('90m').getHours() == 1 && duration('90m').getMinutes() == 90",
	"'hello'.contains('ell') && 'hello'.startsWith('he') && 'hello'.endsWith('lo') && ''.contains('')",
	"'abc'.matches('^a.c$') && !matches('abc', '^b') && 'x'.matches('')",
	"[1, 'a', true, null].size() == 4 && {'a': 1, 'b': 2}.size() == 2",
	"{1: 'a', 1: 'b'} == {1: 'b'}", /* the last one counts */
	"1 // a comment\n == 1",
	"[1, 2,] == [1, 2] && {1: 2,} == {1: 2}",
	"{'for': 1}.for == 1", /* reserved words are fields */
};

static void test_truths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(truths); i++) {
		_cleanup_(cel_program_freep) struct cel_program *program = NULL;
		_cleanup_diag_ struct diag d = DIAG_INIT;
		struct cel_result result;
		if (cel_compile(&empty, truths[i], strlen(truths[i]), &cel_bool, &program, NULL,
				&d) < 0 ||
		    cel_eval(program, NULL, &result, &d) < 0)
			fail_msg("%s", diag_text(&d));
		if (!result.value.b)
			fail_msg("false: %s", truths[i]);
		cel_result_done(&result);
	}
}

static void test_parse_errors(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"1 +",
		"(1",
		"1)",
		"[1",
		"{1}",
		"{1: 2",
		"'a",
		"'''a",
		"\"a\nb\"",
		"'\\q'",
		"'\\x4'",
		"'\\ud800'",
		"b'\\u00e9'",
		"'\\400'",
		"9223372036854775808",
		"18446744073709551616u",
		"1e400",
		"0X1F",
		"0x",
		"1e",
		"1..2",
		"a.true",
		"a.in",
		"in",
		"for",
		"a && && b",
		"&& a",
		"a or b",
		"a & b",
		"a = b",
		"!-a",
		"-!a",
		"a.?b",
		"a[?0]",
		"[?a]",
		"has(a)",
		"has(1)",
		"[1].all(1, true)",
		"[1].map('x', x)",
		"u'a'",
		"'a' 'b'",
		"1 2",
		"a b",
		"#",
		"\xc2\xa0 1",
		"a.`b`",
		"`a`",
		"true ? 1",
		"true ? : 1",
		"f(1,)",
		"[,,]",
		"{,,}",
		".",
		"a.",
		"A{a}",
		"A{a: 1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		check_phase(texts[i], CEL_PHASE_PARSE, NULL);
}

static void test_check_errors(void **state)
{
	static const char *const texts[] = {
		"a",
		"a.b",
		"f(1)",
		"1.f()",
		"1 + 1u",
		"1 + 1.0",
		"1 < 2u",
		"1.0 < 2",
		"1 == 1u",
		"1 == 'a'",
		"'a' + 1",
		"[1] == [1.0]",
		"{'a': 1} == {'a': 1.0}",
		"[1][1u]",
		"'abc'[1]",
		"1 in 1",
		"1 in ['a']",
		"!1",
		"-true",
		"-1u",
		"-'a'",
		"1 && true",
		"true || 1",
		"1 ? 2 : 3",
		"true ? 1 : 'a'",
		"size(1)",
		"1.size()",
		"size()",
		"size('a', 'b')",
		"'a'.contains(1)",
		"contains('a', 'b')",
		"int([])",
		"bool(1)",
		"[1].all(x, x)",
		"[1].filter(x, 1)",
		"'a'.all(x, true)",
		"all([1], x, true)",
		"[1].all(x, true, true)",
		"timestamp(1.5)",
		"duration(true)",
		"1.a",
		"'a'.b",
		"null == 1",
		"[1, 2].all(x, x > 0).size()",
		"disk.size",
		"A{}",
		"int{}",
		"'a' < 1",
		"[1] < [2]",
		"1 % 2.0",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		check_phase(texts[i], CEL_PHASE_CHECK, NULL);
}

static void test_types(void **state)
{
	static const struct {
		const char *text, *type;
	} cases[] = {
		{ "1", "int" },
		{ "dyn(true)", "dyn" },
		{ "[]", "list(dyn)" },
		{ "{}", "map(dyn, dyn)" },
		{ "[1, 'a']", "list(dyn)" },
		{ "[[1], []]", "list(list(int))" },
		{ "[] + [1]", "list(int)" },
		{ "{'a': [1u]}", "map(string, list(uint))" },
		{ "int", "type(int)" },
		{ "type(type(1))", "type(type(int))" },
		{ "null", "null_type" },
		{ "duration('1s')", "google.protobuf.Duration" },
		{ "dyn(1) + 2", "int" },
		{ "dyn(1) + dyn(2)", "dyn" },
		{ "dyn([1])[0]", "dyn" },
		{ "true ? 1 : dyn('a')", "dyn" },
		{ "[1].map(x, [x])", "list(list(int))" },
		{ "{'a': 1}.map(k, k)", "list(string)" },
		{ "list", "type(list(dyn))" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_phase(cases[i].text, CEL_PHASE_TYPE, cases[i].type);
}

static void test_eval_errors(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "1 / 0", "division by zero" },
		{ "1 % 0", "division by zero" },
		{ "9223372036854775807 + 1", "too large" },
		{ "-9223372036854775808 / -1", "too large" },
		{ "0u - 1u", "too large or too small" },
		{ "int(1e19)", "too large" },
		{ "uint(-1)", "too small" },
		{ "[1][1]", "no element 1" },
		{ "[1][-1]", "no element -1" },
		{ "{'a': 1}['b']", "no key 'b'" },
		{ "{'a': 1}.b", "no key 'b'" },
		{ "int('1.5')", "int() cannot convert '1.5'" },
		{ "bool('yes')", "bool() cannot convert 'yes'" },
		{ "string(b'\\xff')", "cannot convert" },
		{ "string(null)", "does not work on values of these types" },
		{ "timestamp('yesterday')", "cannot convert 'yesterday'" },
		{ "timestamp(253402300800)", "between the years 1 and 9999" },
		{ "duration('1d')", "cannot convert '1d'" },
		{ "timestamp(0).getHours('Nowhere/City')", "no time zone 'Nowhere/City'" },
		{ "'a'.matches('(')", "the pattern is not valid: a \")\" is missing" },
		{ "!dyn(1)", "! does not work" },
		{ "dyn(1) && true", "&& does not work" },
		{ "dyn(1) ? 1 : 2", "?: does not work" },
		{ "dyn(1) < 'a'", "< does not work" },
		{ "0.0 / 0.0 < 1.0", "NaN" },
		{ "dyn(1).a", "no field a" },
		{ "dyn(1).all(x, true)", "neither a list nor a map" },
		{ "{b'a': 1}", "a key of a map" },
		{ "[1, 0].all(x, 2 / x > 0)", "division by zero" },
		{ "[1, 0].map(x, 2 / x)", "division by zero" },
		{ "1 / 0 == 1 / 0", "division by zero" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cel_program_freep) struct cel_program *program = NULL;
		_cleanup_diag_ struct diag d = DIAG_INIT;
		struct cel_result result;
		const char *text = cases[i].text;
		if (cel_compile(&empty, text, strlen(text), NULL, &program, NULL, &d) < 0)
			fail_msg("%s", diag_text(&d));
		if (cel_eval(program, NULL, &result, &d) != -EDOM ||
		    !strstr(d.message, cases[i].message))
			fail_msg("%s: %s", text, d.message ? d.message : "no error");
		assert_int_equal(d.line, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truths),	     cmocka_unit_test(test_parse_errors),
		cmocka_unit_test(test_check_errors), cmocka_unit_test(test_types),
		cmocka_unit_test(test_eval_errors),
	};

	return unit_main(tests);
}
