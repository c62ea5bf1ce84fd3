#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The first boot: an ISO, a blank disk, dead mirrors. The volume is made, everything is served, the layer is copied.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
check "the volume is mounted" mountpoint -q /run/larder/volume
run lsblk -rno PARTLABEL,LABEL,SERIAL,FSTYPE
check_output "its partition and its filesystem are named IMAGECACHE" '^IMAGECACHE IMAGECACHE +ext4'
guest_pulls_all
check "larder-sync.service ends" until_true 300 eval '[ "$(systemctl show -p ActiveState --value larder-sync.service)" = inactive ]'
check_equal "and it succeeded" "$(systemctl show -p Result --value larder-sync.service)" success
check "the layer lies on the volume" test -s /run/larder/volume/layers/000-iscsi-tools-v0.1.1.sqsh
check_equal "the medium was released" "$(grep -c ' /run/larder/media/' /proc/self/mounts)" 0
guest_larderd_dies
check "larder status" larder status
note "$(cat "$T/out")"
before=$(systemctl show -p InvocationID --value larder-boot.service) larderd=$(systemctl show -p InvocationID --value larderd.service)
check "the package is installed again" dpkg -i /opt/debs/larder_*.deb
check_equal "larder-boot was not restarted" "$(systemctl show -p InvocationID --value larder-boot.service)" "$before"
check "larderd was" test "$(systemctl show -p InvocationID --value larderd.service)" != "$larderd"
check "the registry answers" curl -sf --max-time 60 -o /dev/null http://127.0.0.1:3172/v2/
done_testing
