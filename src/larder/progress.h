/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDER_PROGRESS_H
#define LARDER_LARDER_PROGRESS_H
/*
 * Progress of long work: on a terminal one line of standard error that is rewritten (what, bytes, rate, time left), under
 * systemd its STATUS; elsewhere nothing. It appears only after a second, so short work shows none.
 */
#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *verb; /* "writing" */
	bool terminal, notify;
	bool shown;
	int64_t started_ms, last_ms; /* CLOCK_MONOTONIC */
	int64_t rate_ms;	     /* since when the rate is counted */
	uint64_t last_done;
};

void progress_start(struct progress *p, const char *verb);

/* user is a struct progress: fits the progress callbacks of layers/. total 0: not known. done less than before: another thing. */
void progress_update(uint64_t done, uint64_t total, const char *what, void *user);

/* Is there anybody who sees it? */
bool progress_is_seen(const struct progress *p);

/* Takes the line away. */
void progress_end(struct progress *p);

#endif
