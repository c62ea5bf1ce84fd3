#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Waiting for a disk: found at once, found when it comes, not found in time; and woken by the event, not by the clock.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires_root
requires losetup

# A size that no other device here has.
size=$((9000000 / 512 * 512 + 512 * ($$ % 1000)))
truncate -s $size "$T/disk"

check_status 1 "a disk that does not come" wait-disk 100 $size
check_output "is said to be missing" '^no such disk came up within 0\.1 s$'
check_status 1 "also without any patience" wait-disk 0 $size

wait-disk 60000 $size >"$T/waiting" &
waiting=$!
sleep 0.3
device=$(attach_loop "$T/disk") || { kill $waiting; fail "losetup"; done_testing; }
cleanup losetup -d "$device"
wait $waiting
check_equal "a disk that comes later ends the wait" "$?: $(cat "$T/waiting")" "0: there"
check_status 0 "a disk that is there needs none" wait-disk 0 $size

wait-disk --event 60000 >"$T/event" &
waiting=$!
until_true 20 grep -q . "$T/event"
if grep -q '^no events' "$T/event"; then
	echo "ok $((++tap_count)) - events # SKIP the kernel gives none here"
else
	truncate -s $((size + 512)) "$T/disk"
	losetup -c "$device"
	wait $waiting
	check_equal "a device that changes is an event" "$(tail -1 "$T/event")" event
fi

# Waiting is for boots: who types a command sees that the disk is missing.
printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\nprovisioning: {diskSelector: {match: disk.size == 4711u}, waitTimeout: 1h}\n' >"$T/config.yaml"
check_status 1 "larder volume provision does not wait" timeout 120 larder volume provision --config "$T/config.yaml" --run-dir "$T/run"
check_output "but says that no disk is there" "^larder: no disk has the volume IMAGECACHE or has room for it"
done_testing
