#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Disks under a kernel that finds partitions itself, with udevd beside: an encrypted volume on a read-only disk; growth of a plain one
# that is mounted; two provisioners at once; encrypted volumes that were never finished; disks that are paths of another device; a disk
# that is pulled out while its filesystem is being made, and put in again.
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

note "The power was cut while an encrypted volume was made"
half=$(readlink -f /dev/disk/by-id/virtio-HALF)
neighbours() {
	for n in 1 3; do dd if="$half$n" bs=1M iflag=direct status=none | sha256sum; done
	sfdisk --dump "$half" | grep -v "^${half}2 "
}
# Below the provisional name, standard input and then zeros, or what FILE gives without end; no FILE: what is there stays.
cut_off() { # [FILE]
	sfdisk -q --no-reread --no-tell-kernel --part-label "$half" 2 IMAGECACHE.new
	# udev reads the table anew when it sees that, and the partition is gone for a moment.
	sleep 1
	udevadm settle --timeout=60
	until_true 20 test -b "${half}2"
	[ $# = 0 ] || cat - "$1" 2>/dev/null | dd of="${half}2" bs=1M count=32 iflag=fullblock conv=fsync,nocreat status=none
}
made() { # WHAT-WAS-THERE DEVICE TYPE
	check "$1: the volume is made" provision --output json
	check_equal "$1: anew, and to its end" "$(jq -r '"\(.phase) \(.plan.action) \(.formatted) \(.device)"' "$T/stdout")" "ready finish true $2"
	check_equal "$1: it is used" "$(cat /run/larder/volume/format)" 1
	check "$1: larder stop" larder stop
	check_equal "$1: it has its name" "$(sfdisk --part-label "$half" 2)" IMAGECACHE
	check_equal "$1: and one type" "$(blkid -p -s TYPE -o value "${half}2")" "$3"
	check_equal "$1: its neighbours are what they were" "$(neighbours)" "$before"
}
encrypted_config HALF "slot: 3, static: {passphrase: \"$passphrase\"}"
before=$(neighbours)
made "nothing" /dev/mapper/larder-volume crypto_LUKS
dd if="${half}2" of="$T/header" bs=1M count=16 iflag=direct status=none # the rest is data
cut_off
made "a header and a filesystem" /dev/mapper/larder-volume crypto_LUKS
cut_off /dev/zero <"$T/header"
made "a header and no filesystem" /dev/mapper/larder-volume crypto_LUKS
head -c 16K "$T/header" | cut_off /dev/urandom # its copy would follow
made "the first half of a header, and garbage" /dev/mapper/larder-volume crypto_LUKS
cut_off /dev/zero <"$T/header"
encrypted_config HALF "slot: 5, static: {passphrase: another one}"
made "a header that the key does not open" /dev/mapper/larder-volume crypto_LUKS
check_equal "it has the key of the config and no other" "$(slots "${half}2")" 5
cut_off
plain_config HALF
made "a header, and the config does not encrypt any more" "${half}2" ext4

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
