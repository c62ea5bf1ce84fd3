#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The next boot, without the ISO: the same from the volume alone.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
check "the volume is mounted" mountpoint -q /run/larder/volume
guest_pulls
check "larder status" larder status
note "$(cat "$T/out")"
# The runtime holds nothing open; a stop while the system runs leaves nothing mounted, and a start brings all back.
check "larder.target stops" systemctl stop larder.target
check "larder-boot.service stops with it" until_true 300 eval '[ "$(systemctl show -p ActiveState --value larder-boot.service)" = inactive ]'
check_equal "nothing stays mounted" "$(grep ' /run/larder/' /proc/self/mounts)" ""
check_equal "no loop device stays attached" "$(losetup --list --noheadings | grep -c sqsh)" 0
check "larder.target starts" systemctl start larder.target
check "the registry answers again" until_true 300 curl -sf --max-time 30 -o /dev/null \
	"http://127.0.0.1:3172/v2/library/busybox/manifests/1.36?ns=docker.io"
done_testing
