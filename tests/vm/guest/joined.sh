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
extra_from_volume() {
	larder layers --output json |
		jq -e '.layers[] | select(.name == "extra" and .state == "active" and (.path | startswith("/run/larder/volume/")))'
}
check "and active from there" until_true 300 extra_from_volume
run larder layers
note "$(cat "$T/out")"
check_equal "larderd was not restarted" "$(systemctl show -p InvocationID --value larderd.service)" "$larderd"
check "the registry answers" curl -sf --max-time 60 -o /dev/null "http://127.0.0.1:3172/v2/library/busybox/manifests/1.36?ns=docker.io"
run systemctl --failed --no-legend --plain
check_equal "no failed unit" "$(cat "$T/stdout")" ""
done_testing
