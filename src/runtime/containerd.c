/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * containerd, 1.5 and later. certs.d/<host>/hosts.toml say where images come from, and the CRI plugin reads them once
 * config_path in config.toml names their directory. Versions before 2.0 have no default for it; from 2.2 the default
 * names two directories, which one of the two ways of pulling there takes for one name: so it is set to one directory.
 */
#include <string.h>

#include "base/text.h"
#include "runtime/containerd_imports.h"
#include "runtime/hosts_toml.h"
#include "runtime/marked.h"
#include "runtime/runtimes.h"
#include "runtime/toml.h"

#define CONTAINERD_CONFIG  "/etc/containerd/config.toml"
#define CONTAINERD_CERTS_D "/etc/containerd/certs.d"

/* Names of the plugin that has [registry], by the version of the file. */
#define CRI_V1 "cri"
#define CRI_V2 "io.containerd.grpc.v1.cri"
#define CRI_V3 "io.containerd.cri.v1.images"
#define V3_ANY "io.containerd.cri.v1."

static const char *const containerd_evidence[] = {
	"/usr/bin/containerd", "/usr/local/bin/containerd", "/usr/sbin/containerd",
	"/opt/bin/containerd", "/etc/containerd",	    NULL,
};

/* What config.toml says that matters here. */
struct cri_config {
	unsigned version;
	bool disabled;		   /* the CRI plugin is switched off */
	char *config_path;	   /* NULL: not set */
	bool set;		   /* config_path is written there, perhaps as "" */
	size_t set_start, set_end; /* the line that sets it */
	bool old_style;		   /* registry.mirrors, .configs: they exclude config_path */
	size_t table_end;	   /* behind the line [….registry]; 0: there is no such table */
	size_t set_value;	   /* where in it the value begins */
	bool elsewhere;		   /* registry is set in a way that cannot be added to */
	bool any;		   /* does the file hold any statement? */
	bool touched;		   /* it sets something of the CRI plugin */
	bool later; /* it says an earlier version, and has tables of plugins of version 3 */
};

/* What the files say of the same that config.toml imports. Owned: the names. */
struct cri_imports {
	char *last;	   /* the last that sets something of the CRI plugin; NULL: none does */
	char *config_path; /* set by one of them; NULL: not set */
	char *old_style;   /* the file that sets registry.mirrors, .configs or the like */
	char *unread;	   /* what could not be read, and why */
	bool last_sets;	   /* the last one is the one that sets config_path */
	bool disabled;
};

static void cri_imports_done(struct cri_imports *im)
{
	free(im->last);
	free(im->config_path);
	free(im->old_style);
	free(im->unread);
}
#define _cleanup_cri_imports_ _cleanup_(cri_imports_done)

/* The plugin that has [registry]. A file of version 3 may still have the older names, which then say nothing of registries. */
static bool is_plugin(const struct cri_config *c, const char *name)
{
	return strcmp(name, CRI_V3) == 0 ||
	       (c->version < 3 && (strcmp(name, CRI_V1) == 0 || strcmp(name, CRI_V2) == 0));
}

static bool disables_cri(const struct toml_document *d, const struct toml_statement *s)
{
	_cleanup_strv_ char **names = NULL;

	if (toml_strings(d, s, &names) < 0)
		return false;
	return strv_contains(names, CRI_V1) || strv_contains(names, CRI_V2) ||
	       strv_contains(names, CRI_V3);
}

/* A statement below plugins.<cri>.registry. rest: its path from there on. */
static int read_registry(struct cri_config *c, const struct toml_document *d,
			 const struct toml_statement *s, char *const *rest)
{
	if (s->kind == TOML_TABLE && !*rest) {
		c->table_end = s->end;
		return 0;
	}
	if (s->kind == TOML_KEY && toml_path_is(rest, "config_path", NULL)) {
		c->set = true;
		c->set_start = s->start;
		c->set_value = s->value;
		c->set_end = s->end;
		int r = toml_string(d, s, &c->config_path);
		return r == -ENOMEM ? r : 0;
	}
	if (s->kind == TOML_KEY && !*rest)
		c->elsewhere = true;
	if (toml_path_begins(rest, "mirrors", NULL) || toml_path_begins(rest, "configs", NULL))
		c->old_style = c->old_style || s->kind == TOML_KEY || *(rest + 1) != NULL;
	return 0;
}

/* plugins = {…}, or a plugin that is an inline table: no line can be put into it, and none beside it. */
static bool is_inline_plugin(const struct cri_config *c, const struct toml_document *d,
			     const struct toml_statement *s)
{
	return s->kind == TOML_KEY && d->text[s->value] == '{' &&
	       (toml_path_is(s->path, "plugins", NULL) ||
		(toml_path_begins(s->path, "plugins", NULL) && strv_length(s->path) == 2 &&
		 is_plugin(c, s->path[1])));
}

static unsigned version_of(const struct toml_document *d)
{
	for (size_t i = 0; i < d->n_statements; i++)
		if (d->statements[i].kind == TOML_KEY &&
		    toml_path_is(d->statements[i].path, "version", NULL))
			return (unsigned)strtoul(d->text + d->statements[i].value, NULL, 10);
	return 1;
}

static int read_config(const struct toml_document *d, struct cri_config *c)
{
	size_t header = 0; /* names in the last [table] */
	int r = 0;

	c->version = version_of(d);
	c->any = d->n_statements > 0;
	for (size_t i = 0; r == 0 && i < d->n_statements; i++) {
		const struct toml_statement *s = &d->statements[i];
		size_t n = strv_length(s->path);
		if (s->kind != TOML_KEY)
			header = n;
		if (n >= 2 && strcmp(s->path[0], "plugins") == 0 && is_plugin(c, s->path[1]))
			c->touched = true;
		if (n >= 2 && strcmp(s->path[0], "plugins") == 0 && c->any && c->version < 3 &&
		    text_starts_with(s->path[1], V3_ANY))
			c->later = true;
		if (is_inline_plugin(c, d, s))
			c->elsewhere = c->touched = true;
		else if (s->kind == TOML_KEY && toml_path_is(s->path, "disabled_plugins", NULL))
			c->disabled = disables_cri(d, s);
		else if (n >= 3 && strcmp(s->path[0], "plugins") == 0 && is_plugin(c, s->path[1]) &&
			 strcmp(s->path[2], "registry") == 0) {
			/* A table that dotted keys made takes no [header] any more. */
			c->elsewhere = c->elsewhere || (s->kind == TOML_KEY && header < 3);
			r = read_registry(c, d, s, s->path + 3);
		}
	}
	return r;
}

static int set_name(char **name, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*name);
	*name = copy;
	return 0;
}

static int take_import(struct containerd_imports *i, const char *path,
		       const struct toml_document *d)
{
	struct cri_imports *im = i->userdata;
	struct cri_config c = { 0 };
	int r = read_config(d, &c);

	im->disabled = im->disabled || c.disabled;
	if (r == 0 && c.touched) {
		im->last_sets = c.set && !c.elsewhere;
		r = set_name(&im->last, path);
	}
	if (r == 0 && c.config_path)
		r = set_name(&im->config_path, c.config_path);
	if (r == 0 && (c.old_style || (c.elsewhere && !c.set)))
		r = set_name(&im->old_style, path);
	free(c.config_path);
	return r;
}

static int note_import(struct containerd_imports *i, const char *path, const char *why)
{
	struct cri_imports *im = i->userdata;
	char *text = NULL;

	if (asprintf(&text, "%s: %s", path, why) < 0)
		return -ENOMEM;
	free(im->unread);
	im->unread = text;
	return 0;
}

static int read_imports(int root, const struct toml_document *d, struct cri_imports *ret)
{
	struct containerd_imports imports = {
		.root = root, .take = take_import, .note = note_import, .userdata = ret
	};
	int r = containerd_imports_read(&imports, CONTAINERD_CONFIG, d);

	containerd_imports_done(&imports);
	return r;
}

static const char *plugin_name(const struct cri_config *c)
{
	return c->later ? CRI_V3 : c->version <= 1 ? CRI_V1 : c->version == 2 ? CRI_V2 : CRI_V3;
}

/* The file with config_path set; NULL: it cannot be added. */
static int add_config_path(const char *text, const struct cri_config *c, char **ret)
{
	_cleanup_free_ char *block = NULL;
	static const char line[] = "config_path = \"" CONTAINERD_CERTS_D "\"";

	*ret = NULL;
	if (c->elsewhere && !c->set)
		return 0;
	if (c->set) {
		/* Set to nothing, as "containerd config default" of 1.x writes it: that line gives way. */
		_cleanup_free_ char *without = NULL;
		if (asprintf(&without, "%.*s%s", (int)c->set_start, text, text + c->set_end) < 0 ||
		    asprintf(&block, "%.*s\"" CONTAINERD_CERTS_D "\"",
			     (int)(c->set_value - c->set_start), text + c->set_start) < 0)
			return -ENOMEM;
		*ret = marked_insert(without, c->set_start, block);
	} else if (c->table_end) {
		*ret = marked_insert(text, c->table_end, line);
	} else {
		if (asprintf(&block, "%s[plugins.\"%s\".registry]\n  %s\n",
			     c->any ? "" : "version = 2\n", c->any ? plugin_name(c) : CRI_V2,
			     line) < 0)
			return -ENOMEM;
		*ret = marked_insert(text, strlen(text), block);
	}
	return *ret ? 0 : -ENOMEM;
}

static int explain(struct runtime_plan *plan, size_t report, const struct cri_config *c,
		   const char *why)
{
	return plan_hint(plan, report,
			 CONTAINERD_CONFIG
			 " was left as it is, because %s. The CRI plugin uses the "
			 "cache once it says [plugins.\"%s\".registry] config_path = "
			 "\"" CONTAINERD_CERTS_D "\"",
			 why, plugin_name(c));
}

/* The directory of the hosts.toml files: the first that config_path names, or ours. NULL: out of memory. */
static char *certs_directory(const struct cri_config *c)
{
	size_t length = c->config_path ? strcspn(c->config_path, ":") : 0;

	if (length == 0 || *c->config_path != '/')
		return strdup(CONTAINERD_CERTS_D);
	return strndup(c->config_path, length);
}

static int choose_certs_d(struct runtime_plan *plan, size_t report, const struct cri_config *c,
			  char **ret)
{
	int r = 0;

	if (c->config_path && strchr(c->config_path, ':'))
		r = plan_hint(
			plan, report,
			"config_path in " CONTAINERD_CONFIG " names several directories; some "
			"versions of containerd take it for one name: let it be one directory");
	*ret = certs_directory(c);
	return r == 0 && *ret ? 0 : -ENOMEM;
}

static int put_config(struct runtime_plan *plan, size_t report, const char *user, const char *text,
		      const struct cri_config *c, struct diag *diag)
{
	_cleanup_free_ char *changed = NULL;

	if (add_config_path(text, c, &changed) < 0)
		return diag_set(diag, -ENOMEM, "out of memory");
	if (!changed)
		return explain(
			plan, report, c,
			"registry is set in a way that takes no more lines (an inline table, or "
			"dotted keys)");
	int r = plan_put(plan, report, CONTAINERD_CONFIG, user, changed, 0644, diag);
	if (r == 0 && plan_changes(plan, CONTAINERD_CONFIG))
		r = plan_hint(plan, report,
			      "containerd reads config.toml when it starts: restart it if it runs");
	return r;
}

#define BEFORE_2 "containerd 1.x takes that section in place of the whole one of " CONTAINERD_CONFIG

/* What imports make of config_path, where they do not forbid it. */
static int hint_at_imports(struct runtime_plan *plan, size_t report, const struct cri_imports *im)
{
	int r = 0;

	if (im->last && !im->last_sets)
		r = plan_hint(
			plan, report,
			"%s, which is imported, sets the CRI plugin without config_path, and " BEFORE_2
			": for the cache to be used there, let that file say "
			"config_path = \"" CONTAINERD_CERTS_D "\", too",
			im->last);
	if (r == 0 && im->unread)
		r = plan_hint(plan, report,
			      "an imported file is not read, so what it says of registries is not "
			      "known (%s)",
			      im->unread);
	return r;
}

/* Imports that keep config.toml from being added to: *ret_done, and it was said. */
static int obey_imports(struct runtime_plan *plan, size_t report, const struct cri_config *c,
			const struct cri_imports *im, bool *ret_done)
{
	_cleanup_free_ char *why = NULL;

	bool emptied = im->last_sets && im->config_path && !*im->config_path;

	*ret_done = im->old_style || (im->last_sets && im->config_path);
	if (!im->old_style && !emptied)
		return hint_at_imports(plan, report, im);
	if (asprintf(&why, "%s, which it imports, sets %s",
		     im->old_style ? im->old_style : im->last,
		     im->old_style ? "registry.mirrors or registry.configs, or the plugin as an "
				     "inline table, which containerd does not accept together with "
				     "config_path"
				   : "config_path to nothing") < 0)
		return -ENOMEM;
	return explain(plan, report, c, why);
}

/* What counts in the end: an imported file comes after config.toml. */
static int apply_imports(struct cri_config *c, const struct cri_imports *im)
{
	c->disabled = c->disabled || im->disabled;
	return im->config_path ? set_name(&c->config_path, im->config_path) : 0;
}

/* Decides about config.toml; *ret_certs_d: the directory of the hosts.toml files. */
static int plan_config(struct runtime_plan *plan, size_t report, char **ret_certs_d,
		       struct diag *diag)
{
	_cleanup_cri_imports_ struct cri_imports im = { 0 };
	bool done = false;
	_cleanup_toml_ struct toml_document d = { 0 };
	_cleanup_free_ char *user = NULL;
	struct cri_config c = { 0 };
	int r = plan_user_text(plan, CONTAINERD_CONFIG, marked_strip, &user, diag);

	if (r < 0)
		return r;
	const char *text = user ? user : "";
	r = toml_scan(text, &d, diag);
	if (r < 0)
		return diag_prefix(diag, r, CONTAINERD_CONFIG);
	r = read_config(&d, &c);
	if (r == 0)
		r = read_imports(plan->root, &d, &im);
	if (r == 0)
		r = apply_imports(&c, &im);
	if (r == 0)
		r = choose_certs_d(plan, report, &c, ret_certs_d);
	if (r == 0)
		r = obey_imports(plan, report, &c, &im, &done);
	if (r == 0 && !done && !(c.config_path && *c.config_path)) {
		if (c.disabled)
			r = plan_hint(plan, report,
				      "the CRI plugin is disabled in " CONTAINERD_CONFIG
				      ", so only clients that name " CONTAINERD_CERTS_D
				      " themselves use the cache (ctr --hosts-dir, nerdctl)");
		else if (c.old_style)
			r = explain(plan, report, &c,
				    "it sets registry.mirrors or registry.configs, which "
				    "containerd does not accept together with config_path");
		else if (c.later)
			r = explain(plan, report, &c,
				    "it has tables of plugins that are of version 3, and does not "
				    "say version = 3");
		else
			r = put_config(plan, report, user, text, &c, diag);
	}
	free(c.config_path);
	return r;
}

static int plan_containerd(struct runtime_plan *plan, size_t report, struct diag *diag)
{
	_cleanup_free_ char *certs_d = NULL;
	int r = plan_config(plan, report, &certs_d, diag);

	return r < 0 ? r : hosts_toml_plan(plan, report, certs_d, diag);
}

/* Why the CRI plugin does not go this way; *ret NULL: it does. */
static int explain_route(const struct cri_config *c, const struct cri_imports *im, char **ret)
{
	int r = 0;

	if (im->old_style)
		r = asprintf(ret,
			     "the CRI plugin does not read this: %s, which is imported, sets the "
			     "registries in the old way",
			     im->old_style);
	else if (!(c->config_path && *c->config_path))
		r = asprintf(
			ret,
			"the CRI plugin does not read this: config_path is not set in " CONTAINERD_CONFIG);
	else if (im->last && !im->last_sets)
		r = asprintf(ret,
			     "with containerd 1.x, the CRI plugin does not read this: %s, which is "
			     "imported, sets the plugin without config_path",
			     im->last);
	return r < 0 ? -ENOMEM : 0;
}

static int route_containerd(int root, const char *host, const char *repository,
			    struct runtime_route *route, struct diag *diag)
{
	_cleanup_cri_imports_ struct cri_imports im = { 0 };
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_toml_ struct toml_document d = { 0 };
	_cleanup_free_ char *certs_d = NULL;
	struct cri_config c = { 0 };

	(void)repository;
	int r = rootfs_read_linked(root, CONTAINERD_CONFIG, &file);
	if (r < 0)
		return diag_set_at(diag, r, CONTAINERD_CONFIG, 0, 0, "cannot read: %s",
				   rootfs_why(r));
	r = toml_scan(file.text ? file.text : "", &d, diag);
	if (r < 0)
		return diag_prefix(diag, r, CONTAINERD_CONFIG);
	r = read_config(&d, &c);
	if (r == 0)
		r = read_imports(root, &d, &im);
	if (r == 0)
		r = apply_imports(&c, &im);
	if (r == 0)
		r = explain_route(&c, &im, &route->note);
	certs_d = r == 0 ? certs_directory(&c) : NULL;
	free(c.config_path);
	return certs_d ? hosts_toml_route(root, certs_d, host, route, diag) : -ENOMEM;
}

static const char *const containerd_files[] = { CONTAINERD_CONFIG, CONTAINERD_CERTS_D "/", NULL };

const struct runtime_kind runtime_containerd = {
	"containerd", containerd_evidence, plan_containerd, route_containerd, containerd_files,
};
