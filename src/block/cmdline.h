/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BLOCK_CMDLINE_H
#define LARDER_BLOCK_CMDLINE_H
/*
 * What the kernel command line (bootparam(7)) says about the root file system.
 */
#include <stdbool.h>
#include <stddef.h>

#define CMDLINE_BYTES_MAX 65536

enum root_kind {
	ROOT_NONE = 0, /* no root=, or one that is no local block device */
	ROOT_DEVICE,   /* value: "/dev/…" */
	ROOT_NUMBER,   /* major and minor */
	ROOT_UUID,     /* of the filesystem */
	ROOT_LABEL,
	ROOT_PARTUUID,
	ROOT_PARTLABEL,
};

struct root_option {
	enum root_kind kind;
	unsigned major, minor;
	char *text;  /* as it was written: "UUID=…"; NULL: none */
	char *value; /* points into text */
	bool live;   /* this is a live system: what "/" is on is a medium that came with it */
};

/* The last root= counts. Double quotes take white space in. 0 or -ENOMEM. */
int root_option_parse(const char *cmdline, struct root_option *ret);
void root_option_done(struct root_option *o);
#define _cleanup_root_option_ _cleanup_(root_option_done)

#endif
