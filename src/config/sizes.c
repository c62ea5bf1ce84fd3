/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/sizes.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* Digits read after the point; more of them change nothing that can be measured. */
#define FRACTION_DIGITS_MAX 9

/* A decimal number: whole + fraction / scale. */
struct decimal {
	uint64_t whole, fraction, scale;
};

struct unit {
	const char *name;
	uint64_t factor;
};

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)
#define PIB (UINT64_C(1) << 50)
#define EIB (UINT64_C(1) << 60)

static const struct unit size_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "k", UINT64_C(1000) },
	{ "kB", UINT64_C(1000) },
	{ "M", UINT64_C(1000000) },
	{ "MB", UINT64_C(1000000) },
	{ "G", UINT64_C(1000000000) },
	{ "GB", UINT64_C(1000000000) },
	{ "T", UINT64_C(1000000000000) },
	{ "TB", UINT64_C(1000000000000) },
	{ "P", UINT64_C(1000000000000000) },
	{ "PB", UINT64_C(1000000000000000) },
	{ "E", UINT64_C(1000000000000000000) },
	{ "EB", UINT64_C(1000000000000000000) },
	{ "Ki", KIB },
	{ "KiB", KIB },
	{ "Mi", MIB },
	{ "MiB", MIB },
	{ "Gi", GIB },
	{ "GiB", GIB },
	{ "Ti", TIB },
	{ "TiB", TIB },
	{ "Pi", PIB },
	{ "PiB", PIB },
	{ "Ei", EIB },
	{ "EiB", EIB },
};

static const struct unit duration_units[] = {
	{ "ms", 1 },
	{ "s", UINT64_C(1000) },
	{ "m", UINT64_C(60) * 1000 },
	{ "h", UINT64_C(3600) * 1000 },
	{ "d", UINT64_C(86400) * 1000 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits[.digits] and moves *at behind them. -EINVAL: there is no number; -ERANGE: too large. */
static int parse_decimal(const char **at, struct decimal *ret)
{
	struct decimal d = { .scale = 1 };
	const char *c = *at;
	bool any = false;

	for (; is_digit(*c); c++, any = true)
		if (__builtin_mul_overflow(d.whole, 10, &d.whole) ||
		    __builtin_add_overflow(d.whole, (uint64_t)(*c - '0'), &d.whole))
			return -ERANGE;
	if (*c == '.') {
		if (!any || !is_digit(c[1]))
			return -EINVAL;
		c++;
		for (int n = 0; is_digit(*c); c++, n++) {
			if (n >= FRACTION_DIGITS_MAX)
				continue;
			d.fraction = d.fraction * 10 + (uint64_t)(*c - '0');
			d.scale *= 10;
		}
	}
	if (!any)
		return -EINVAL;
	*at = c;
	*ret = d;
	return 0;
}

/* d × factor, rounded down. */
static int decimal_times(const struct decimal *d, uint64_t factor, uint64_t *ret)
{
	uint64_t whole, part = (uint64_t)((unsigned __int128)d->fraction * factor / d->scale);

	if (__builtin_mul_overflow(d->whole, factor, &whole) ||
	    __builtin_add_overflow(whole, part, &whole))
		return -ERANGE;
	*ret = whole;
	return 0;
}

static const struct unit *find_unit(const char *name, size_t length, const struct unit *units,
				    size_t n_units)
{
	for (size_t i = 0; i < n_units; i++)
		if (strlen(units[i].name) == length &&
		    strncasecmp(units[i].name, name, length) == 0)
			return &units[i];
	return NULL;
}

static int not_a_size(const char *text, bool relative_allowed, struct diag *diag)
{
	if (!relative_allowed && strchr(text, '%'))
		return diag_set(diag, -EINVAL,
				"\"%s\" is a share, and only a fixed size is allowed here", text);
	if (!relative_allowed && *text == '-')
		return diag_set(diag, -EINVAL, "\"%s\" is negative, and that is not allowed here",
				text);
	return diag_set(diag, -EINVAL,
			"\"%s\" is not a size; write a number and a unit as in 2.5GiB or 100MB%s",
			text,
			relative_allowed ? ", a share as in 80%, or what to leave free as in "
					   "-10GiB"
					 : "");
}

static int too_large(const char *text, struct diag *diag)
{
	return diag_set(diag, -ERANGE, "\"%s\" is larger than any disk (16 EiB)", text);
}

static int parse_percent(const char *text, const struct decimal *number, struct size_spec *ret,
			 struct diag *diag)
{
	uint64_t hundredths;

	if (decimal_times(number, 100, &hundredths) < 0 || hundredths > 10000)
		return diag_set(diag, -ERANGE, "\"%s\" is more than 100%%", text);
	*ret = (struct size_spec){ SIZE_PERCENT, hundredths };
	return 0;
}

int size_parse(const char *text, bool relative_allowed, struct size_spec *ret, struct diag *diag)
{
	const char *at = text;
	struct decimal number;
	uint64_t bytes;
	bool negative = *at == '-';

	if (negative && relative_allowed)
		at++;
	int r = parse_decimal(&at, &number);
	if (r == -ERANGE)
		return too_large(text, diag);
	if (r < 0)
		return not_a_size(text, relative_allowed, diag);
	at += strspn(at, " ");
	if (strcmp(at, "%") == 0 && relative_allowed && !negative)
		return parse_percent(text, &number, ret, diag);
	const struct unit *unit = find_unit(at, strlen(at), size_units, ARRAY_SIZE(size_units));
	if (!unit)
		return not_a_size(text, relative_allowed, diag);
	if (decimal_times(&number, unit->factor, &bytes) < 0)
		return too_large(text, diag);
	*ret = (struct size_spec){ negative ? SIZE_NEGATIVE : SIZE_BYTES, bytes };
	return 0;
}

uint64_t size_resolve(const struct size_spec *spec, uint64_t available)
{
	switch (spec->kind) {
	case SIZE_BYTES:
		return spec->value;
	case SIZE_PERCENT:
		return (uint64_t)((unsigned __int128)available * spec->value / 10000);
	case SIZE_NEGATIVE:
		return spec->value > available ? 0 : available - spec->value;
	case SIZE_UNSET:
		break;
	}
	return 0;
}

char *size_describe(const struct size_spec *spec)
{
	char buffer[TEXT_SIZE_MAX];
	char *text = NULL;
	int r = -1;

	switch (spec->kind) {
	case SIZE_UNSET:
		return strdup("not set");
	case SIZE_BYTES:
		return strdup(text_size_iec(spec->value, buffer));
	case SIZE_PERCENT:
		r = asprintf(&text, spec->value % 100 ? "%g%%" : "%.0f%%",
			     (double)spec->value / 100);
		break;
	case SIZE_NEGATIVE:
		r = asprintf(&text, "all but %s", text_size_iec(spec->value, buffer));
		break;
	}
	return r < 0 ? NULL : text;
}

static int not_a_duration(const char *text, struct diag *diag)
{
	return diag_set(diag, -EINVAL,
			"\"%s\" is not a time; write a number and ms, s, m, h or d, as in 500ms or "
			"1m30s",
			text);
}

static int too_long(const char *text, struct diag *diag)
{
	return diag_set(diag, -ERANGE, "\"%s\" is too long", text);
}

/* One "30s"; moves *at behind it. */
static int parse_duration_part(const char **at, uint64_t *ret_ms)
{
	struct decimal number;
	size_t length = 0;
	int r = parse_decimal(at, &number);

	if (r < 0)
		return r;
	while ((*at)[length] && !is_digit((*at)[length]))
		length++;
	const struct unit *unit =
		find_unit(*at, length, duration_units, ARRAY_SIZE(duration_units));
	if (!unit)
		return -EINVAL;
	*at += length;
	return decimal_times(&number, unit->factor, ret_ms);
}

int duration_parse(const char *text, uint64_t *ret_ms, struct diag *diag)
{
	uint64_t sum = 0, part;
	const char *at = text;

	if (strcmp(text, "0") == 0) {
		*ret_ms = 0;
		return 0;
	}
	do {
		int r = parse_duration_part(&at, &part);
		if (r == -EINVAL)
			return not_a_duration(text, diag);
		if (r < 0 || __builtin_add_overflow(sum, part, &sum) || sum > INT64_MAX)
			return too_long(text, diag);
	} while (*at);
	*ret_ms = sum;
	return 0;
}
