#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A boot that looks at disks before udev has been at them: a selector that asks for what udev adds waits for it, so that a disk that it
# keeps is not taken for want of knowledge; a selector that does not ask waits for nothing. And what counts as news later.
. "$LARDER_SOURCE/tests/lib/tap.sh"
in_namespaces "$@"
. "$LARDER_SOURCE/tests/lib/disks.sh"
. "$LARDER_SOURCE/tests/lib/machine.sh"
requires losetup mkfs.ext4 jq

size=$(unique_size 1)
disk_new "$size"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/udev/data
number=$(cat "/sys/block/${disk##*/}/dev")
cleanup umount "$T/run/volume"

# udev has been at every other disk; what others attach meanwhile, too.
others() {
	local dev
	for dev in $(cat /sys/block/*/dev); do
		[ "$dev" = "$number" ] || : >"/run/udev/data/b$dev"
	done
}
others
(while sleep 0.2; do others; done 2>/dev/null) &
cleanup kill $!

config() { # SELECTOR
	cat >"$T/machine.yaml" <<-YAML
		machine: {features: {imageCache: {localEnabled: true}}}
		---
		apiVersion: v1alpha1
		kind: VolumeConfig
		name: IMAGECACHE
		provisioning: {diskSelector: {match: 'disk.size == ${size}u && $1'}, minSize: 100MiB, waitTimeout: 0s}
	YAML
}
boot() { "$LARDER_BUILD/src/larder-boot/larder-boot" --config "$T/machine.yaml" --run-dir "$T/run" --no-runtimes; }
untouched() { cmp --bytes="$size" "$disk_file" /dev/zero; }

note "udev comes late, and knows the serial number that the selector leaves alone"
: >/run/udev/control
config 'disk.serial != "KEEP"'
boot >"$T/late" 2>&1 &
late=$!
sleep 2
check "the boot waits" kill -0 $late
check "and the disk is untouched" untouched
echo E:ID_SERIAL_SHORT=KEEP >"/run/udev/data/b$number"
wait $late
check "the disk that is to be kept is untouched" untouched
check_equal "the volume is missing" "$(jq -r .volume.phase "$T/run/status.json")" missing
check_equal "the last event before the look is noted" "$(grep -cE '^LARDER_LOOKED=[0-9]+$' "$T/run/looked")" 1
check "which is none of the future" test "$(sed 's/.*=//' "$T/run/looked")" -le "$(cat /sys/kernel/uevent_seqnum)"

note "udev does not come at all"
rm "/run/udev/data/b$number"
run boot
check_output "after some time the boot goes on, and says so" "udev did not tell within 30 s what it knows of $disk"
check_output "and of the disk that it is not used" "$disk.*udev did not tell within 30 s what it knows of it, and the selector asks for that"
check "the disk that may be the one to keep is untouched" untouched
check_equal "the volume is missing" "$(jq -r .volume.phase "$T/run/status.json")" missing

note "udev does not come, and nothing asks for it"
config 'disk.model != "KEEP"'
run boot
check_equal "the volume is made" "$(jq -r .volume.phase "$T/run/status.json")" ready
check "larder stop" larder stop --run-dir "$T/run"

note "no udevd runs, and the selector asks for what it would know"
rm /run/udev/control
config 'disk.serial != "KEEP"'
run boot
check_equal "the volume is used" "$(jq -r .volume.phase "$T/run/status.json")" ready
check_no_output "without waiting for udev" 'udev did not tell'
check "larder stop" larder stop --run-dir "$T/run"
done_testing
