/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sandbox image of CRI-O: crio.image.pause_image of crio.conf, then of crio.conf.d in the order of names (crio.conf.d(5));
 * without one, the default that "crio config --default" shows in a comment.
 */
#include <string.h>

#include "needs/toml_setting.h"
#include "runtime/toml.h"

#define CRIO_CONFIG  "/etc/crio/crio.conf"
#define CRIO_DROP_IN "/etc/crio/crio.conf.d"
#define PAUSE_KEY    "pause_image = "

static const char *const crio_programs[] = { "/usr/bin/crio", "/usr/local/bin/crio", NULL };

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
	static const char *const key[] = { "crio", "image", "pause_image", NULL };
	_cleanup_toml_setting_ struct toml_setting pause = { .key = key };
	const char *program = collect_first(c, crio_programs);
	int r = toml_setting_read(c, CRIO_CONFIG, &pause);

	if (r == 0)
		r = toml_setting_read_all(c, CRIO_DROP_IN, "", &pause);
	if (r == 0 && pause.value && *pause.value)
		return collect_image(c, "CRI-O", pause.file, pause.value);
	return r == 0 && program ? read_built_in(c, program) : r;
}
