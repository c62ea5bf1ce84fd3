/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_RUNTIME_ROUTE_H
#define LARDER_RUNTIME_ROUTE_H
/*
 * Where a runtime will look for an image, in order: read from the runtime's own settings as they are on the machine, not from
 * what larder would write.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

struct runtime_route {
	const char *runtime;
	char *source;	  /* the file that decides; NULL: no file does */
	char **endpoints; /* strv, in the order they are asked */
	char *error;	  /* why nothing can be said; NULL: it can */
	char *note;	  /* NULL: none */
	bool cache_first;
	bool by_digest; /* the image is named by digest */
};

struct runtime_routes {
	struct runtime_route *routes; /* of the runtimes that are installed */
	size_t n_routes;
};

/* host "docker.io", repository "library/busybox". -ENOMEM, or the root directory cannot be opened. */
int runtime_routes(const char *root, const char *host, const char *repository, bool by_digest,
		   struct runtime_routes *ret, struct diag *diag);
void runtime_routes_done(struct runtime_routes *routes);
#define _cleanup_routes_ _cleanup_(runtime_routes_done)

/* Takes text; NULL is "out of memory". */
int route_add(struct runtime_route *route, char *text);

/* The registry itself, at the end: "https://registry-1.docker.io". */
int route_add_registry(struct runtime_route *route, const char *host);

#endif
