#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The image cache, before the root filesystem is entered. Whatever happens here, the boot goes on, and larder-boot.service in the
# real root takes over what is mounted below /run/larder. dracut sources this file: it must not exit.

larder_pre_pivot() {
	# The same switch as in the real root: systemctl enable larder.target
	[ -L "${NEWROOT:?}/etc/systemd/system/sysinit.target.wants/larder.target" ] || return 0

	config_root=$NEWROOT
	[ -e "$NEWROOT/etc/larder/machine.yaml" ] || [ -e "$NEWROOT/usr/lib/larder/machine.yaml" ] || config_root=/
	/usr/lib/larder/larder-boot --no-runtimes --config-root="$config_root" || echo "larder-boot in the initial RAM disk ended with status $?" >&2
}
larder_pre_pivot
