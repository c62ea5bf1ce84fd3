#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# After the machine was switched off while a layer was copied: nothing failed then, and the copy goes on where it was.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
last() { journalctl --boot=-1 --no-pager --quiet --output=cat "$@"; }
run last --grep 'Failed to (stop|unmount)|Failed with result|ordering cycle'
check_equal "no unit failed when the machine was switched off" "$(cat "$T/stdout")" ""
[ -z "$(cat "$T/stdout")" ] || note "$(last --unit larder-boot.service --unit larderd.service --unit larder-sync.service --output=short-monotonic | tail -30)"
run last --grep "timed out|Processes still around"
check_equal "nothing took too long to stop" "$(cat "$T/stdout")" ""
run last --unit larder-sync.service
check_output "larder-sync was stopped" 'Stopped larder-sync.service|larder-sync.service: Deactivated successfully'
part=$(find /run/larder/volume/.tmp -name '*.part' -size +1M)
check_equal "the part is there" "$(stat -c %i "$part")" "$(cat /opt/vm/part)"
touch /run/copy
check "the layer is copied" until_true 300 test -s /run/larder/volume/layers/000-main-1.0.0.sqsh
check_equal "it is the part, with the rest of it" "$(stat -c %i /run/larder/volume/layers/000-main-1.0.0.sqsh)" "$(cat /opt/vm/part)"
check "larder-sync.service ends" until_true 300 eval '[ "$(systemctl show -p ActiveState --value larder-sync.service)" = inactive ]'
check_equal "and it succeeded" "$(systemctl show -p Result --value larder-sync.service)" success
check "the cache tree is copied, too" test -s /run/larder/volume/manifests/ghcr.io/acme/talos/reference/1
check_equal "the medium is released" "$(grep -c ' /run/larder/media/' /proc/self/mounts)" 0
check "and its image is pulled from the volume" pull ghcr.io/acme/talos:1
check "everything that is cached is right" larder images verify
check "larder status" larder status
guest_pulls
done_testing
