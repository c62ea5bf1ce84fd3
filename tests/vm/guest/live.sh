#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The system runs from the medium that carries the cache.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
check_equal "the root is an overlay, nothing of it is on a disk" "$(findmnt -no FSTYPE /)" overlay
check_equal "the medium is mounted where live-boot mounts it" "$(findmnt -no SOURCE /run/live/medium)" /dev/sr0
check_equal "no line of the config trusts a medium" "$(grep -c CacheMediaConfig /etc/larder/machine.yaml)" 0
check_equal "the status is ready" "$(status_field .state)" ready
check "the volume is mounted" mountpoint -q /run/larder/volume
run larder status
note "$(cat "$T/out")"
check_equal "the medium the system was booted from is trusted" \
	"$(status_field '.media[] | select(.device == "/dev/sr0") | .trusted')" true
check_equal "the other is not" "$(status_field '.media[] | select(.label == "LARDER_FOREIGN") | .trusted')" false

# Two blank disks match.
cache=$(readlink -f /dev/disk/by-id/virtio-CACHE)
spare=$(readlink -f /dev/disk/by-id/virtio-SPARE)
check_equal "the volume is on the first disk in the order of names" "$(status_field .volume.device)" "${cache}1"
check_equal "the status says why the other was not taken" \
	"$(status_field ".volume.disks[] | select(.disk == \"$spare\") | \"\(.matched) \(.reason)\"")" "true not needed: another disk is taken"
check_equal "the first has sectors of 4096 bytes, and prefers pieces of 1 MiB" \
	"$(blockdev --getss --getpbsz --getioopt "$cache" | xargs)" "4096 4096 1048576"
run sfdisk --dump "$cache"
note "$(cat "$T/stdout")"
check_output "its table counts in them" '^sector-size: 4096$'
read -r start size < <(sed -n 's/.*start= *\([0-9]*\), size= *\([0-9]*\),.*name="IMAGECACHE".*/\1 \2/p' "$T/stdout")
check_equal "the volume starts and ends at a multiple of 1 MiB" "$((start > 0)) $((start % 256)) $((size % 256))" "1 0 0"
guest_pulls_all
check "larder-sync.service ends" until_true 300 eval '[ "$(systemctl show -p ActiveState --value larder-sync.service)" = inactive ]'
check_equal "and it succeeded" "$(systemctl show -p Result --value larder-sync.service)" success
check "the layer lies on the volume" test -s /run/larder/volume/layers/000-main-1.0.0.sqsh
check_equal "and no other" "$(find /run/larder/volume/layers -name '*.sqsh' | wc -l)" 1
check_equal "what was not trusted is served to nobody" "$(larder layers --output json | jq -r '[.layers[] | select(.name == "foreign")] | length')" 0
done_testing
