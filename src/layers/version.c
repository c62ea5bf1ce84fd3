/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/version.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool layer_name_is_valid(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return text[n] == '\0' && n >= 1 && n <= LAYER_NAME_MAX && !strchr("._-", text[0]);
}

bool layer_version_is_valid(const char *text)
{
	size_t n = 0;

	if (!is_digit(*text) && !is_alpha(*text))
		return false;
	while (is_digit(text[n]) || is_alpha(text[n]) || (text[n] && strchr("._-+~^", text[n])))
		n++;
	return text[n] == '\0' && n <= LAYER_VERSION_MAX;
}

/* One dot-separated identifier of a SemVer part, as a slice. */
struct slice {
	const char *at;
	size_t size;
};

static struct slice next_identifier(const char **at, const char *end)
{
	const char *dot = memchr(*at, '.', (size_t)(end - *at));
	struct slice s = { *at, (size_t)((dot ? dot : end) - *at) };

	*at = dot ? dot + 1 : end + 1;
	return s;
}

static bool is_number(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!is_digit(s.at[i]))
			return false;
	return s.size > 0;
}

static bool is_semver_number(struct slice s)
{
	return is_number(s) && (s.size == 1 || s.at[0] != '0');
}

/* Identifiers of letters, digits and hyphens; numbers without leading zeros if strict. */
static bool identifiers_are_valid(const char *at, const char *end, bool strict)
{
	while (at <= end) {
		struct slice s = next_identifier(&at, end);
		if (s.size == 0 || (strict && is_number(s) && !is_semver_number(s)))
			return false;
		for (size_t i = 0; i < s.size; i++)
			if (!is_digit(s.at[i]) && !is_alpha(s.at[i]) && s.at[i] != '-')
				return false;
	}
	return true;
}

struct semver {
	struct slice core[3];
	struct slice before; /* pre-release; size 0: none */
	struct slice build;
};

static bool semver_parse(const char *text, struct semver *v)
{
	if (*text == 'v')
		text++;
	*v = (struct semver){ 0 };
	const char *plus = strchr(text, '+');
	const char *end = plus ? plus : text + strlen(text);
	const char *minus = memchr(text, '-', (size_t)(end - text));
	const char *core_end = minus ? minus : end;
	const char *at = text;

	for (size_t i = 0; i < ARRAY_SIZE(v->core); i++) {
		if (at > core_end)
			return false;
		v->core[i] = next_identifier(&at, core_end);
		if (!is_semver_number(v->core[i]))
			return false;
	}
	if (at <= core_end)
		return false;
	if (minus)
		v->before = (struct slice){ minus + 1, (size_t)(end - minus - 1) };
	if (plus)
		v->build = (struct slice){ plus + 1, strlen(plus + 1) };
	return (!minus || identifiers_are_valid(minus + 1, end, true)) &&
	       (!plus || identifiers_are_valid(plus + 1, plus + 1 + v->build.size, false));
}

static int sign(long n)
{
	return (n > 0) - (n < 0);
}

static int compare_text(struct slice a, struct slice b)
{
	int order = memcmp(a.at, b.at, a.size < b.size ? a.size : b.size);

	return order ? order : sign((long)a.size - (long)b.size);
}

/* Numbers of any length without leading zeros. */
static int compare_numbers(struct slice a, struct slice b)
{
	return a.size != b.size ? sign((long)a.size - (long)b.size) : memcmp(a.at, b.at, a.size);
}

static int compare_identifiers(struct slice a, struct slice b)
{
	bool number_a = is_number(a), number_b = is_number(b);

	if (number_a && number_b)
		return compare_numbers(a, b);
	if (number_a != number_b)
		return number_a ? -1 : 1;
	return compare_text(a, b);
}

static int compare_prerelease(struct slice a, struct slice b)
{
	if (a.size == 0 || b.size == 0)
		return (a.size == 0) - (b.size == 0);
	const char *at_a = a.at, *at_b = b.at;
	const char *end_a = a.at + a.size, *end_b = b.at + b.size;
	while (at_a <= end_a && at_b <= end_b) {
		int order = compare_identifiers(next_identifier(&at_a, end_a),
						next_identifier(&at_b, end_b));
		if (order)
			return order;
	}
	return (at_a <= end_a) - (at_b <= end_b);
}

static int semver_compare(const struct semver *a, const struct semver *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(a->core); i++) {
		int order = compare_numbers(a->core[i], b->core[i]);
		if (order)
			return order;
	}
	int order = compare_prerelease(a->before, b->before);
	/* SemVer has no order of build metadata; some order must be, so that "the highest" is one. */
	if (order || (!a->build.size && !b->build.size))
		return order;
	if (!a->build.size || !b->build.size)
		return a->build.size ? 1 : -1;
	return compare_prerelease(a->build, b->build);
}

static size_t run_of(const char *text, bool (*of)(char))
{
	size_t n = 0;

	while (of(text[n]))
		n++;
	return n;
}

/* UAPI.10: what neither belongs to a segment nor is an operator is skipped. */
static const char *skip_other(const char *text)
{
	while (*text && !is_digit(*text) && !is_alpha(*text) && !strchr("-.~^", *text))
		text++;
	return text;
}

/* The operators in the order in which UAPI.10 looks at them; *ret_stop: the result is final. */
static int compare_operators(const char **a, const char **b, bool *ret_stop)
{
	static const char operators[] = { '~', '\0', '-', '^', '.' };

	*ret_stop = true;
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		char c = operators[i];
		bool has_a = **a == c, has_b = **b == c;
		if (c == '\0') {
			if (has_a || has_b)
				return has_a && has_b ? 0 : has_a ? -1 : 1;
			continue;
		}
		if (has_a != has_b)
			return has_a ? -1 : 1;
		if (has_a) {
			(*a)++;
			(*b)++;
		}
	}
	*ret_stop = false;
	return 0;
}

static int compare_segments(const char **a, const char **b)
{
	bool (*of)(char) = is_digit(**a) || is_digit(**b) ? is_digit : is_alpha;

	if (of == is_digit) {
		*a += strspn(*a, "0");
		*b += strspn(*b, "0");
	}
	struct slice x = { *a, run_of(*a, of) }, y = { *b, run_of(*b, of) };
	*a += x.size;
	*b += y.size;
	return of == is_digit ? compare_numbers(x, y) : compare_text(x, y);
}

static int uapi_compare(const char *a, const char *b)
{
	for (;;) {
		bool stop;
		a = skip_other(a);
		b = skip_other(b);
		int order = compare_operators(&a, &b, &stop);
		if (order || stop)
			return order;
		order = compare_segments(&a, &b);
		if (order)
			return order;
	}
}

int layer_version_compare(const char *a, const char *b)
{
	struct semver x, y;

	if (semver_parse(a, &x) && semver_parse(b, &y))
		return semver_compare(&x, &y);
	if (*a == 'v' && is_digit(a[1]))
		a++;
	if (*b == 'v' && is_digit(b[1]))
		b++;
	return uapi_compare(a, b);
}

/* "000-": digits and a hyphen that only order the files. */
static size_t order_prefix(const char *file)
{
	size_t n = strspn(file, "0123456789");

	return n > 0 && file[n] == '-' && file[n + 1] ? n + 1 : 0;
}

static const char *find_version(const char *text)
{
	for (const char *at = strchr(text, '-'); at; at = strchr(at + 1, '-'))
		if (at != text && (is_digit(at[1]) || (at[1] == 'v' && is_digit(at[2]))))
			return at + 1;
	return NULL;
}

int layer_file_name_parse(const char *file, char **ret_name, char **ret_version)
{
	size_t length = strlen(file);

	if (!text_ends_with(file, NAME_LAYER_SUFFIX))
		return -EINVAL;
	_cleanup_free_ char *stem = strndup(file, length - strlen(NAME_LAYER_SUFFIX));
	if (!stem)
		return -ENOMEM;
	const char *name = stem + order_prefix(stem);
	const char *version = find_version(name);
	size_t name_size = version ? (size_t)(version - name) - 1 : strlen(name);
	_cleanup_free_ char *name_copy = strndup(name, name_size);
	_cleanup_free_ char *version_copy = version ? strdup(version) : NULL;
	if (!name_copy || (version && !version_copy))
		return -ENOMEM;
	if (!layer_name_is_valid(name_copy) ||
	    (version_copy && !layer_version_is_valid(version_copy)))
		return -EINVAL;
	*ret_name = TAKE_PTR(name_copy);
	*ret_version = TAKE_PTR(version_copy);
	return 0;
}
