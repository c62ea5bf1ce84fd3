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

# In another mount namespace nothing is done: larderd would not see it.
changes() { cat /proc/self/mounts; find /run/larder/volume/layers /run/larder/volume/.tmp; }
cp /run/larder/volume/layers/000-iscsi-tools-v0.1.1.sqsh /opt/vm/050-other.sqsh
before=$(changes)
check_status 1 "a layer cannot be added from another mount namespace" unshare --mount larder layers add /opt/vm/050-other.sqsh
check_output "the message says why, and what to do" 'this is another mount namespace than that of PID 1.*nsenter --target 1 --mount'
check_equal "nothing was copied or mounted" "$(changes)" "$before"
guest_stalls
done_testing
