/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BOOT_BOOT_H
#define LARDER_BOOT_BOOT_H
/*
 * The pipeline: machine config → disk → volume → media and layers → runtimes → status file. It runs to its end whatever fails on
 * the way; a part that failed is a problem in the status, and is reported at once, in one line. A second run adopts what is
 * mounted.
 */
#include <jansson.h>
#include <stdbool.h>

#include "base/diag.h"

struct boot_options {
	const char *root;	 /* prefix of devices, layers and runtime settings; NULL: / */
	const char *config_root; /* prefix of the machine config and the files it names; NULL: / */
	/* The same, for when there is no machine config below config_root; NULL: then there is none. */
	const char *config_fallback;
	const char *run_dir;		 /* never NULL */
	const char *const *config_files; /* exactly these; NULL: the standard places */
	bool runtimes; /* write the settings of container runtimes? (not in an initramfs) */
	bool wait;     /* for a disk that is not there? (an initramfs leaves it to the next run) */

	/* Called as things happen: level as in syslog(3), event from base/events.h or NULL. Never NULL itself. */
	void (*report)(int level, const char *event, const char *message);
};

/*
 * Runs it. 0: the status says ready, degraded or disabled. -EINVAL: the machine config is invalid, nothing was touched. Another
 * error: not even the status could be written. *ret_status (may be NULL) is the status, set whenever one was made; the caller
 * owns the reference.
 */
int boot_run(const struct boot_options *options, json_t **ret_status, struct diag *diag);

/* Takes everything down: overlay, layers, media, volume, their loop devices. 0 if nothing was up. */
int boot_stop(const struct boot_options *options, struct diag *diag);

#endif
