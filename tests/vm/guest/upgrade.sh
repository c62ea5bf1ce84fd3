#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The volume has main 1.0.0, the ISO brings 1.10.0: the higher version alone is active, and it is copied.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
check "the new version is copied" until_true 120 test -s /run/larder/volume/layers/000-main-1.10.0.sqsh
check "larder-sync.service ends" until_true 120 eval '[ "$(systemctl show -p ActiveState --value larder-sync.service)" = inactive ]'
guest_one_version
GREETER=2.1 GREETING="hello from greeter, again" guest_pulls
done_testing
