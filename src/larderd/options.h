/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDERD_OPTIONS_H
#define LARDER_LARDERD_OPTIONS_H
/* The command line of larderd(8). Strings point into argv or are static. */
#include "registry/registry.h"

#define DRAIN_SECONDS 30

struct options {
	struct registry_options registry;
	char **caches; /* owned */
	char **listen; /* owned; NULL: the default addresses, unless systemd passes sockets */
	unsigned drain_seconds;
};

enum {
	OPTIONS_GO_ON = -1, /* else it is the exit status */
	EXIT_USAGE = 2,
};
int options_parse(struct options *o, int argc, char *argv[]);
void options_done(struct options *o);

#endif
