/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

static int compare_numbers(const char **a, const char **b)
{
	const char *start_a = *a, *start_b = *b;

	while (**a == '0')
		(*a)++;
	while (**b == '0')
		(*b)++;
	const char *digits_a = *a, *digits_b = *b;
	while (isdigit((unsigned char)**a))
		(*a)++;
	while (isdigit((unsigned char)**b))
		(*b)++;
	ptrdiff_t length_a = *a - digits_a, length_b = *b - digits_b;
	if (length_a != length_b)
		return length_a < length_b ? -1 : 1;
	int order = strncmp(digits_a, digits_b, (size_t)length_a);
	if (order != 0)
		return order;
	ptrdiff_t zeros_a = digits_a - start_a, zeros_b = digits_b - start_b;
	return (zeros_a > zeros_b) - (zeros_a < zeros_b);
}

int natural_compare(const char *a, const char *b)
{
	while (*a && *b) {
		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			int order = compare_numbers(&a, &b);
			if (order != 0)
				return order;
			continue;
		}
		if (*a != *b)
			break;
		a++;
		b++;
	}
	return (int)(unsigned char)*a - (int)(unsigned char)*b;
}

#define WORD_MAX 64

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Edit distance with swaps of neighbours (optimal string alignment). */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= m; j++)
		last[j] = j;
	for (size_t i = 1; i <= n; i++) {
		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			int x = tolower((unsigned char)a[i - 1]);
			int y = tolower((unsigned char)b[j - 1]);
			now[j] = smallest(last[j] + 1, now[j - 1] + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
			    y == tolower((unsigned char)a[i - 2]) && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		size_t *spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[m];
}

const char *text_nearest(const char *word, const char *const candidates[], size_t n_candidates)
{
	size_t length = strlen(word);
	size_t limit = length / 3 > 1 ? length / 3 : 1;
	const char *nearest = NULL;

	if (length == 0 || length > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n_candidates; i++) {
		size_t candidate_length = strlen(candidates[i]);
		if (candidate_length > WORD_MAX)
			continue;
		size_t distance = edit_distance(word, length, candidates[i], candidate_length);
		/* A one-letter word that shares no letter is not near anything. */
		if (distance >= candidate_length && distance > 0)
			continue;
		if (distance <= limit && (!nearest || distance < limit)) {
			nearest = candidates[i];
			limit = distance;
		}
	}
	return nearest;
}

bool text_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && memcmp(text + n - m, suffix, m) == 0;
}

/* Length of the UTF-8 sequence at s, 0 if there is none within size. */
static size_t utf8_sequence(const unsigned char *s, size_t size)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned point;
	size_t length;

	if (s[0] < 0x80)
		return s[0] != 0;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		length = 2, point = s[0] & 0x1fU;
	else if ((s[0] & 0xf0) == 0xe0)
		length = 3, point = s[0] & 0x0fU;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		length = 4, point = s[0] & 0x07U;
	else
		return 0;
	if (length > size)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3fU);
	}
	if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return length;
}

bool text_is_utf8(const char *text, size_t size)
{
	while (size > 0) {
		size_t length = utf8_sequence((const unsigned char *)text, size);
		if (length == 0)
			return false;
		text += length;
		size -= length;
	}
	return true;
}

const char *text_size_si(uint64_t bytes, char buffer[static TEXT_SIZE_MAX])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit < ARRAY_SIZE(units) - 1) {
		value /= 1000;
		unit++;
	}
	bool tenths = unit > 0 && value < 9.95;
	snprintf(buffer, TEXT_SIZE_MAX, tenths ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buffer;
}

const char *text_size_iec(uint64_t bytes, char buffer[static TEXT_SIZE_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit < ARRAY_SIZE(units) - 1) {
		value /= 1024;
		unit++;
	}
	double tenths = (double)(uint64_t)(value * 10 + 0.5) / 10;
	bool whole = tenths == (double)(uint64_t)tenths;
	snprintf(buffer, TEXT_SIZE_MAX, whole ? "%.0f %s" : "%.1f %s", tenths, units[unit]);
	return buffer;
}

char *text_vformat(const char *format, va_list ap)
{
	char *text;

	return vasprintf(&text, format, ap) < 0 ? NULL : text;
}

char *text_format(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	char *text = text_vformat(format, ap);
	va_end(ap);
	return text;
}

void text_write_quoted(FILE *f, const char *text, enum text_escape escape)
{
	fputc('"', f);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(f, escape == TEXT_ESCAPE_U ? "\\u%04x" : "\\x%02x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

char *text_quote(const char *text, enum text_escape escape)
{
	char *quoted = NULL;
	size_t size;
	FILE *f = open_memstream(&quoted, &size);

	if (!f)
		return NULL;
	text_write_quoted(f, text, escape);
	if (fclose(f) == 0)
		return quoted;
	free(quoted);
	return NULL;
}

size_t strv_length(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

int strv_take(char ***list, char *text)
{
	size_t n = strv_length(*list);

	if (!text)
		return -ENOMEM;
	/* Room grows by powers of two: it is full when n + 1 (for the NULL) is one. */
	if (!*list || ((n + 1) & n) == 0) {
		char **larger = realloc(*list, sizeof(char *) * (n + 1) * 2);
		if (!larger) {
			free(text);
			return -ENOMEM;
		}
		*list = larger;
	}
	(*list)[n] = text;
	(*list)[n + 1] = NULL;
	return 0;
}

int strv_add(char ***list, const char *text)
{
	return strv_take(list, strdup(text));
}

int strv_addf(char ***list, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	char *text = text_vformat(format, ap);
	va_end(ap);
	return strv_take(list, text);
}

bool strv_contains(char *const *list, const char *text)
{
	for (; list && *list; list++)
		if (strcmp(*list, text) == 0)
			return true;
	return false;
}

static int compare_items(const void *a, const void *b)
{
	return natural_compare(*(char *const *)a, *(char *const *)b);
}

void strv_sort_natural(char **list)
{
	if (list)
		qsort(list, strv_length(list), sizeof(char *), compare_items);
}

static int compare_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort_bytes(char **list)
{
	if (list)
		qsort(list, strv_length(list), sizeof(char *), compare_bytes);
}

void strv_free(char **list)
{
	STRV_FOREACH (item, list)
		free(*item);
	free(list);
}
