/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_BOOT_AWAIT_H
#define LARDER_BOOT_AWAIT_H
/*
 * Waiting for what the machine brings up while it boots: a controller, an ISO in a virtual drive, a USB stick. Only when there is
 * nothing to serve otherwise; what comes later still joins, as a new generation.
 *
 * Worth ending for: the volume on a disk; room for it, unless a medium is expected to fill it; a trusted medium; a built-in layer.
 */
#include "boot/boot.h"
#include "config/machine_config.h"

/*
 * Returns as soon as one of them is there, at the latest after the volume's wait_timeout_ms. have_volume: there is an empty one, only a
 * medium or a layer counts. 0; -ETIMEDOUT; another error: waiting is not possible here.
 */
int boot_await(const struct boot_options *options, const char *config_root,
	       const struct machine_config *config, bool have_volume);

#endif
