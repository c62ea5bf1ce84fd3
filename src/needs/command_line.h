/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_NEEDS_COMMAND_LINE_H
#define LARDER_NEEDS_COMMAND_LINE_H
/* Command lines of units (systemd.service(5), "Command lines"), and the images that those of container programs name. */
#include <stdbool.h>

#include "base/diag.h"

/* Words of a line, quotes and escapes resolved; strv, owned by the caller. A quote without its end takes the rest. -ENOMEM. */
int command_split(const char *line, char ***ret);

struct found_images {
	char **images;	     /* strv, as they are written */
	char **objects;	     /* strv: files of Kubernetes objects that are played */
	const char *program; /* "podman"; NULL: no container program is run */
	bool hidden;	     /* one is, in a way that is not followed: through a shell or compose */
};

/* What podman, docker, nerdctl, ctr, crictl, or a wrapper (k3s, sudo, nice…) with one of them would pull or run. -ENOMEM. */
int command_find_images(char *const *words, struct found_images *ret);
void found_images_done(struct found_images *images);
#define _cleanup_found_images_ _cleanup_(found_images_done)

#endif
