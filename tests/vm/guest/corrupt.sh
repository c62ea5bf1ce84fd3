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
run status_problems
note "$(cat "$T/out")"
check_output "the problem of the volume is told in the words of e2fsck" 'volume: /dev/vda1: cannot repair the filesystem: .*e2fsck.*'
check_output "all of them" 'UNEXPECTED INCONSISTENCY'
check_output "and that of the layer" 'layers: layer .*/001-broken-1.0.0.sqsh is broken: it is truncated'
check_equal "the broken layer is broken" "$(layer_field broken state)" broken
check "for a reason" test -n "$(layer_field broken reason)"
note "$(layer_field broken reason)"
check_equal "it is not mounted" "$(layer_field broken mounted)" null
check_equal "the sound one is active" "$(layer_field main state)" active
journal_event VOLUME_FAILED
check_output "the journal has the volume's failure by its MESSAGE_ID" 'volume: /dev/vda1: cannot repair the filesystem: .*e2fsck'
journal_event LAYER_BROKEN
check_output "and the layer's" '001-broken-1.0.0.sqsh is broken: it is truncated'
journal_event BOOT_FINISHED
check_output "and what the boot came to" 'the image cache is degraded'
check_equal "the corrupt volume is not mounted" "$(grep -c ' /run/larder/volume ' /proc/self/mounts)" 0
guest_pulls

# A blob that is not what its digest says is found ahead of need.
corrupt_known() { journal_event BLOB_CORRUPT; grep -q . "$T/stdout"; }
until_true 300 corrupt_known
check_output "the journal has a corrupt blob by its MESSAGE_ID, with its digest" 'the blob sha256:[0-9a-f]{64} has other bytes than its digest says'
done_testing
