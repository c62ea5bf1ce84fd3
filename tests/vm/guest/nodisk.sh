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
run status_problems
note "$(cat "$T/out")"
check_output "the problem is told" 'volume: no disk has the volume IMAGECACHE or has room for it'
check_equal "the status has the reason of the disk that does not match" \
	"$(status_field '.volume.disks[] | select(.disk == "/dev/vdb") | "\(.matched) \(.reason)"')" "false the selector does not match"
check_equal "and that of the full one" "$(status_field '.volume.disks[] | select(.disk == "/dev/vda") | "\(.matched) \(.reason)"')" \
	"true no room: only 2 MiB are free in one piece, and at least 500 MiB are needed"
journal_event NO_DISK_MATCHED
check_output "the journal has it by its MESSAGE_ID" '^volume: .'
run journalctl --boot --no-pager --quiet --unit larder-boot.service
check_output "the journal says why not the other disk" '/dev/vd[ab]: the selector does not match'
check_output "and why not the full one" '/dev/vd[ab]: .*(room|space|free)'
guest_pulls
done_testing
