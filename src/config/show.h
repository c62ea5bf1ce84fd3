/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CONFIG_SHOW_H
#define LARDER_CONFIG_SHOW_H
/*
 * The effective machine config, value by value, with where each came from: what "larder config show" prints. Defaults are
 * listed too, with an origin without a file. Secrets are never in it.
 */
#include "config/machine_config.h"

#define CONFIG_REDACTED "********"

enum config_value_kind {
	CONFIG_VALUE_TEXT,
	CONFIG_VALUE_BOOL,
	CONFIG_VALUE_NUMBER,
};

struct config_value {
	char *document; /* "VolumeConfig IMAGECACHE" */
	char *key;	/* "provisioning.diskSelector.match" */
	char *value;
	enum config_value_kind kind;
	struct origin origin;
};

struct config_values {
	struct config_value *values;
	size_t n_values;
};

/* -ENOMEM. The result points into c. */
int machine_config_values(const struct machine_config *c, struct config_values *ret);
void config_values_done(struct config_values *values);
#define _cleanup_config_values_ _cleanup_(config_values_done)

#endif
