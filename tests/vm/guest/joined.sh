#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The machine serves its built-in layer at once; the disk comes later, and the volume joins without a restart.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
larderd=$(systemctl show -p InvocationID --value larderd.service)
guest_pulls
check "the volume joins" until_true 300 mountpoint -q /run/larder/volume
check "the status is ready" until_true 300 eval '[ "$(status_field .state)" = ready ]'
check "the layer of the medium is copied" until_true 300 test -s /run/larder/volume/layers/010-extra-1.0.0.sqsh
from_volume() { # LAYER
	larder layers --output json | jq -e --arg n "$1" \
		'.layers[] | select(.name == $n and .state == "active" and (.path | startswith("/run/larder/volume/")))'
}
check "and active from there" until_true 300 from_volume extra

# A medium that comes when all is done; and one that comes when larder-boot has listed the disks and waits for its turn to look at them.
quiet() {
	[ "$(systemctl show -p ActiveState --value larder-sync.service)" = inactive ] && [ "$(systemctl show -p ActiveState --value larder-boot.service)" = active ] &&
		[ -z "$(systemctl list-units --plain --no-legend 'larder-medium@*')" ]
}
check "nothing of larder is busy" until_true 300 quiet
exec 5>/run/larder/lock
flock 5
note "plug in a medium alone"
check "larder-boot looks again" until_true 300 grep -q -- '-> FLOCK' /proc/locks
check "and is not done" test "$(systemctl show -p ActiveState --value larder-boot.service)" = reloading
note "plug in another meanwhile"
check "udev knows the other one" until_true 300 test -e /dev/disk/by-id/virtio-MEANWHILE
udevadm settle --timeout=300
sleep 2
check "larder-boot is still not done" test "$(systemctl show -p ActiveState --value larder-boot.service)" = reloading
exec 5>&-
check "the layer of the first one is copied" until_true 300 from_volume alone
check "and so is that of the other one" until_true 300 from_volume meanwhile
check "all of it ends" until_true 300 quiet
run larder layers
note "$(cat "$T/out")"
check_equal "larderd was not restarted" "$(systemctl show -p InvocationID --value larderd.service)" "$larderd"
check "the registry answers" curl -sf --max-time 60 -o /dev/null "http://127.0.0.1:3172/v2/library/busybox/manifests/1.36?ns=docker.io"
run systemctl --failed --no-legend --plain
check_equal "no failed unit" "$(cat "$T/stdout")" ""
done_testing
