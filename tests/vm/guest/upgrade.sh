#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The volume has iscsi-tools v0.1.1, the ISO brings v0.1.4: the higher version alone is active, and it is copied.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
check "the new version is copied" until_true 300 test -s /run/larder/volume/layers/000-iscsi-tools-v0.1.4.sqsh
check "larder-sync.service ends" until_true 300 eval '[ "$(systemctl show -p ActiveState --value larder-sync.service)" = inactive ]'
guest_one_version
GREETER=2.1 GREETING="hello from greeter, again" guest_pulls
done_testing
