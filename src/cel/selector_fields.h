/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_CEL_SELECTOR_FIELDS_H
#define LARDER_CEL_SELECTOR_FIELDS_H
/*
 * The environments of selectors: variables, constants, functions, and the fields of disks and volumes, named as in Talos. Inside of cel, and for its
 * test program; the rest of larder uses cel/selector.h.
 */
#include "cel/cel.h"
#include "cel/selector.h"

extern const struct cel_object_type selector_disk_type, selector_volume_type;

/* The variables of both environments, in this order. */
enum selector_variable {
	SELECTOR_VAR_DISK,
	SELECTOR_VAR_SYSTEM_DISK,
	SELECTOR_VAR_VOLUME, /* of volume selectors only */
	SELECTOR_N_VARIABLES,
};

const struct cel_env *selector_env(enum selector_kind kind);

#endif
