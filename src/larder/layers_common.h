/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDER_LAYERS_COMMON_H
#define LARDER_LARDER_LAYERS_COMMON_H
/* What the commands about layers and images share. */
#include "config/machine_config.h"
#include "larder/command.h"
#include "layers/layers.h"

/* Fills a request from the options. */
struct layers_request layers_request_for(const struct context *context,
					 const struct machine_config *config);

/* Options and at most max_arguments arguments; an exit status, or -1: go on. */
int parse_simple_arguments(struct context *context, const struct command *self, int argc,
			   char *argv[], int max_arguments);

/* Brings the parts of RUN/status.json that follow from the result up to date, if there is one. problem: what failed, in words; NULL. */
void update_status(const struct context *context, const struct layers_result *result,
		   const char *problem);

/* Takes the layers of these files, which are gone, out of RUN/status.json, if there is one. */
void forget_in_status(const struct context *context, char *const *deleted);

/*
 * Under systemd, mounts belong into the namespace of PID 1: a mount made in another one would not be seen by larderd and
 * would be gone with us. An exit status with the reason logged, or -1: go on.
 */
int refuse_other_namespace(void);

/* Notes and conflicts, one line each on standard error. */
void print_notes(const struct layers_result *result);

#endif
