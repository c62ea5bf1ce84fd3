/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDER_STATUS_NOW_H
#define LARDER_LARDER_STATUS_NOW_H
/*
 * What "larder status" adds to the status file: what is asked of the registry at this moment, and what follows from the other
 * parts. Every function returns a new reference, or NULL when memory is out. larder-status.json(5) documents the keys.
 */
#include <jansson.h>

/*
 * {"address", "state": "ready" | "not ready" | "down", "detail", "hits", "misses", "images", "corrupt"}: the numbers only where the
 * registry gives them.
 */
json_t *status_registry(void);

/* {"state": "complete" | "pending" | "no volume", "pending": [names]}: active layers that are still read from media. */
json_t *status_copy(const json_t *status);

/* ["…"]: what to do, one sentence each, the most urgent first; [] if all is well. status has "registry" and "copy" already. */
json_t *status_advice(const json_t *status);

#endif
