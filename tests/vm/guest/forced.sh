#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The next poweroff stops no unit.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
guest_pulls
echo --force >/run/vm-poweroff
done_testing
