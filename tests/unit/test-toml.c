/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <string.h>

#include "base/text.h"
#include "runtime/hosts_toml.h"
#include "runtime/toml.h"

/* Statements of a text, one word each: T(able), A(rray table) or K(ey), and the path. */
static char *summary(const char *text)
{
	_cleanup_toml_ struct toml_document d = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	char *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	assert_non_null(f);
	if (toml_scan(text, &d, &diag) < 0)
		fprintf(f, "%s", diag.message);
	for (size_t i = 0; i < d.n_statements; i++) {
		const struct toml_statement *s = &d.statements[i];
		fprintf(f, "%s%c", i ? " " : "", "TAK"[s->kind]);
		STRV_FOREACH (part, s->path)
			fprintf(f, "/%s", *part);
		if (s->kind == TOML_KEY)
			fprintf(f, "=%.*s", (int)(s->value_end - s->value), text + s->value);
	}
	assert_int_equal(fclose(f), 0);
	return out;
}

static void test_statements(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "", "" },
		{ "# nothing\n\n  \n", "" },
		{ "a = 1", "K/a=1" },
		{ "a=\"x # y\" # z\n", "K/a=\"x # y\"" },
		{ "a = 'C:\\x'\r\nb = true\r\n", "K/a='C:\\x' K/b=true" },
		{ "[t]\na = 1\n[[u.v]]\nb = 2\n", "T/t K/t/a=1 A/u/v K/u/v/b=2" },
		{ "[plugins.\"io.x.v1\".'r s']\n k.\"l.m\" = 1\n",
		  "T/plugins/io.x.v1/r s K/plugins/io.x.v1/r s/k/l.m=1" },
		{ "a = [\n  [\"x\", \"y\"], # c ]\n  [],\n]\nb = 2\n",
		  "K/a=[\n  [\"x\", \"y\"], # c ]\n  [],\n] K/b=2" },
		{ "a = \"\"\"\n[x]\n\\\"\"\"\"\"\nb = 1\n", "K/a=\"\"\"\n[x]\n\\\"\"\"\"\" K/b=1" },
		{ "a = '''\n[x]\n'''\n", "K/a='''\n[x]\n'''" },
		{ "a = { b = 1, c.d = \"}\" }\n", "K/a={ b = 1, c.d = \"}\" }" },
		{ "a = 1979-05-27 07:32:00Z\n", "K/a=1979-05-27 07:32:00Z" },
		{ "\xef\xbb\xbf"
		  "a = 1\n",
		  "line 1: the file begins with a byte order mark" },
		{ "a = \"x\n", "line 1: this is no valid text" },
		{ "a = '''x\n", "line 2: a text has no end" },
		{ "a\n", "line 1: = is expected here" },
		{ "a =\n", "line 1: a value is expected here" },
		{ "a = 1 2 b\n", "line 1: nothing may follow on this line" },
		{ "[a\n", "line 1: ] is expected here" },
		{ "[[a]\n", "line 1: ] is expected here" },
		{ "x = 1\n= 2\n", "line 2: a key is expected here" },
		{ "a = [1, 2\n", "line 2: a comma or ] is expected here" },
		{ "a = {b\n", "line 1: = is expected here" },
		{ "a = 1\r", "line 1: nothing may follow on this line" },
		{ "a = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "line 1: too deeply nested" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *out = summary(cases[i].text);
		assert_string_equal(out, cases[i].expected);
	}
}

static void test_strings(void **state)
{
	static const char text[] = "a = \"t\\tq\\\"u\\u00fcx\\U0001F433\"\nb = 'l\\n'\nc = 1\n"
				   "d = [ 'x',\n # y\n \"z\", ]\ne = [1]\n";
	_cleanup_toml_ struct toml_document d = { 0 };
	_cleanup_free_ char *a = NULL, *b = NULL, *c = NULL;
	_cleanup_strv_ char **list = NULL, **none = NULL;

	(void)state;
	assert_int_equal(toml_scan(text, &d, NULL), 0);
	assert_int_equal(toml_string(&d, &d.statements[0], &a), 0);
	assert_string_equal(a, "t\tq\"u\xc3\xbcx\xf0\x9f\x90\xb3");
	assert_int_equal(toml_string(&d, &d.statements[1], &b), 0);
	assert_string_equal(b, "l\\n");
	assert_int_equal(toml_string(&d, &d.statements[2], &c), -EINVAL);
	assert_int_equal(toml_strings(&d, &d.statements[3], &list), 0);
	assert_int_equal(strv_length(list), 2);
	assert_string_equal(list[1], "z");
	assert_int_equal(toml_strings(&d, &d.statements[4], &none), -EINVAL);
}

/* What is quoted reads back as it was. */
static void test_quote(void **state)
{
	static const char *const texts[] = { "", "plain", "a\"b\\c", "tab\tnl\nbell\a\x7f",
					     "gr\xc3\xbc\xc3\x9f" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *quoted = toml_quote(texts[i]), *back = NULL;
		const char *at = quoted;
		assert_int_equal(toml_read_string(&at, &back), 0);
		assert_string_equal(back, texts[i]);
		assert_string_equal(at, "");
	}
}

/* A hosts.toml of the user with a block before its hosts. B and E stand for the marks. */
static void test_hosts_merge(void **state)
{
#define CACHE "[host.\"http://127.0.0.1:3172\"]\n"
	static const struct {
		const char *user, *before, *after;
	} cases[] = {
		{ "server = \"https://s\"\n", "server = \"https://s\"\n", "" },
		{ "server = \"https://s\"", "server = \"https://s\"\n", "" },
		{ "server = \"s\"\n# mine\n[host.\"https://a\"]\n  x = 1\n",
		  "server = \"s\"\n# mine\n", "[host.\"https://a\"]\n  x = 1\n" },
		{ "client = [\n[\"a\", \"b\"],\n]\n[host.\"a\"]\n",
		  "client = [\n[\"a\", \"b\"],\n]\n", "[host.\"a\"]\n" },
		{ "[header]\n a = 'b'\n", "", "[header]\n a = 'b'\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diag_ struct diag d = DIAG_INIT;
		_cleanup_free_ char *merged = NULL, *expected = NULL;
		assert_int_equal(hosts_toml_merge(cases[i].user, CACHE, &merged, &d), 0);
		assert_true(asprintf(&expected,
				     "%s# larder: begin (written by \"larder runtime configure\"; "
				     "\"larder runtime restore\" takes it out)\n" CACHE
				     "# larder: end\n%s",
				     cases[i].before, cases[i].after) > 0);
		assert_string_equal(merged, expected);
	}
}

static void test_hosts_left_alone(void **state)
{
	static const struct {
		const char *user, *message; /* NULL: the cache is the first already */
	} cases[] = {
		{ "server = \"s\"\n" CACHE "[host.\"https://a\"]\n", NULL },
		{ CACHE "  capabilities = [\"pull\"]\n", NULL },
		{ "[host.\"https://a\"]\n" CACHE,
		  "line 2: the cache is in this file, but not before the other hosts; move it up or "
		  "take it out" },
		{ "host.\"https://a\".skip_verify = true\n",
		  "line 1: hosts are set without [host.…] tables, so the cache cannot be put before "
		  "them" },
		{ "[host\n", "line 1: ] is expected here" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diag_ struct diag d = DIAG_INIT;
		_cleanup_free_ char *merged = NULL;
		int r = hosts_toml_merge(cases[i].user, CACHE, &merged, &d);
		assert_int_equal(r, cases[i].message ? -EINVAL : 0);
		assert_null(merged);
		if (cases[i].message)
			assert_string_equal(d.message, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_hosts_merge),
		cmocka_unit_test(test_hosts_left_alone),
	};

	return unit_main(tests);
}
