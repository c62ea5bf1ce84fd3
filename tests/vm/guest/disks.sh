#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Disks under a kernel that finds partitions itself, with udevd beside: an encrypted volume on a read-only disk; growth of a plain one
# that is mounted; two provisioners at once; a disk that is pulled out while its filesystem is being made, and put in again; disks that are
# paths of another device.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
. "$LARDER_SOURCE/tests/vm/guest/encryption.sh"
guest_healthy
take_over
check_equal "the encrypted volume on a read-only disk is ready" \
	"$(status_field '"\(.state) \(.volume.phase) \(.volume.device) \(.volume.read_only)"')" "ready ready /dev/mapper/larder-volume true"
check_equal "mounted read-only" "$(findmnt -no OPTIONS /run/larder/volume | cut -d, -f1)" ro
check_equal "with what is in it" "$(cat /run/larder/volume/state/kept)" "$(cat /opt/vm/marker)"
check "an image is served" curl -sf --max-time 60 -o /dev/null "http://127.0.0.1:3172/v2/library/busybox/manifests/1.36?ns=docker.io"
check "larder stop" larder stop

note "Two provisioners at once"
plain_config GROW "minSize: 100MiB" "maxSize: 300MiB"
provision --output json >"$T/first" 2>&1 &
first=$!
provision --output json >"$T/second" 2>&1 &
second=$!
wait "$first"
one=$?
wait "$second"
check_equal "both end well" "$one $?" "0 0"
check_equal "one of them formatted it" "$(cat "$T/first" "$T/second" | grep -c '"formatted": true')" 1

note "Growth of what is mounted"
echo kept >/run/larder/volume/state/kept
plain_config GROW "minSize: 100MiB" "maxSize: 1500MiB" "grow: true"
exec 6</run/larder/volume/state/kept
check "it grows while it is mounted and in use" provision --output json
exec 6<&-
check_equal "it was not unmounted for that" "$(jq -r '"\(.adopted) \(.grown) \(.warning)"' "$T/stdout")" "true true null"
check_equal "the partition" "$(blockdev --getsize64 "$(volume_on GROW)")" $((1500 << 20))
check_equal "the filesystem" "$(dumpe2fs -h "$(volume_on GROW)" 2>/dev/null | awk '/^Block count/ {n=$3} /^Block size/ {print n*$3}')" $((1500 << 20))
check_equal "with what is in it" "$(cat /run/larder/volume/state/kept)" kept
check "larder stop" larder stop
check "the filesystem is sound" e2fsck -fn "$(volume_on GROW)"

note "Paths: the kernel made another device of a whole disk"
for serial in TABLE BLANK; do
	path=$(readlink -f "/dev/disk/by-id/virtio-$serial")
	check "a device over the disk $serial" dmsetup create path --table "0 $(blockdev --getsz "$path") linear $path 0"
	before=$(sha256sum <"$path")
	plain_config "$serial" "minSize: 100MiB"
	check_status 1 "it is refused" provision
	check_output "and said what uses it" "in use: .* but dm-[0-9]+ uses the whole disk"
	check_equal "and is what it was" "$(sha256sum <"$path")" "$before"
	check "without that device" dmsetup remove path
	check "it is taken" provision
	check "larder stop" larder stop
done

note "A disk that is pulled out"
plain_config SLOW "minSize: 100MiB" "maxSize: 1GiB"
pulled=$(readlink -f /dev/disk/by-id/scsi-*SLOW)
(provision --output json >"$T/pulled.out" 2>"$T/pulled"; echo "status $?" >>"$T/pulled") &
check "the filesystem is being made" until_true 60 grep -q 'make an ext4' "$T/pulled"
sleep 1
check "and not done" eval '! grep -q status "$T/pulled"'
note "pull the disk out"
check "the disk is gone" until_true 60 eval '[ ! -e "$pulled" ]'
check "provision ends" until_true 100 grep -q '^status' "$T/pulled"
cp "$T/pulled" "$T/out"
check_output "with an error" '^status 1'
check_output "that names the device, the operation and the program's own words" "$pulled.?1: cannot make the filesystem: mkfs.ext4 .*(rror|size)"
check_equal "the status says the same" "$(jq -r .phase "$T/pulled.out")" failed
check_equal "nothing is mounted" "$(grep -c ' /run/larder/volume ' /proc/self/mounts)" 0
check_status 1 "without the disk there is no volume" provision
note "put the disk in"
check "the disk is there" until_true 60 test -e /dev/disk/by-id/virtio-SLOW
check "the next run completes the volume" provision --output json
check_equal "which was never finished" "$(jq -r '"\(.phase) \(.plan.action)"' "$T/stdout")" "ready finish"
check "larder stop" larder stop
check "the filesystem is sound" e2fsck -fn "$(volume_on SLOW)"
done_testing
