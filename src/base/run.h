/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BASE_RUN_H
#define LARDER_BASE_RUN_H
/*
 * Child programs: by argv, never through a shell, with a time limit, and with what they said kept for the
 * error message. The child gets a default signal mask, a fixed system PATH, LC_ALL=C, and no
 * descriptor but 0, 1, 2 and those that are not close-on-exec.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

struct run_options {
	unsigned timeout_ms; /* 0: RUN_TIMEOUT_MS */
	int stdin_fd;	     /* 0 and below: /dev/null */
	int stdout_fd;	     /* 0 and below: kept in ret_output, or dropped */
	bool output_is_words; /* what went wrong is told on standard output, too: both go into the error message */
	const char *directory;	    /* working directory of the child; NULL: ours */
	const char *const *environ; /* "NAME=value" in addition, ends with NULL; may be NULL */
	bool ends_with_us; /* killed when the thread that waits for it ends, also by SIGKILL: not for what mends or makes a filesystem */
	void (*tick)(void *user); /* each RUN_TICK_MS while the child writes nothing; may be NULL */
	void *user;
	uint64_t success; /* bit N: exit status N (below 64) is success; 0 means only status 0 */
};

#define RUN_TIMEOUT_MS	   (10 * 60 * 1000)
#define RUN_TICK_MS	   200
#define RUN_OUTPUT_MAX	   (16 * 1024 * 1024) /* standard output kept; more is -EFBIG */
#define RUN_DIAGNOSTIC_MAX 4096		      /* standard error kept: the end of it */

/*
 * Runs argv[0] (looked up in PATH) and waits. Returns the exit status (0 or more) if options->success allows it, else
 * a negative errno with the program's own words in diag: -ENOENT no such program, -ETIMEDOUT killed at the
 * time limit, -ECHILD it failed. ret_output (may be NULL): standard output, NUL-terminated, owned by the caller.
 * options may be NULL.
 */
int run_program(const char *const argv[], const struct run_options *options, char **ret_output,
		struct diag *diag);

#endif
