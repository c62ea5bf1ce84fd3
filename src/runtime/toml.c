/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/toml.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"

struct scanner {
	const char *text;
	const char *at;
	unsigned line;
	char **table; /* strv: the current table's path */
	struct toml_document *document;
	struct diag *diag;
};

static int bad(struct scanner *s, const char *message)
{
	return diag_set_at(s->diag, -EINVAL, NULL, s->line, 0, "line %u: %s", s->line, message);
}

static void skip_blanks(struct scanner *s)
{
	s->at += strspn(s->at, " \t");
}

static void skip_comment(struct scanner *s)
{
	skip_blanks(s);
	if (*s->at == '#')
		s->at += strcspn(s->at, "\n");
}

static void next_line(struct scanner *s)
{
	if (*s->at == '\r' && s->at[1] == '\n')
		s->at++;
	if (*s->at == '\n') {
		s->at++;
		s->line++;
	}
}

/* Comments and newlines, as arrays allow them between values. */
static void skip_lines(struct scanner *s)
{
	const char *before;

	do {
		before = s->at;
		skip_comment(s);
		next_line(s);
	} while (s->at != before);
}

static int read_key_part(struct scanner *s, char **ret)
{
	if (*s->at == '"' || *s->at == '\'')
		return toml_read_string(&s->at, ret);
	size_t length = 0;
	while (isalnum((unsigned char)s->at[length]) || s->at[length] == '_' ||
	       s->at[length] == '-')
		length++;
	if (length == 0)
		return -EINVAL;
	*ret = strndup(s->at, length);
	s->at += length;
	return *ret ? 0 : -ENOMEM;
}

/* a."b.c".d, added to list. */
static int read_key(struct scanner *s, char ***list)
{
	for (;;) {
		char *part = NULL;
		skip_blanks(s);
		int r = read_key_part(s, &part);
		if (r == -EINVAL)
			return bad(s, "a key is expected here");
		if (r == 0)
			r = strv_take(list, part);
		if (r < 0)
			return r;
		skip_blanks(s);
		if (*s->at != '.')
			return 0;
		s->at++;
	}
}

static int skip_multiline(struct scanner *s, const char *quotes)
{
	for (s->at += 3; *s->at; s->at++) {
		if (strncmp(s->at, quotes, 3) == 0) {
			s->at += 3;
			/* Up to two quotes may stand before the closing three. */
			while (*s->at == *quotes)
				s->at++;
			return 0;
		}
		if (*s->at == '\\' && *quotes == '"' && s->at[1])
			s->at++;
		if (*s->at == '\n')
			s->line++;
	}
	return bad(s, "a text has no end");
}

static int skip_value(struct scanner *s, unsigned depth);

static int skip_array(struct scanner *s, unsigned depth)
{
	s->at++;
	for (;;) {
		skip_lines(s);
		if (*s->at == ']') {
			s->at++;
			return 0;
		}
		int r = skip_value(s, depth + 1);
		if (r < 0)
			return r;
		skip_lines(s);
		if (*s->at == ',')
			s->at++;
		else if (*s->at != ']')
			return bad(s, "a comma or ] is expected here");
	}
}

static int skip_inline_table(struct scanner *s, unsigned depth)
{
	s->at++;
	for (;;) {
		_cleanup_strv_ char **key = NULL;
		skip_blanks(s);
		if (*s->at == '}') {
			s->at++;
			return 0;
		}
		int r = read_key(s, &key);
		if (r < 0)
			return r;
		if (*s->at++ != '=')
			return bad(s, "= is expected here");
		skip_blanks(s);
		r = skip_value(s, depth + 1);
		if (r < 0)
			return r;
		skip_blanks(s);
		if (*s->at == ',')
			s->at++;
		else if (*s->at != '}')
			return bad(s, "a comma or } is expected here");
	}
}

static int skip_value(struct scanner *s, unsigned depth)
{
	_cleanup_free_ char *text = NULL;

	if (depth > TOML_DEPTH_MAX)
		return bad(s, "too deeply nested");
	if (strncmp(s->at, "\"\"\"", 3) == 0 || strncmp(s->at, "'''", 3) == 0)
		return skip_multiline(s, *s->at == '"' ? "\"\"\"" : "'''");
	if (*s->at == '"' || *s->at == '\'') {
		int r = toml_read_string(&s->at, &text);
		return r == -EINVAL ? bad(s, "this is no valid text") : r;
	}
	if (*s->at == '[')
		return skip_array(s, depth);
	if (*s->at == '{')
		return skip_inline_table(s, depth);
	/* Numbers, dates, true and false. A date and its time may be divided by one space. */
	size_t length =
		strspn(s->at, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "+-_.:");
	if (length == 0)
		return bad(s, "a value is expected here");
	s->at += length;
	if (*s->at == ' ' && isdigit((unsigned char)s->at[1]))
		s->at += 1 + strspn(s->at + 1, "0123456789:.Zz+-");
	return 0;
}

static int add_statement(struct scanner *s, struct toml_statement *new)
{
	struct toml_document *d = s->document;
	size_t n = d->n_statements;

	if (n == TOML_STATEMENTS_MAX)
		return bad(s, "the file is too long");
	if ((n & (n - 1)) == 0) {
		struct toml_statement *larger =
			reallocarray(d->statements, n ? n * 2 : 1, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		d->statements = larger;
	}
	d->statements[d->n_statements++] = *new;
	return 0;
}

static int copy_path(char *const *from, char ***to)
{
	int r = 0;

	for (; r == 0 && from && *from; from++)
		r = strv_add(to, *from);
	return r;
}

static int scan_header(struct scanner *s, struct toml_statement *new)
{
	_cleanup_strv_ char **path = NULL;
	bool array = s->at[1] == '[';

	new->kind = array ? TOML_ARRAY_TABLE : TOML_TABLE;
	s->at += array ? 2 : 1;
	int r = read_key(s, &new->path);
	if (r < 0)
		return r;
	if (*s->at++ != ']' || (array && *s->at++ != ']'))
		return bad(s, "] is expected here");
	r = copy_path(new->path, &path);
	if (r < 0)
		return r;
	strv_free(s->table);
	s->table = TAKE_PTR(path);
	return 0;
}

static int scan_key(struct scanner *s, struct toml_statement *new)
{
	new->kind = TOML_KEY;
	int r = copy_path(s->table, &new->path);
	if (r == 0)
		r = read_key(s, &new->path);
	if (r < 0)
		return r;
	if (*s->at++ != '=')
		return bad(s, "= is expected here");
	skip_blanks(s);
	new->value = (size_t)(s->at - s->text);
	r = skip_value(s, 0);
	new->value_end = (size_t)(s->at - s->text);
	return r;
}

static int scan_statement(struct scanner *s)
{
	const char *start = s->at;
	struct toml_statement new = { .line = s->line };

	skip_comment(s);
	if (*s->at == '\n' || *s->at == '\r' || *s->at == '\0') {
		next_line(s);
		return s->at == start ? bad(s, "a carriage return stands alone") : 0;
	}
	new.start = (size_t)(start - s->text);
	int r = *s->at == '[' ? scan_header(s, &new) : scan_key(s, &new);
	if (r == 0) {
		skip_comment(s);
		if (*s->at && *s->at != '\n' && !(*s->at == '\r' && s->at[1] == '\n'))
			r = bad(s, "nothing may follow on this line");
	}
	if (r == 0) {
		next_line(s);
		new.end = (size_t)(s->at - s->text);
		r = add_statement(s, &new);
	}
	if (r < 0)
		strv_free(new.path);
	return r;
}

int toml_scan(const char *text, struct toml_document *ret, struct diag *diag)
{
	struct toml_document document = { .text = text };
	struct scanner s = {
		.text = text, .at = text, .line = 1, .document = &document, .diag = diag
	};
	int r = 0;

	/* Readers differ in what they make of one, and nothing can be put before the first line. */
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		return bad(&s, "the file begins with a byte order mark");
	while (r == 0 && *s.at)
		r = scan_statement(&s);
	strv_free(s.table);
	if (r < 0) {
		toml_document_done(&document);
		return r;
	}
	*ret = document;
	return 0;
}

void toml_document_done(struct toml_document *d)
{
	for (size_t i = 0; i < d->n_statements; i++)
		strv_free(d->statements[i].path);
	free(d->statements);
	*d = (struct toml_document){ 0 };
}

static size_t count_common(char *const *path, va_list ap, size_t *ret_names)
{
	size_t n = 0, common = 0;
	bool same = true;

	for (const char *name; (name = va_arg(ap, const char *)); n++) {
		same = same && path && path[n] && strcmp(path[n], name) == 0;
		common += same;
	}
	*ret_names = n;
	return common;
}

bool toml_path_is(char *const *path, ...)
{
	va_list ap;
	size_t names;

	va_start(ap, path);
	size_t common = count_common(path, ap, &names);
	va_end(ap);
	return common == names && strv_length(path) == names;
}

bool toml_path_begins(char *const *path, ...)
{
	va_list ap;
	size_t names;

	va_start(ap, path);
	size_t common = count_common(path, ap, &names);
	va_end(ap);
	return common == names;
}

int toml_string(const struct toml_document *d, const struct toml_statement *key, char **ret)
{
	const char *at = d->text + key->value;

	if (*at != '"' && *at != '\'')
		return -EINVAL;
	if (strncmp(at, "\"\"\"", 3) == 0 || strncmp(at, "'''", 3) == 0)
		return -EINVAL;
	return toml_read_string(&at, ret);
}

int toml_strings(const struct toml_document *d, const struct toml_statement *key, char ***ret)
{
	struct scanner s = { .text = d->text, .at = d->text + key->value };
	_cleanup_strv_ char **list = NULL;

	if (*s.at++ != '[')
		return -EINVAL;
	for (;;) {
		char *item = NULL;
		skip_lines(&s);
		if (*s.at == ']')
			break;
		if (*s.at != '"' && *s.at != '\'')
			return -EINVAL;
		int r = toml_read_string(&s.at, &item);
		if (r == 0)
			r = strv_take(&list, item);
		if (r < 0)
			return r;
		skip_lines(&s);
		if (*s.at == ',')
			s.at++;
	}
	*ret = TAKE_PTR(list);
	return 0;
}
