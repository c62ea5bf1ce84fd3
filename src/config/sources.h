/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_SOURCES_H
#define LARDER_CONFIG_SOURCES_H
/* Which files the machine config is read from, and in which order. */
#include "config/machine_config.h"

struct config_source {
	char *path; /* as it is shown */
	const char *
		root; /* borrowed; links of the file are followed inside of it, never out of it. NULL: / */
	const char *name; /* the end of path: the file inside of root */
	bool required;	  /* was asked for by name */
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

/*
 * Opens it for reading, without waiting for what is in its place (a FIFO). Returns the descriptor, or -ENOENT: it is not there,
 * and need not be. Other errors have a diag; -EINVAL: it was asked for by name and is not there, or a symbolic link at it, or at
 * its directory, leads nowhere.
 */
int config_source_open(const struct config_source *source, int flags, struct diag *diag);

#endif
