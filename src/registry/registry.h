/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_REGISTRY_REGISTRY_H
#define LARDER_REGISTRY_REGISTRY_H
/*
 * The loopback registry: OCI distribution specification 1.1, read-only, over the sources of store/. It never answers
 * 401, 408 or 429, never sends bytes that were not verified in this boot, and answers a miss at once with 404, so that a
 * runtime goes on to its next mirror.
 *
 * One registry per event loop; everything is called on the loop's thread.
 */
#include <event2/event.h>

#include "base/diag.h"
#include "http/server.h"

struct registry;

struct registry_options {
	const char *run_dir; /* what is served if there are no caches; may be NULL if there are */
	char *const *caches; /* directories and squashfs images; NULL: none */
	const char *record;  /* file of what was verified; NULL: in memory only */
	struct http_limits limits;
	unsigned workers;  /* threads that hash; 0: one for each processor, at most 4 */
	bool verify_ahead; /* hash everything in the background */
	/* May be NULL. Called when what is served has changed: one line for people. */
	void (*status)(const char *text, void *user);
	void *user;
};

/* -EINVAL or -ENOENT with diag: a cache cannot be used. */
int registry_new(struct event_base *base, const struct registry_options *options,
		 struct registry **ret, struct diag *diag);
void registry_free(struct registry *r);
DEFINE_CLEANUP(struct registry *, registry_free);

/* Take the descriptor in any case: a listening socket; one connected socket. */
int registry_listen(struct registry *r, int fd);
int registry_adopt(struct registry *r, int fd);

/* Looks at the sources anew. With diag: a cache cannot be read any more; what was served before goes on. */
int registry_reload(struct registry *r, struct diag *diag);

/* Takes no new connections and ends the others after their running answer. */
void registry_drain(struct registry *r);
unsigned registry_connections(const struct registry *r);

#endif
