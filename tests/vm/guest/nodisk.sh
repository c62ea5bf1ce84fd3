#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# No disk will do: one is full, the other does not match. The built-in layer is served.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
check_equal "the status is degraded" "$(status_field .state)" degraded
run larder status
note "$(cat "$T/out")"
check_output "the volume is missing" 'volume +missing'
run journalctl --boot --no-pager --quiet --unit larder-boot.service
check_output "the journal says why not the other disk" '/dev/vd[ab]: the selector does not match'
check_output "and why not the full one" '/dev/vd[ab]: .*(room|space|free)'
guest_pulls
done_testing
