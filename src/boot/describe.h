/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BOOT_DESCRIBE_H
#define LARDER_BOOT_DESCRIBE_H
/*
 * The parts of the status in JSON, made from what the modules return. Pure: nothing is read. Every function returns a new
 * reference, or NULL when memory is out. larder-status.json(5) documents the keys.
 */
#include <jansson.h>

#include "config/machine_config.h"
#include "layers/layers.h"
#include "runtime/runtime.h"
#include "volume/volume.h"

/* {"state": "loaded" | "none" | "invalid", "cache_enabled": …, "notes": […]} */
json_t *describe_config(const struct machine_config *config);

/* {"phase", "device", "disk", "mounted", "error", "adopted", "disks": [{"disk", "taken", "reason"}]} */
json_t *describe_volume(const struct volume_result *volume);

/* [{"title", "name", "version", "state", "origin", "path", "mount", "size", "images", "detail"}], in the order of the overlay */
json_t *describe_layers(const struct layers_result *result);

/* [{"device", "label", "filesystem", "state": "used" | "failed" | "untrusted", "mount", "detail"}] */
json_t *describe_media(const struct layers_result *result);

/* [{"name", "state", "files": […], "hints": […], "detail"}] of the runtimes that are installed */
json_t *describe_runtimes(const struct runtime_result *result);

#endif
