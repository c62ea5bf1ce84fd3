#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A corrupt volume and a broken layer: the sound layer is served.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
check_equal "the status is degraded" "$(status_field .state)" degraded
run larder status
note "$(cat "$T/out")"
check_output "it says that the volume failed" 'volume +failed'
check_output "and names the broken layer" 'broken'
check_equal "the corrupt volume is not mounted" "$(grep -c ' /run/larder/volume ' /proc/self/mounts)" 0
guest_pulls
done_testing
