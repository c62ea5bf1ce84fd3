/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "needs/environment_file.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

#define BLANKS	" \t"
#define NEWLINE "\n\r"

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* Behind a quote, up to its end or the end of the text; both take newlines as they are. */
static const char *read_quoted(const char *at, char quote, FILE *out)
{
	for (; *at && *at != quote; at++) {
		bool escape = quote == '"' && *at == '\\' && at[1];
		if (escape && at[1] == '\n') {
			at++;
			continue;
		}
		if (escape && is_one_of(at[1], "\"\\`$"))
			at++;
		fputc(*at, out);
	}
	return at + (*at == quote);
}

/* Up to the end of the line that no backslash continues, without blanks before it. */
static const char *read_plain(const char *at, FILE *out)
{
	size_t blanks = 0; /* before at, not written yet */

	for (; *at && !is_one_of(*at, NEWLINE); at++) {
		if (is_one_of(*at, BLANKS)) {
			blanks++;
			continue;
		}
		fwrite(at - blanks, 1, blanks, out);
		blanks = 0;
		if (*at == '\\' && !*++at)
			break;
		if (!is_one_of(*at, NEWLINE)) /* one behind a backslash goes */
			fputc(*at, out);
	}
	return at;
}

/* Behind "=": quoted pieces, and then what is not quoted. */
static const char *read_value(const char *at, FILE *out)
{
	for (;;) {
		at += strspn(at, BLANKS);
		if (*at != '\'' && *at != '"')
			return read_plain(at, out);
		at = read_quoted(at + 1, *at, out);
	}
}

/* Bytes of the name that the line begins with; 0: it is none. *ret_equals: where its "=" is. */
static size_t name_length(const char *line, const char **ret_equals)
{
	size_t length = 0;

	while (isalnum((unsigned char)line[length]) || line[length] == '_')
		length++;
	*ret_equals = line + length + strspn(line + length, BLANKS);
	return **ret_equals != '=' || isdigit((unsigned char)*line) ? 0 : length;
}

/* A line that is no comment; *at goes behind its value, which may have several lines, also where the name is none. */
static int read_setting(const char **at, char ***list)
{
	_cleanup_free_ char *setting = NULL;
	const char *line = *at, *equals;
	size_t size, length = name_length(line, &equals);
	FILE *out = open_memstream(&setting, &size);

	if (!out)
		return -ENOMEM;
	if (length == 0)
		equals = line + strcspn(line, "=" NEWLINE);
	fprintf(out, "%.*s=", (int)length, line);
	*at = *equals == '=' ? read_value(equals + 1, out) : equals;
	if (fclose(out) != 0)
		return -ENOMEM;
	if (length == 0)
		return 0;
	return strv_length(*list) < ENVIRONMENT_VARIABLES_MAX ? strv_take(list, TAKE_PTR(setting))
							      : -E2BIG;
}

int environment_file_parse(const char *text, char ***list)
{
	int r = 0;

	while (r == 0 && *(text += strspn(text, BLANKS NEWLINE))) {
		if (is_one_of(*text, "#;"))
			text += strcspn(text, NEWLINE);
		else
			r = read_setting(&text, list);
	}
	return r;
}

static int read_file(struct collector *c, struct unit *unit, const char *path, bool needed)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	int r = collect_read(c, path, &file);

	if (r == 0 && !file.text && needed && !rootfs_exists(c->root, path))
		return collect_note(c, "%s: EnvironmentFile=%s is not there", unit->path, path);
	if (r == 0 && file.text)
		r = environment_file_parse(file.text, &unit->file_variables);
	return r == -E2BIG ? collect_note(c,
					  "%s: the files of EnvironmentFile= are not read to their "
					  "end: they set more than %d variables",
					  unit->path, ENVIRONMENT_VARIABLES_MAX)
			   : r;
}

/* The path in a value, %% resolved, in place; false: it is known only to systemd, by a pattern or a specifier. */
static bool resolve_percent(char *path)
{
	char *to = path;

	for (const char *from = path; *from; from++) {
		if (is_one_of(*from, "*?[") || (*from == '%' && *++from != '%'))
			return false;
		*to++ = *from;
	}
	*to = '\0';
	return true;
}

/* One value of EnvironmentFile=. */
static int read_named(struct collector *c, struct unit *unit, const char *value)
{
	bool needed = *value != '-';
	_cleanup_free_ char *path = strdup(value + !needed);

	if (!path)
		return -ENOMEM;
	if (!resolve_percent(path))
		return collect_note(c,
				    "%s: EnvironmentFile=%s is a pattern or holds a specifier, "
				    "which is not followed",
				    unit->path, value);
	if (*path != '/')
		return collect_note(
			c, "%s: EnvironmentFile=%s counts nothing: the path must be absolute",
			unit->path, value);
	return read_file(c, unit, path, needed);
}

int environment_files_read(struct collector *c, struct unit *unit)
{
	_cleanup_strv_ char **values = NULL;
	size_t n = 0;

	if (unit->files_read)
		return 0;
	unit->files_read = true;
	int r = unit_values(unit, "Service", "EnvironmentFile", &values);
	STRV_FOREACH (value, values) {
		if (r == 0 && n++ == ENVIRONMENT_FILES_MAX)
			return collect_note(
				c, "%s: only the first %d files of EnvironmentFile= are read",
				unit->path, ENVIRONMENT_FILES_MAX);
		if (r == 0)
			r = read_named(c, unit, *value);
	}
	return r;
}
