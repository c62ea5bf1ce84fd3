/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/containerd_imports.h"

#include <fnmatch.h>
#include <string.h>

#include "base/text.h"
#include "runtime/rootfs.h"

static int follow(struct containerd_imports *i, const char *path, const struct toml_document *d,
		  unsigned depth);

static int read_text(struct containerd_imports *i, const char *path, const char *text,
		     unsigned depth)
{
	_cleanup_toml_ struct toml_document d = { 0 };
	_cleanup_diag_ struct diag why = DIAG_INIT;
	int r = toml_scan(text, &d, &why);

	if (r == -EINVAL)
		return i->note(i, path, why.message);
	if (r == 0)
		r = i->take(i, path, &d);
	return r < 0 ? r : follow(i, path, &d, depth);
}

static int read_file(struct containerd_imports *i, const char *path, unsigned depth)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };

	if (strv_contains(i->seen, path))
		return 0;
	if (depth > CONTAINERD_IMPORTS_DEPTH_MAX || strv_length(i->seen) >= CONTAINERD_IMPORTS_MAX)
		return i->note(i, path, "files import each other too deeply");
	int r = strv_add(&i->seen, path);
	if (r == 0)
		r = rootfs_read_linked(i->root, path, &file);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return i->note(i, path, rootfs_why(r));
	if (!file.text)
		return 0;
	if (strlen(file.text) != file.size)
		return i->note(i, path, "it holds a NUL character");
	return read_text(i, path, file.text, depth);
}

/* A pattern with * in its last component, or one file. */
static int read_pattern(struct containerd_imports *i, const char *from, const char *pattern,
			unsigned depth)
{
	_cleanup_free_ char *full = NULL, *directory = NULL;
	_cleanup_strv_ char **names = NULL;
	int length = *pattern == '/' ? 0 : (int)(strrchr(from, '/') + 1 - from);

	if (asprintf(&full, "%.*s%s", length, from, pattern) < 0)
		return -ENOMEM;
	const char *last = strrchr(full, '/') + 1;
	directory = strndup(full, (size_t)(last - full));
	int r = directory ? rootfs_list(i->root, directory, &names) : -ENOMEM;
	if (r < 0 && r != -ENOMEM)
		return r == -ENOTDIR ? 0 : i->note(i, directory, strerror(-r));
	STRV_FOREACH (name, names) {
		_cleanup_free_ char *path = NULL;
		if (r < 0 || fnmatch(last, *name, FNM_PERIOD) != 0)
			continue;
		r = asprintf(&path, "%s%s", directory, *name) < 0 ? -ENOMEM : 0;
		if (r == 0)
			r = read_file(i, path, depth + 1);
	}
	return r;
}

static int follow(struct containerd_imports *i, const char *path, const struct toml_document *d,
		  unsigned depth)
{
	_cleanup_strv_ char **imports = NULL;
	int r = 0;

	for (size_t n = 0; n < d->n_statements; n++) {
		const struct toml_statement *s = &d->statements[n];
		if (s->kind == TOML_KEY && toml_path_is(s->path, "imports", NULL) &&
		    toml_strings(d, s, &imports) == -ENOMEM)
			return -ENOMEM;
	}
	STRV_FOREACH (import, imports)
		if (r == 0 && **import)
			r = read_pattern(i, path, *import, depth);
	return r;
}

int containerd_imports_read(struct containerd_imports *i, const char *path,
			    const struct toml_document *d)
{
	int r = strv_contains(i->seen, path) ? 0 : strv_add(&i->seen, path);

	return r < 0 ? r : follow(i, path, d, 0);
}

void containerd_imports_done(struct containerd_imports *i)
{
	strv_free(i->seen);
	i->seen = NULL;
}
