#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Disks that appear five seconds late: with nothing else to serve, larder-boot waits for them; with a built-in layer it does not, and the
# volume joins later, and so does a trusted medium, whose layer is copied; then one that comes alone, and another one that comes while
# larder-boot still looks at that. Two disks match: the first is taken, the other left alone. The first has a table that is not in order of
# its sectors.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
vm_begin
cache_images
cache_layer main 1.0.0 "$T/layers/000-main-1.0.0.sqsh"
cache_layer extra 1.0.0 "$T/iso/larder/010-extra-1.0.0.sqsh"
check "an ISO is made" cache_iso LARDER_LATE "$T/iso" "$T/larder.iso"
for name in alone meanwhile; do
	cache_layer $name 1.0.0 "$T/$name/larder/020-$name-1.0.0.sqsh"
	check "another ISO is made" cache_iso LARDER_LATE "$T/$name" "$T/$name.iso"
done

# Partition 1 lies behind 14 and 15, as in a cloud image; each is full of something.
disordered() { # IMAGE
	truncate -s 2G "$1"
	sfdisk -q "$1" <<-'TABLE'
		label: gpt
		1: start=409600, size=16MiB, name=root
		14: start=2048, size=4MiB, name=bios
		15: start=10240, size=16MiB, name=esp
	TABLE
	local at
	for at in '1 4' '5 16' '200 16'; do
		dd if=/dev/urandom of="$1" bs=1M seek="${at% *}" count="${at#* }" conv=notrunc status=none
	done
}
contents() { # IMAGE: of all three
	{ dd if="$1" bs=1M skip=1 count=20; dd if="$1" bs=1M skip=200 count=16; } 2>/dev/null | sha256sum
}
plug() { "$LARDER_SOURCE/tests/vm/lib/plug" "$V/qmp" "$@" >>"$T/plug" 2>&1 & cleanup kill $!; watchers+=("$!"); }
plugged() { # SCENARIO REGEX DRIVE=SERIAL…
	local scenario=$1 moment=$2
	shift 2
	: >"$T/plug"
	watchers=()
	plug "$V/console.$((vm_boots + 1))" "$moment" 5 "$@"
	plug "$V/result.$((vm_boots + 1))" 'plug in a medium alone' 0 d=ALONE
	plug "$V/result.$((vm_boots + 1))" 'plug in another meanwhile' 0 e=MEANWHILE
	vm_boot "$scenario" -qmp "unix:$V/qmp,server=on,wait=off" -drive "if=none,id=a,file=$T/a.img,format=raw" \
		-drive "if=none,id=b,file=$T/b.img,format=raw" -drive "if=none,id=c,file=$T/larder.iso,format=raw,readonly=on" \
		-drive "if=none,id=d,file=$T/alone.iso,format=raw,readonly=on" -drive "if=none,id=e,file=$T/meanwhile.iso,format=raw,readonly=on"
	kill "${watchers[@]}" 2>/dev/null
	check_equal "the disks were plugged in" "$(cat "$T/plug")" ""
}
verify_disks() { # BEFORE
	check_equal "the partitions that were there are untouched" "$(contents "$T/a.img")" "$1"
	check "the volume is on the first disk" test -n "$(disk_volume "$T/a.img")"
	check "and its filesystem is clean" test "$(disk_volume_state "$T/a.img")" = clean
	check "the other disk is still all zero" cmp --bytes=2147483648 "$T/b.img" /dev/zero
}

disordered "$T/a.img"
truncate -s 2G "$T/b.img"
before=$(contents "$T/a.img")
vm_machine late
vm_enable
cache_config 'disk.serial.startsWith("CACHE") && !disk.readonly' | cache_machine
plugged waited 'Starting larder-boot.service' a=CACHE-A b=CACHE-B
verify_disks "$before"

rm "$T"/[ab].img
disordered "$T/a.img"
truncate -s 2G "$T/b.img"
before=$(contents "$T/a.img")
vm_open
mkdir -p "$V/root/var/lib/larder/layers"
cp "$T/layers/000-main-1.0.0.sqsh" "$V/root/var/lib/larder/layers/"
cache_config 'disk.serial.startsWith("CACHE") && !disk.readonly' 'volume.label == "LARDER_LATE"' | cache_machine
vm_close
plugged joined 'Starting vm-agent.service' a=CACHE-A b=CACHE-B c=MEDIUM
verify_disks "$before"
done_testing
