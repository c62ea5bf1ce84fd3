/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_NEEDS_TOML_SETTING_H
#define LARDER_NEEDS_TOML_SETTING_H
/* One setting of programs that read a TOML file and drop-ins: the last file that sets it counts. */
#include "needs/collect.h"

struct toml_setting {
	const char *const *key; /* { "crio", "image", "pause_image", NULL } */
	char *value;		/* NULL: not set */
	char *file;		/* which sets it */
};

/* Takes it from a file, if that is there and says it; what is wrong with the file becomes a note. -ENOMEM. */
int toml_setting_read(struct collector *c, const char *path, struct toml_setting *s);

/* The same of each NAME.conf in a directory (suffix "": of each name), in the order of names. */
int toml_setting_read_all(struct collector *c, const char *directory, const char *suffix,
			  struct toml_setting *s);
void toml_setting_done(struct toml_setting *s);
#define _cleanup_toml_setting_ _cleanup_(toml_setting_done)

#endif
