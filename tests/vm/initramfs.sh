#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cache is set up before the root filesystem is entered: by initramfs-tools, and by dracut. larder-boot.service in the real root
# takes over what is mounted.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
vm_begin
cache_images
cache_layer main 1.0.0 "$T/iso/larder/000-main-1.0.0.sqsh"
check "an ISO is made" cache_iso LARDER_1 "$T/iso" "$T/larder.iso"
mapfile -t cdrom < <(vm_cdrom "$T/larder.iso")

initrd_size() { stat -c %s "$V"/root/boot/initrd.img-*; }

for maker in initramfs dracut; do
	vm_machine "$maker"
	vm_enable
	cache_config 'disk.serial == "CACHE" && !disk.readonly' 'volume.label.startsWith("LARDER_")' | cache_machine
	before=$(initrd_size)
	check "larder-$maker is installed" vm_install "$V/root" "larder-$maker"
	check_output "it says what it adds" 'larder: adds [0-9]+ KiB'
	note "$(grep -a 'larder: adds' "$T/out")"
	[ "$maker" = dracut ] || note "the initial RAM disk: $before bytes without larder, $(initrd_size) with it, compressed"
	cp "$V"/root/boot/initrd.img-* "$V/initrd"
	truncate -s 2G "$T/$maker.img"
	mapfile -t disk < <(vm_disk "$T/$maker.img" CACHE)
	VM_INITRD=$V/initrd vm_boot initrd "${disk[@]}" "${cdrom[@]}"
	check_equal "the volume was unmounted before the power went" "$(disk_volume_state "$T/$maker.img")" clean
	vm_open
	run vm_journal --grep 'Failed to (stop|unmount)|Failed with result|ordering cycle'
	check_equal "no unit failed" "$(cat "$T/stdout")" ""
	vm_close
done
done_testing
