/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "needs/toml_setting.h"

#include <string.h>

#include "base/text.h"

void toml_setting_done(struct toml_setting *s)
{
	free(s->value);
	free(s->file);
	s->value = s->file = NULL;
}

static bool is_key(char *const *path, const char *const *key)
{
	for (; *key && path && *path; key++, path++)
		if (strcmp(*key, *path) != 0)
			return false;
	return !*key && path && !*path;
}

int toml_setting_read(struct collector *c, const char *path, struct toml_setting *s)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_toml_ struct toml_document d = { 0 };
	int r = collect_toml(c, path, &file, &d);

	for (size_t i = 0; r == 0 && i < d.n_statements; i++) {
		const struct toml_statement *statement = &d.statements[i];
		_cleanup_free_ char *value = NULL, *name = NULL;
		if (statement->kind != TOML_KEY || !is_key(statement->path, s->key))
			continue;
		name = strdup(path);
		r = name ? toml_string(&d, statement, &value) : -ENOMEM;
		if (r == -EINVAL)
			return collect_note(c, "%s:%u: %s is no text on one line", path,
					    statement->line,
					    statement->path[strv_length(statement->path) - 1]);
		if (r < 0)
			return r;
		toml_setting_done(s);
		s->value = TAKE_PTR(value);
		s->file = TAKE_PTR(name);
	}
	return r;
}

int toml_setting_read_all(struct collector *c, const char *directory, const char *suffix,
			  struct toml_setting *s)
{
	_cleanup_strv_ char **names = NULL;
	int r = collect_list(c, directory, &names);

	STRV_FOREACH (name, names) {
		_cleanup_free_ char *path = NULL;
		if (r < 0 || **name == '.' || !text_ends_with(*name, suffix))
			continue;
		r = asprintf(&path, "%s/%s", directory, *name) < 0 ? -ENOMEM : 0;
		if (r == 0)
			r = toml_setting_read(c, path, s);
	}
	return r;
}
