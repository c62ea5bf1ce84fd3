/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LARDER_LOAD_CONFIG_H
#define LARDER_LARDER_LOAD_CONFIG_H
/* The machine config as the common options of a command say where it is. */
#include "config/machine_config.h"
#include "larder/command.h"

/* files: instead of --config and the standard places; NULL: those. As machine_config_load(). */
int load_config(const struct context *context, char *const *files, struct machine_config **ret,
		struct diag *diag);

#endif
