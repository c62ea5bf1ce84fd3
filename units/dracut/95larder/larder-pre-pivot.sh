#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The image cache, before the root filesystem is entered. Whatever happens here, the boot goes on, and larder-boot.service in the
# real root takes over what is mounted below /run/larder. dracut sources this file: it must not exit.

larder_pre_pivot() {
	# The same switch as in the real root: systemctl enable larder.target
	[ -L "${NEWROOT:?}/etc/systemd/system/sysinit.target.wants/larder.target" ] || return 0

	# Where nobody has made the nodes that load them: /dev/loop-control, /dev/mapper/control.
	modprobe -qa loop dm_mod 2>/dev/null
	/usr/lib/larder/larder-boot --no-runtimes --no-wait --config-root="$NEWROOT" --config-fallback=/ ||
		echo "larder-boot ended with status $? in the initial RAM disk; larder-boot.service tries again" >&2
}
larder_pre_pivot
