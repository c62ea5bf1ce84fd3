/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sandbox image of containerd's CRI plugin, which every pod needs before its own. config.toml has it, by the version of the
 * file, as plugins.cri.sandbox_image (1), plugins."io.containerd.grpc.v1.cri".sandbox_image (2) or
 * plugins."io.containerd.cri.v1.images".pinned_images.sandbox (3); a file that is imported counts after the one that
 * imports it. Without any of them the default counts that is built into the program.
 */
#include <string.h>

#include "base/text.h"
#include "needs/collect.h"
#include "runtime/containerd_imports.h"
#include "runtime/runtimes.h"

#define CONTAINERD_CONFIG "/etc/containerd/config.toml"
#define CRI_V1		  "cri"
#define CRI_V2		  "io.containerd.grpc.v1.cri"
#define CRI_V3		  "io.containerd.cri.v1.images"

static const char *const containerd_programs[] = {
	"/usr/bin/containerd",
	"/usr/local/bin/containerd",
	"/usr/sbin/containerd",
	"/opt/bin/containerd",
	NULL,
};

/* k3s and rke2 write these for the containerd inside them. */
static const char *const rancher_configs[] = {
	"/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
	"/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
};

struct sandbox {
	char *image; /* NULL: not set */
	char *file;  /* that sets it */
	bool disabled;
};

static void sandbox_done(struct sandbox *s)
{
	free(s->image);
	free(s->file);
}

static bool is_sandbox(char *const *path)
{
	return toml_path_is(path, "plugins", CRI_V1, "sandbox_image", NULL) ||
	       toml_path_is(path, "plugins", CRI_V2, "sandbox_image", NULL) ||
	       toml_path_is(path, "plugins", CRI_V3, "pinned_images", "sandbox", NULL);
}

/* Something above it that is set as one inline table, which this reader does not open. */
static bool hides_sandbox(const struct toml_document *d, const struct toml_statement *s)
{
	return d->text[s->value] == '{' &&
	       (toml_path_is(s->path, "plugins", NULL) ||
		toml_path_is(s->path, "plugins", CRI_V1, NULL) ||
		toml_path_is(s->path, "plugins", CRI_V2, NULL) ||
		toml_path_is(s->path, "plugins", CRI_V3, NULL) ||
		toml_path_is(s->path, "plugins", CRI_V3, "pinned_images", NULL));
}

static int take_image(struct collector *c, struct sandbox *s, const struct toml_document *d,
		      const struct toml_statement *statement, const char *path)
{
	_cleanup_free_ char *image = NULL, *file = strdup(path);
	int r = file ? toml_string(d, statement, &image) : -ENOMEM;

	if (r == -EINVAL)
		return collect_note(c, "%s:%u: the sandbox image is no text on one line", path,
				    statement->line);
	if (r < 0 || !*image)
		return r;
	free(s->image);
	free(s->file);
	s->image = TAKE_PTR(image);
	s->file = TAKE_PTR(file);
	return 0;
}

static int read_statements(struct collector *c, const struct toml_document *d, const char *path,
			   struct sandbox *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->n_statements; i++) {
		const struct toml_statement *statement = &d->statements[i];
		_cleanup_strv_ char **names = NULL;
		if (statement->kind != TOML_KEY)
			continue;
		if (is_sandbox(statement->path))
			r = take_image(c, s, d, statement, path);
		else if (hides_sandbox(d, statement))
			r = collect_note(c,
					 "%s:%u: an inline table is not read here; if it names a "
					 "sandbox image, add that to the list",
					 path, statement->line);
		else if (toml_path_is(statement->path, "disabled_plugins", NULL) &&
			 toml_strings(d, statement, &names) == 0)
			s->disabled = s->disabled || strv_contains(names, CRI_V1) ||
				      strv_contains(names, CRI_V2) || strv_contains(names, CRI_V3);
	}
	return r;
}

struct reading {
	struct collector *c;
	struct sandbox *s;
};

static int take_import(struct containerd_imports *i, const char *path,
		       const struct toml_document *d)
{
	const struct reading *reading = i->userdata;

	return read_statements(reading->c, d, path, reading->s);
}

static int note_import(struct containerd_imports *i, const char *path, const char *why)
{
	const struct reading *reading = i->userdata;

	return collect_note(reading->c, "%s is not read: %s", path, why);
}

static int read_config(struct collector *c, const char *path, struct sandbox *s)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_toml_ struct toml_document d = { 0 };
	struct reading reading = { c, s };
	struct containerd_imports imports = {
		.root = c->root, .take = take_import, .note = note_import, .userdata = &reading
	};
	int r = collect_toml(c, path, &file, &d);

	if (r < 0 || !file.text)
		return r;
	r = read_statements(c, &d, path, s);
	if (r == 0)
		r = containerd_imports_read(&imports, path, &d);
	containerd_imports_done(&imports);
	return r;
}

/* What the program says that it would do without a file. */
static int read_built_in(struct collector *c)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_(sandbox_done) struct sandbox s = { 0 };
	_cleanup_toml_ struct toml_document d = { 0 };
	const char *program = collect_first(c, containerd_programs);

	if (!program)
		return 0;
	const char *const argv[] = { program, "config", "default", NULL };
	int r = collect_run(c, "the sandbox image of containerd", argv, &text);
	if (r < 0 || !text)
		return r;
	r = toml_scan(text, &d, NULL);
	if (r == 0)
		r = read_statements(c, &d, program, &s);
	if (r == -ENOMEM)
		return r;
	if (!s.image)
		return collect_note(c, "%s config default names no sandbox image", program);
	return collect_image(c, "containerd", program, s.image);
}

int read_containerd(struct collector *c)
{
	_cleanup_(sandbox_done) struct sandbox s = { 0 };
	int r = read_config(c, CONTAINERD_CONFIG, &s);

	if (r == 0 && !s.disabled && s.image)
		r = collect_image(c, "containerd", s.file, s.image);
	else if (r == 0 && !s.disabled && runtime_is_installed(c->root, &runtime_containerd))
		r = read_built_in(c);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rancher_configs); i++) {
		_cleanup_(sandbox_done) struct sandbox inner = { 0 };
		r = read_config(c, rancher_configs[i], &inner);
		if (r == 0 && inner.image)
			r = collect_image(c, "containerd", inner.file, inner.image);
	}
	return r;
}
