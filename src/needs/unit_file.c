/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "needs/unit_file.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "needs/command_line.h"

static void setting_done(struct unit_setting *s)
{
	free(s->section);
	free(s->key);
	free(s->value);
}

void unit_done(struct unit *unit)
{
	free(unit->name);
	free(unit->path);
	for (size_t i = 0; i < unit->n_settings; i++)
		setting_done(&unit->settings[i]);
	free(unit->settings);
	strv_free(unit->file_variables);
	*unit = (struct unit){ 0 };
}

static int add_setting(struct unit *unit, const char *section, const char *key, size_t key_length,
		       const char *value)
{
	size_t n = unit->n_settings;

	if (n == UNIT_SETTINGS_MAX)
		return -E2BIG;
	if ((n & (n - 1)) == 0) {
		struct unit_setting *larger =
			reallocarray(unit->settings, n ? n * 2 : 1, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		unit->settings = larger;
	}
	struct unit_setting *new = &unit->settings[unit->n_settings++];
	*new = (struct unit_setting){ strdup(section), strndup(key, key_length), strdup(value) };
	return new->section &&new->key &&new->value ? 0 : -ENOMEM;
}

static bool is_comment(const char *line)
{
	line += strspn(line, " \t");
	return *line == '#' || *line == ';';
}

/* The next logical line, without its newline; *rest goes behind it. Comments between continued lines are left out. */
static int next_line(const char **rest, char **ret)
{
	size_t size;
	FILE *f = open_memstream(ret, &size);
	bool more = true, first = true;

	if (!f)
		return -ENOMEM;
	while (more && **rest) {
		const char *line = *rest;
		size_t length = strcspn(line, "\n");
		*rest += length + (line[length] == '\n');
		if (length > 0 && line[length - 1] == '\r')
			length--;
		if (!first && is_comment(line))
			continue;
		more = length > 0 && line[length - 1] == '\\' && !(first && is_comment(line));
		fwrite(line, 1, length - more, f);
		if (more)
			fputc(' ', f);
		first = false;
	}
	return fclose(f) == 0 ? 0 : -ENOMEM;
}

static void trim(char *text)
{
	size_t length = strlen(text), blanks = strspn(text, " \t");

	while (length > blanks && isspace((unsigned char)text[length - 1]))
		length--;
	memmove(text, text + blanks, length - blanks);
	text[length - blanks] = '\0';
}

int unit_parse(struct unit *unit, const char *text, size_t *ret_ignored)
{
	_cleanup_free_ char *section = strdup("");
	int r = section ? 0 : -ENOMEM;
	size_t ignored = 0;

	/* systemd takes it. */
	if (text_starts_with(text, "\xef\xbb\xbf"))
		text += 3;
	while (r == 0 && *text) {
		_cleanup_free_ char *line = NULL;
		r = next_line(&text, &line);
		if (r < 0)
			break;
		trim(line);
		char *equals = strchr(line, '='), *close = strchr(line, ']');
		if (is_comment(line) || !*line)
			continue;
		if (*line == '[' && close) {
			free(section);
			section = strndup(line + 1, (size_t)(close - line - 1));
			r = section ? 0 : -ENOMEM;
		} else if (equals && *section) {
			size_t key = (size_t)(equals - line);
			while (key > 0 && isspace((unsigned char)line[key - 1]))
				key--;
			trim(equals + 1);
			r = add_setting(unit, section, line, key, equals + 1);
		} else {
			ignored++;
		}
	}
	if (ret_ignored)
		*ret_ignored = ignored;
	return r;
}

static bool is_setting(const struct unit_setting *s, const char *section, const char *key)
{
	return strcmp(s->section, section) == 0 && strcmp(s->key, key) == 0;
}

const char *unit_value(const struct unit *unit, const char *section, const char *key)
{
	const char *value = NULL;

	for (size_t i = 0; i < unit->n_settings; i++)
		if (is_setting(&unit->settings[i], section, key))
			value = unit->settings[i].value;
	return value && *value ? value : NULL;
}

int unit_values(const struct unit *unit, const char *section, const char *key, char ***ret)
{
	_cleanup_strv_ char **list = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < unit->n_settings; i++) {
		const struct unit_setting *s = &unit->settings[i];
		if (!is_setting(s, section, key))
			continue;
		if (*s->value) {
			r = strv_add(&list, s->value);
		} else {
			strv_free(list);
			list = NULL;
		}
	}
	if (r == 0)
		*ret = TAKE_PTR(list);
	return r;
}

/* Of words "NAME=value", the value that the last one gives to a name replaces *value. */
static int assign(char **words, const char *name, size_t length, char **value)
{
	const char *last = NULL;

	STRV_FOREACH (word, words)
		if (strncmp(*word, name, length) == 0 && (*word)[length] == '=')
			last = *word + length + 1;
	if (!last)
		return 0;
	free(*value);
	*value = strdup(last);
	return *value ? 0 : -ENOMEM;
}

/* What Environment= gives to a name, or a file instead; *ret NULL: nothing. */
static int environment(const struct unit *unit, const char *name, size_t length, char **ret)
{
	_cleanup_strv_ char **lines = NULL;
	int r = unit_values(unit, "Service", "Environment", &lines);

	*ret = NULL;
	STRV_FOREACH (line, lines) {
		_cleanup_strv_ char **words = NULL;
		if (r == 0)
			r = command_split(*line, &words);
		if (r == 0)
			r = assign(words, name, length, ret);
	}
	return r < 0 ? r : assign(unit->file_variables, name, length, ret);
}

/* A variable at the $ that text begins with; returns how many bytes it takes, 0: it is none. */
static size_t variable(const char *text, const char **ret_name, size_t *ret_length)
{
	bool braces = text[1] == '{';
	const char *name = text + 1 + braces;
	size_t length = 0;

	while (isalnum((unsigned char)name[length]) || name[length] == '_')
		length++;
	if (length == 0 || (braces && name[length] != '}'))
		return 0;
	*ret_name = name;
	*ret_length = length;
	return length + 1 + 2 * (size_t)braces;
}

char *unit_expand(const struct unit *unit, const char *text)
{
	char *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);
	int r = f ? 0 : -ENOMEM;

	while (r == 0 && *text) {
		_cleanup_free_ char *value = NULL;
		const char *name;
		size_t length, taken = *text == '$' ? variable(text, &name, &length) : 0;
		if (strncmp(text, "%%", 2) == 0) {
			fputc('%', f);
			text += 2;
			continue;
		}
		if (taken)
			r = environment(unit, name, length, &value);
		if (value) {
			fputs(value, f);
			text += taken;
		} else {
			fputc(*text++, f);
		}
	}
	if (f && fclose(f) != 0)
		r = -ENOMEM;
	if (r == 0)
		return out;
	free(out);
	return NULL;
}
