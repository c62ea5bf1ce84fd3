/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BOOT_STATUS_H
#define LARDER_BOOT_STATUS_H
/*
 * The status file, RUN/status.json: what every part of the pipeline came to. Written by the boot, brought up to date by what
 * changes a part later (layers sync), read by "larder status". Replaced as a whole, so a reader never sees half of one.
 *
 *	{"format": 1, "state": "ready", "started": "2026-11-22T08:00:00Z", "duration_ms": 41,
 *	 "config": {…}, "volume": {…}, "media": […], "layers": […], "runtimes": […],
 *	 "problems": [{"part": "volume", "message": "no disk matched …"}]}
 *
 * state is "disabled" (no config, or the cache is not enabled), "failed" (the config is invalid), else "degraded" when there are
 * problems and "ready" when there are none. larder-status.json(5) describes every key; keys are only ever added.
 */
#include <jansson.h>

#include "base/cleanup.h"
#include "base/diag.h"

#define STATUS_FORMAT	 1
#define STATUS_BYTES_MAX (16 * 1024 * 1024)

/* A status with no parts, no problems, the current time and state "ready". NULL: out of memory. */
json_t *status_new(void);

/* Replaces a part ("volume"); takes value, even on failure. -ENOMEM. */
int status_set(json_t *status, const char *part, json_t *value);

/*
 * Adds a problem of a part: one sentence with what was tried, what was found and what to do. The state becomes
 * "degraded" unless it is worse already.
 */
int status_add_problem(json_t *status, const char *part, const char *message);

/* Takes away the problems of a part that is about to be tried anew, and settles the state again. */
void status_clear_problems(json_t *status, const char *part);

/* "disabled" or "failed". */
int status_set_state(json_t *status, const char *state);

/* Writes RUN/status.json, creating the run directory where it is not there. */
int status_write(const json_t *status, const char *run_dir, struct diag *diag);

/* Reads it. -ENOENT: larder boot has not run. -EINVAL with diag: not a status, or of a newer format. */
int status_read(const char *run_dir, json_t **ret, struct diag *diag);

#endif
