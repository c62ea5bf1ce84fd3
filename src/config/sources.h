/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_SOURCES_H
#define LARDER_CONFIG_SOURCES_H
/* Which files the machine config is read from, and in which order. */
#include "config/machine_config.h"

struct config_source {
	char *path;    /* as it is opened and shown */
	bool required; /* was asked for by name */
};

struct config_source_list {
	struct config_source *sources;
	size_t n_sources;
};

/*
 * /usr/lib/larder/machine.yaml, /etc/larder/machine.yaml, /etc/larder/machine.yaml.d/?*.yaml in natural order,
 * RUN/machine.yaml, larder.config= of the kernel; or exactly sources->files. -E2BIG: more than CONFIG_FILES_MAX.
 */
int config_sources_list(const struct config_sources *sources, struct config_source_list *ret,
			struct diag *diag);
void config_source_list_done(struct config_source_list *list);

#endif
