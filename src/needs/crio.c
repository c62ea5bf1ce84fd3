/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sandbox image of CRI-O: crio.image.pause_image of crio.conf, then of crio.conf.d in the order of names (crio.conf.d(5));
 * without one, the default that "crio config --default" shows in a comment.
 */
#include <string.h>

#include "base/text.h"
#include "needs/collect.h"
#include "runtime/toml.h"

#define CRIO_CONFIG  "/etc/crio/crio.conf"
#define CRIO_DROP_IN "/etc/crio/crio.conf.d"
#define PAUSE_KEY    "pause_image = "

static const char *const crio_programs[] = { "/usr/bin/crio", "/usr/local/bin/crio", NULL };

struct pause {
	char *image; /* NULL: not set */
	char *file;
};

static void pause_done(struct pause *p)
{
	free(p->image);
	free(p->file);
}

static int read_config(struct collector *c, const char *path, struct pause *p)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_toml_ struct toml_document d = { 0 };
	_cleanup_diag_ struct diag why = DIAG_INIT;
	int r = collect_read(c, path, &file);

	if (r < 0 || !file.text)
		return r;
	r = toml_scan(file.text, &d, &why);
	if (r == -EINVAL)
		return collect_note(c, "%s is not read: %s", path, why.message);
	for (size_t i = 0; r == 0 && i < d.n_statements; i++) {
		const struct toml_statement *s = &d.statements[i];
		_cleanup_free_ char *image = NULL, *name = NULL;
		if (s->kind != TOML_KEY ||
		    !toml_path_is(s->path, "crio", "image", "pause_image", NULL))
			continue;
		name = strdup(path);
		r = name ? toml_string(&d, s, &image) : -ENOMEM;
		if (r == -EINVAL)
			return collect_note(c, "%s:%u: pause_image is no text on one line", path,
					    s->line);
		if (r < 0)
			return r;
		pause_done(p);
		p->image = TAKE_PTR(image);
		p->file = TAKE_PTR(name);
	}
	return r;
}

static int read_built_in(struct collector *c, const char *program)
{
	const char *const argv[] = { program, "config", "--default", NULL };
	_cleanup_free_ char *text = NULL, *image = NULL;
	int r = collect_run(c, "the sandbox image of CRI-O", argv, &text);

	if (r < 0 || !text)
		return r;
	const char *at = strstr(text, PAUSE_KEY "\"");
	if (at) {
		at += strlen(PAUSE_KEY);
		r = toml_read_string(&at, &image);
	}
	if (r == -ENOMEM)
		return r;
	if (!image || !*image)
		return collect_note(c, "%s config --default names no pause_image", program);
	return collect_image(c, "CRI-O", program, image);
}

int read_crio(struct collector *c)
{
	_cleanup_(pause_done) struct pause p = { 0 };
	_cleanup_strv_ char **names = NULL;
	const char *program = collect_first(c, crio_programs);
	int r = read_config(c, CRIO_CONFIG, &p);

	if (r == 0)
		r = collect_list(c, CRIO_DROP_IN, &names);
	STRV_FOREACH (name, names) {
		_cleanup_free_ char *path = NULL;
		if (r < 0 || **name == '.')
			continue;
		r = asprintf(&path, CRIO_DROP_IN "/%s", *name) < 0 ? -ENOMEM : 0;
		if (r == 0)
			r = read_config(c, path, &p);
	}
	if (r == 0 && p.image && *p.image)
		return collect_image(c, "CRI-O", p.file, p.image);
	return r == 0 && program ? read_built_in(c, program) : r;
}
