/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_MEDIA_H
#define LARDER_LAYERS_MEDIA_H
/*
 * Media: volumes that carry layers. Trusted are the one that the system was booted from and those that CacheMediaConfig.match
 * selects; only these are ever mounted, read-only, at RUN/media/N. Others that look like media (removable, or labelled LARDER…)
 * are listed, so that nobody wonders.
 */
#include "layers/layers.h"

/*
 * Adds to result->media. With mount false nothing is mounted, but what is mounted is found. A medium that cannot be mounted is a row
 * with its reason.
 */
int media_find(const struct layers_request *request, bool mount, struct layers_result *result,
	       struct diag *diag);

/* Unmounts the medium unless an active layer comes from it. */
int media_release(struct layers_result *result);

/* Unmounts all. -EBUSY as in generation_clean(). */
int media_stop(const char *run_dir);

#endif
