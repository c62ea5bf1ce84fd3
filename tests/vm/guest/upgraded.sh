#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# And after a reboot without the ISO it is still v0.1.4, from the volume.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
guest_one_version
GREETER=2.1 GREETING="hello from greeter, again" guest_pulls
done_testing
