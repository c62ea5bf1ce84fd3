#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# After whatever happened before: the volume is there, the layer was copied, everything is served and right.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
check "larder-sync.service ends" until_true 300 eval '[ "$(systemctl show -p ActiveState --value larder-sync.service)" = inactive ]'
check_equal "the status is ready" "$(status_field .state)" ready
check "the volume is mounted" mountpoint -q /run/larder/volume
check "the layer lies on the volume" test -s /run/larder/volume/layers/000-main-1.0.0.sqsh
guest_pulls
check "everything that is cached is right" larder images verify
done_testing
