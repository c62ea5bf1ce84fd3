/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_REGISTRY_METRICS_H
#define LARDER_REGISTRY_METRICS_H
/*
 * What is counted, and its text in the Prometheus exposition format 0.0.4. A plain struct without pointers to elsewhere;
 * all on the loop's thread.
 */
#include "http/server.h"
#include "registry/route.h"

#define METRICS_REGISTRIES_MAX                                                                     \
	64 /* of which hits and misses are counted by name; others are "other" */
#define METRICS_BUCKETS 12
#define METRICS_METHODS 3
#define METRICS_CODES	16

struct metrics_registry {
	char name[REFERENCE_REGISTRY_MAX + 1];
	uint64_t hits, misses;
};

struct metrics {
	uint64_t requests[ROUTE_KINDS][METRICS_METHODS][METRICS_CODES];
	uint64_t durations[ROUTE_KINDS][METRICS_BUCKETS];
	uint64_t duration_ns[ROUTE_KINDS];
	uint64_t body_bytes;
	uint64_t incomplete;
	struct metrics_registry *registries[METRICS_REGISTRIES_MAX];
	size_t n_registries;
	uint64_t other_misses;
	uint64_t verified, corrupt; /* contents */
	uint64_t verified_bytes;
	/* What the last walk over the store found. */
	uint64_t images, manifests, blobs, stored_bytes;
};

void metrics_done(struct metrics *m);

void metrics_count(struct metrics *m, enum route_kind kind, enum http_method method,
		   const struct http_outcome *outcome);

/* Is this registry counted by name already? */
bool metrics_know(struct metrics *m, const char *registry);

/* known: the registry is one that the store has; others are not counted by name, so that requests cannot fill memory. */
void metrics_lookup(struct metrics *m, const char *registry, bool known, bool hit);

/* The text, the caller's; NULL: out of memory. connections: open at this moment. */
char *metrics_text(const struct metrics *m, unsigned connections, size_t *ret_size);

#endif
