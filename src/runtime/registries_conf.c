/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/registries_conf.h"

#include <string.h>

#include "base/text.h"
#include "runtime/rootfs.h"
#include "runtime/toml.h"

#define LISTED_INSECURE		"insecure = true\n"
#define REGISTRIES_AS_VERSION_2 "unqualified-search-registries and [[registry]] tables instead"

struct reader {
	int root;
	struct registries_conf *conf;
	const char *later; /* see struct registries_table; of the file that is read */
	struct diag *diag;
};

static int out_of_memory(struct diag *diag)
{
	return diag_set(diag, -ENOMEM, "out of memory");
}

static void table_done(struct registries_table *t)
{
	free(t->prefix);
	free(t->head);
	free(t->mirrors);
	free(t->later);
}

void registries_conf_done(struct registries_conf *conf)
{
	for (size_t i = 0; i < conf->n_tables; i++)
		table_done(&conf->tables[i]);
	free(conf->tables);
	*conf = (struct registries_conf){ 0 };
}

/* Does a table's prefix stand for this image? "*.example.com" stands for every host below it. */
static bool prefix_matches(const char *prefix, const char *image)
{
	size_t length = strlen(prefix);

	if (text_starts_with(prefix, "*.")) {
		size_t host = strcspn(image, "/");
		return strchr(prefix, '/') == NULL && host > length - 1 &&
		       strncmp(image + host - (length - 1), prefix + 1, length - 1) == 0;
	}
	return strncmp(image, prefix, length) == 0 &&
	       (image[length] == '\0' || image[length] == '/');
}

const struct registries_table *registries_conf_find(const struct registries_conf *conf,
						    const char *image)
{
	const struct registries_table *found = NULL;

	for (size_t i = 0; i < conf->n_tables; i++)
		if (prefix_matches(conf->tables[i].prefix, image) &&
		    (!found || strlen(conf->tables[i].prefix) > strlen(found->prefix)))
			found = &conf->tables[i];
	return found;
}

/* Takes the table; one of the same prefix gives way to it. */
static int add_table(struct reader *c, struct registries_table *t)
{
	for (size_t i = 0; i < c->conf->n_tables; i++) {
		if (strcmp(c->conf->tables[i].prefix, t->prefix) != 0)
			continue;
		table_done(&c->conf->tables[i]);
		c->conf->tables[i] = *t;
		return 0;
	}
	struct registries_table *larger =
		reallocarray(c->conf->tables, c->conf->n_tables + 1, sizeof(*larger));
	if (!larger) {
		table_done(t);
		return out_of_memory(c->diag);
	}
	c->conf->tables = larger;
	larger[c->conf->n_tables++] = *t;
	return 0;
}

/* Reads the table whose header is statement i; *ret_next is the first statement behind it. */
static int read_table(struct reader *c, const struct toml_document *d, size_t i, size_t *ret_next)
{
	_cleanup_free_ char *prefix = NULL, *location = NULL;
	size_t mirrors = 0, start = d->statements[i].end, end = start, next = i + 1;
	bool in_mirror = false, blocked = false, by_digest = false;
	int r = 0;

	for (; r >= 0 && next < d->n_statements; next++) {
		const struct toml_statement *s = &d->statements[next];
		if (!toml_path_begins(s->path, "registry", NULL) ||
		    (s->kind == TOML_ARRAY_TABLE && toml_path_is(s->path, "registry", NULL)))
			break;
		if (s->kind != TOML_KEY && !in_mirror) {
			in_mirror = true;
			mirrors = s->start;
		}
		if (s->kind == TOML_KEY && toml_path_is(s->path, "registry", "prefix", NULL))
			r = toml_string(d, s, &prefix);
		else if (s->kind == TOML_KEY && toml_path_is(s->path, "registry", "location", NULL))
			r = toml_string(d, s, &location);
		else if (s->kind == TOML_KEY && toml_path_is(s->path, "registry", "blocked", NULL))
			blocked = text_starts_with(d->text + s->value, "true");
		else if (s->kind == TOML_KEY &&
			 toml_path_is(s->path, "registry", "mirror-by-digest-only", NULL))
			by_digest = text_starts_with(d->text + s->value, "true");
		end = s->end;
	}
	*ret_next = next;
	if (r < 0)
		return r == -ENOMEM ? out_of_memory(c->diag)
				    : diag_set(c->diag, r, "line %u: prefix and location are texts",
					       d->statements[i].line);
	if (!prefix && !location)
		return 0;
	if (!in_mirror)
		mirrors = end;
	struct registries_table t = {
		.prefix = strdup(prefix && *prefix ? prefix
				 : location	   ? location
						   : ""),
		.head = strndup(d->text + start, mirrors - start),
		.mirrors = strndup(d->text + mirrors, end - mirrors),
		.later = c->later ? strdup(c->later) : NULL,
		.blocked = blocked,
		.by_digest = by_digest,
	};
	if (!t.prefix || !t.head || !t.mirrors || (c->later && !t.later)) {
		table_done(&t);
		return out_of_memory(c->diag);
	}
	return add_table(c, &t);
}

/* The table that one of the lists of version 1 makes of a place, or adds to. */
static int add_listed(struct reader *c, const char *place, bool block)
{
	size_t length = strlen(place);
	bool blocked = block, insecure = !block;

	while (length > 0 && place[length - 1] == '/')
		length--;
	_cleanup_free_ char *prefix = strndup(place, length);
	_cleanup_free_ char *quoted = prefix ? toml_quote(prefix) : NULL;
	struct registries_table t = { 0 };
	if (!quoted)
		return out_of_memory(c->diag);
	for (size_t i = 0; i < c->conf->n_tables; i++) {
		const struct registries_table *known = &c->conf->tables[i];
		if (known->listed && strcmp(known->prefix, prefix) == 0) {
			blocked = blocked || known->blocked;
			insecure = insecure || strstr(known->head, LISTED_INSECURE);
		}
	}
	if (asprintf(&t.head, "location = %s\n%s%s", quoted, blocked ? "blocked = true\n" : "",
		     insecure ? LISTED_INSECURE : "") < 0)
		t.head = NULL;
	t.mirrors = strdup("");
	t.prefix = TAKE_PTR(prefix);
	t.blocked = blocked;
	t.listed = true;
	if (!t.head || !t.mirrors) {
		table_done(&t);
		return out_of_memory(c->diag);
	}
	return add_table(c, &t);
}

static int read_lists(struct reader *c, const struct toml_document *d)
{
	for (size_t i = 0; i < d->n_statements; i++) {
		const struct toml_statement *s = &d->statements[i];
		bool block = toml_path_is(s->path, "registries", "block", "registries", NULL);
		_cleanup_strv_ char **places = NULL;
		if (s->kind != TOML_KEY ||
		    (!block &&
		     !toml_path_is(s->path, "registries", "insecure", "registries", NULL)))
			continue;
		int r = toml_strings(d, s, &places);
		if (r < 0)
			return r == -ENOMEM ? out_of_memory(c->diag)
					    : diag_set(c->diag, r,
						       "line %u: registries is a list of texts",
						       s->line);
		STRV_FOREACH (place, places) {
			r = add_listed(c, *place, block);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int read_tables(struct reader *c, const struct toml_document *d)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->n_statements;) {
		const struct toml_statement *s = &d->statements[i];
		if (s->kind == TOML_ARRAY_TABLE && toml_path_is(s->path, "registry", NULL))
			r = read_table(c, d, i, &i);
		else
			i++;
	}
	return r;
}

/* An empty list or text counts as not there. */
static bool is_empty(const struct toml_document *d, const struct toml_statement *s)
{
	_cleanup_strv_ char **list = NULL;
	_cleanup_free_ char *text = NULL;

	return (toml_strings(d, s, &list) == 0 && !list) ||
	       (toml_string(d, s, &text) == 0 && !*text);
}

static bool is_version_1(const struct toml_document *d, const struct toml_statement *s)
{
	return s->kind == TOML_KEY &&
	       (toml_path_is(s->path, "registries", "search", "registries", NULL) ||
		toml_path_is(s->path, "registries", "insecure", "registries", NULL) ||
		toml_path_is(s->path, "registries", "block", "registries", NULL)) &&
	       !is_empty(d, s);
}

static bool is_version_2(const struct toml_document *d, const struct toml_statement *s)
{
	static const char *const keys[] = { "unqualified-search-registries", "credential-helpers",
					    "short-name-mode", "aliases" };

	if (s->kind == TOML_ARRAY_TABLE && toml_path_is(s->path, "registry", NULL))
		return true;
	for (size_t i = 0; s->kind == TOML_KEY && i < ARRAY_SIZE(keys); i++)
		if (toml_path_begins(s->path, keys[i], NULL))
			return !is_empty(d, s);
	return false;
}

/* The runtimes take lists of version 1 in the main file alone, and in a file of nothing else; any other file stops every pull. */
static int check_versions(struct reader *c, const struct toml_document *d, bool main_file)
{
	const struct toml_statement *one = NULL, *two = NULL;

	for (size_t i = 0; i < d->n_statements; i++) {
		const struct toml_statement *s = &d->statements[i];
		if (!one && is_version_1(d, s))
			one = s;
		if (!two && is_version_2(d, s))
			two = s;
	}
	if (one && !main_file)
		return diag_set(c->diag, -EINVAL,
				"line %u: podman and CRI-O refuse lists of version 1 in a drop-in; "
				"write " REGISTRIES_AS_VERSION_2,
				one->line);
	if (one && two)
		return diag_set(c->diag, -EINVAL,
				"line %u: podman and CRI-O refuse lists of version 1 beside what "
				"line %u sets; write " REGISTRIES_AS_VERSION_2,
				one->line, two->line);
	return 0;
}

static int read_text(struct reader *c, const char *text, bool main_file)
{
	_cleanup_toml_ struct toml_document d = { 0 };
	int r = toml_scan(text, &d, c->diag);

	if (r == 0)
		r = check_versions(c, &d, main_file);
	if (r == 0)
		r = read_lists(c, &d);
	return r < 0 ? r : read_tables(c, &d);
}

static int read_file(struct reader *c, const char *path)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	int r = rootfs_read_linked(c->root, path, &file);

	/* A link is followed by the runtimes, and larder only reads here. What cannot be read hides nothing. */
	if (r < 0 || !file.text)
		return r == -ENOMEM ? out_of_memory(c->diag) : 0;
	r = read_text(c, file.text, strcmp(path, CONTAINERS_CONF) == 0);
	return r < 0 ? diag_prefix(c->diag, r, "%s", path) : 0;
}

static int read_all(struct reader *c, const char *ours)
{
	_cleanup_strv_ char **names = NULL;
	int r = read_file(c, CONTAINERS_CONF);

	if (r < 0)
		return r;
	r = rootfs_list(c->root, CONTAINERS_DROP_IN, &names);
	if (r < 0 && r != -ENOTDIR)
		return diag_set_at(c->diag, r, CONTAINERS_DROP_IN, 0, 0, "cannot read: %s",
				   strerror(-r));
	r = 0;
	STRV_FOREACH (name, names) {
		_cleanup_free_ char *path = NULL;
		if (r < 0 || !text_ends_with(*name, ".conf") || (ours && strcmp(*name, ours) == 0))
			continue;
		if (asprintf(&path, CONTAINERS_DROP_IN "/%s", *name) < 0)
			return out_of_memory(c->diag);
		c->later = ours && strcmp(*name, ours) > 0 ? *name : NULL;
		r = read_file(c, path);
	}
	return r;
}

int registries_conf_read(int root, const char *ours, struct registries_conf *ret, struct diag *diag)
{
	struct registries_conf conf = { 0 };
	struct reader reader = { .root = root, .conf = &conf, .diag = diag };
	int r = read_all(&reader, ours);

	if (r < 0)
		registries_conf_done(&conf);
	else
		*ret = conf;
	return r;
}
