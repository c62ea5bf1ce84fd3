/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Regular expressions: what is found, what is not, and what is refused, as Go's package regexp answers. */
#include "unit.h"

#include <string.h>

#include "cel/regex.h"

#define MEMORY (512 * 1024)

enum answer {
	NOT_FOUND,
	FOUND,
	REFUSED,
	STOPPED,
};

static const struct {
	const char *pattern, *text;
	enum answer answer;
} cases[] = {
	{ "", "", FOUND },
	{ "a", "bab", FOUND },
	{ "^a$", "a", FOUND },
	{ "^a$", "ab", NOT_FOUND },
	{ "^$", "", FOUND },
	{ "a.c", "a\012c", NOT_FOUND },
	{ "(?s)a.c", "a\012c", FOUND },
	{ "(?m)^b$", "a\012b\012c", FOUND },
	{ "^b$", "a\012b\012c", NOT_FOUND },
	{ "(?i)stra\303\237e", "STRASSE", NOT_FOUND },
	{ "(?i)K", "\342\204\252", FOUND },
	{ "(?i)[k]", "\342\204\252", FOUND },
	{ "(?i)\\W", "\305\277", NOT_FOUND },
	{ "(?i:a)b", "AB", NOT_FOUND },
	{ "(?i)a(?-i)b", "AB", NOT_FOUND },
	{ "a(?i)b", "aB", FOUND },
	{ "[a-c]+x", "abcx", FOUND },
	{ "[^a-c]", "abc", NOT_FOUND },
	{ "[]a]", "]", FOUND },
	{ "[^]a]", "]", NOT_FOUND },
	{ "[a-]", "-", FOUND },
	{ "[\\d-z]", "-", FOUND },
	{ "[[:alpha:]_]", "_", FOUND },
	{ "[[:^digit:]]", "1", NOT_FOUND },
	{ "[[:word:]]", "_", FOUND },
	{ "\\d", "\331\243", NOT_FOUND },
	{ "\\pN", "\331\243", FOUND },
	{ "\\p{Greek}", "\316\261", FOUND },
	{ "\\p{^Greek}", "\316\261", NOT_FOUND },
	{ "\\P{Lu}", "A", NOT_FOUND },
	{ "\\p{Lu}", "A", FOUND },
	{ "\\pL+$", "\346\227\245\346\234\254", FOUND },
	{ "\\s", "\302\240", NOT_FOUND },
	{ "\\bfoo\\b", "a foo b", FOUND },
	{ "\\Boo", "foo", FOUND },
	{ "\\Aa", "ba", NOT_FOUND },
	{ "a\\z", "ba", FOUND },
	{ "\\x41\\x{3b1}\\101\\07", "A\316\261A\007", FOUND },
	{ "\\Q.*\\E", "a.*b", FOUND },
	{ "\\Q.*", "x.*", FOUND },
	{ "\\.", "a", NOT_FOUND },
	{ "\\_\\-\\/", "_-/", FOUND },
	{ "a{2}", "aa", FOUND },
	{ "^a{2}$", "aaa", NOT_FOUND },
	{ "^a{2,}$", "aaaa", FOUND },
	{ "^a{1,3}$", "aaaa", NOT_FOUND },
	{ "^a{0}$", "", FOUND },
	{ "a{,2}", "a{,2}", FOUND },
	{ "a{", "a{", FOUND },
	{ "a{01}", "a{01}", FOUND },
	{ "x*", "", FOUND },
	{ "(a|b)*c", "ababc", FOUND },
	{ "(|a)+b", "aab", FOUND },
	{ "()*", "x", FOUND },
	{ "(a*)*", "b", FOUND },
	{ "(?:ab)+$", "abab", FOUND },
	{ "(?P<name>a)", "a", FOUND },
	{ "a|b|", "zzz", FOUND },
	{ "^(a|ab)(c|bcd)$", "abcd", FOUND },
	{ "a*?b+?c??", "ab", FOUND },
	{ "(?U)a+", "a", FOUND },
	{ "a)", "", REFUSED },
	{ "(a", "", REFUSED },
	{ "[a", "", REFUSED },
	{ "[z-a]", "", REFUSED },
	{ "*a", "", REFUSED },
	{ "a**", "", REFUSED },
	{ "a{2}{3}", "", REFUSED },
	{ "a{1001}", "", REFUSED },
	{ "a{2,1}", "", REFUSED },
	{ "(a{500}){3}", "", REFUSED },
	{ "(?=a)", "", REFUSED },
	{ "(?!a)", "", REFUSED },
	{ "(?<=a)", "", REFUSED },
	{ "(?<!a)", "", REFUSED },
	{ "\\1", "", REFUSED },
	{ "\\C", "", REFUSED },
	{ "\\Z", "", REFUSED },
	{ "\\e", "", REFUSED },
	{ "\\pX", "", REFUSED },
	{ "\\p{Nope}", "", REFUSED },
	{ "[[:nope:]]", "", REFUSED },
	{ "(?z)", "", REFUSED },
	{ "(?P<>a)", "", REFUSED },
	{ "(?P=a)", "", REFUSED },
	{ "\\", "", REFUSED },
	{ "[\\b]", "", REFUSED },
	{ "x{1000}{2}", "", REFUSED },
	{ "(?-)", "", REFUSED },
	{ "|*", "", REFUSED },
	{ "(*)", "", REFUSED },
	{ "\\x{110000}", "", REFUSED },
	{ "\\x{}", "", REFUSED },
	{ "[a-\\d]", "", REFUSED },
};

static bool charge(void *data, uint32_t steps)
{
	uint32_t *left = data;

	if (steps > *left)
		return false;
	*left -= steps;
	return true;
}

static enum answer ask(const char *pattern, const char *text, uint32_t *steps)
{
	const struct regex_meter meter = { charge, steps };
	struct arena arena;
	struct regex regex;
	bool stopped = false, found = false;

	arena_init(&arena, MEMORY);
	const char *problem = regex_compile(&arena, pattern, (uint32_t)strlen(pattern), &regex);
	if (!problem)
		found = regex_match(&arena, &regex, text, (uint32_t)strlen(text), &meter, &stopped);
	arena_done(&arena);
	return problem ? REFUSED : stopped ? STOPPED : found ? FOUND : NOT_FOUND;
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t steps = 100000;
		enum answer answer = ask(cases[i].pattern, cases[i].text, &steps);
		if (answer != cases[i].answer)
			fail_msg("/%s/ in \"%s\": %d", cases[i].pattern, cases[i].text,
				 (int)answer);
	}
}

/* The steps grow with the text as the text does, also for what makes a backtracking matcher explode. */
static void test_linear(void **state)
{
	static const char *const patterns[] = { "((a+)+)+b", "(a|a)*b", "(a*)*b", "(a|aa)+b",
						"a*a*a*a*b" };

	(void)state;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		uint32_t taken[2];
		for (unsigned round = 0; round < 2; round++) {
			char text[10001];
			uint32_t length = round == 0 ? 1000 : 10000, left = 1000000;
			memset(text, 'a', length);
			text[length] = '\0';
			assert_int_equal(ask(patterns[i], text, &left), NOT_FOUND);
			taken[round] = 1000000 - left;
		}
		assert_in_range(taken[1], 9 * taken[0], 11 * taken[0]);
	}
}

static void test_limits(void **state)
{
	uint32_t few = 10, many = 1000000;

	(void)state;
	assert_int_equal(ask("a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", &few), STOPPED);
	assert_int_equal(ask("(abcdefghijklmnop){999}", "", &many),
			 REFUSED); /* REGEX_PROGRAM_MAX */
	assert_int_equal(ask("(abcdefghijklm){1000}", "", &many), NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_limits),
	};

	return unit_main(tests);
}
