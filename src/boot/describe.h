/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BOOT_DESCRIBE_H
#define LARDER_BOOT_DESCRIBE_H
/*
 * The parts of the status in JSON, made from what the modules return. Nothing is read but how full the mounted volume is. Every function returns a new
 * reference, or NULL when memory is out. larder-status.json(5) documents the keys.
 */
#include <jansson.h>

#include "config/machine_config.h"
#include "layers/layers.h"
#include "runtime/runtime.h"
#include "volume/volume.h"

/* {"state": "loaded" | "none" | "invalid", "files": […], "cache_enabled": …, "notes": […]} */
json_t *describe_config(const struct machine_config *config);

/* {"phase", "device", "disk", "mounted", "error", "adopted", "disks": [{"disk", "taken", "reason"}]} */
json_t *describe_volume(const struct volume_result *volume);

/* Sets "size" and "free", in bytes of the filesystem that is mounted there; if that cannot be told, nothing. */
void describe_space(json_t *volume, const char *mount_point);

/*
 * Puts what the layers came to into a status: the parts "layers", "media" (larder-layers(1) documents their keys) and "generation",
 * and the problems that follow from them, in place of those that were there. tell (may be NULL) hears of each
 * problem, and of media that are not trusted (not a problem). -ENOMEM.
 */
typedef void (*tell_fn)(int level, const char *event, const char *message, void *userdata);
int status_set_layers(json_t *status, const struct layers_result *result, tell_fn tell,
		      void *userdata);

/* [{"name", "state", "files": […], "hints": […], "detail"}] of the runtimes that are installed */
json_t *describe_runtimes(const struct runtime_result *result);

#endif
