#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The disk came while larder-boot waited for it.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
check "the volume is mounted" mountpoint -q /run/larder/volume
check_equal "larder-boot made it before containerd started" \
	"$(journalctl --boot --quiet --no-pager --output=cat --unit larder-boot.service --unit containerd.service |
		grep -oE 'is the new IMAGECACHE|Started containerd' | head -1)" "is the new IMAGECACHE"
done_testing
