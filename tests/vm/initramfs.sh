#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cache is set up before the root filesystem is entered: by initramfs-tools, and by dracut. larder-boot.service in the real root
# takes over what is mounted.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
. "$LARDER_SOURCE/tests/vm/lib/initramfs.sh"
vm_begin
cache_images
cache_layer main 1.0.0 "$T/iso/larder/000-main-1.0.0.sqsh"
check "an ISO is made" cache_iso LARDER_1 "$T/iso" "$T/larder.iso"
mapfile -t cdrom < <(vm_cdrom "$T/larder.iso")

initrd_size() { stat -c %s "$V"/root/boot/initrd.img-*; }

# In a chroot, as a kernel's package would.
make_initrd() { # IMAGE: one without larder
	local result
	mount --bind /dev "$V/root/dev" && mount -t proc proc "$V/root/proc" && mount -t sysfs sysfs "$V/root/sys" || return
	if [ "$maker" = dracut ]; then
		chroot "$V/root" dracut --quiet --force --omit larder "$1" "$kernel"
	else
		chroot "$V/root" sh -c 'cd /usr/share/initramfs-tools && mv hooks/larder /hook && mv scripts/local-bottom/larder /script || exit
			mkinitramfs -o "$1" "$2"
			result=$?
			mv /hook hooks/larder && mv /script scripts/local-bottom/larder && exit $result' sh "$1" "$kernel"
	fi
	result=$?
	umount "$V/root/sys" "$V/root/proc" "$V/root/dev"
	return $result
}
check_contents() {
	local script=larder
	[ "$maker" = initramfs ] || script=50-larder-pre-pivot.sh
	check "an initial RAM disk without larder is made" make_initrd /without.img
	initrd_list /without.img >"$T/without"
	initrd_list "/boot/initrd.img-$kernel" >"$T/with"
	rm "$V/root/without.img"
	check "both have contents" test "$(wc -l <"$T/without")" -gt 100 -a "$(wc -l <"$T/with")" -gt 100
	check_equal "nothing is taken out of it" "$(comm -23 "$T/without" "$T/with")" ""
	initrd_wanted "$kernel" >"$T/wanted"
	comm -13 "$T/without" "$T/with" | initrd_names >"$T/added"
	# initramfs-tools keeps a list of its scripts in ORDER.
	check_equal "nothing is added that larder does not need" "$(comm -13 "$T/wanted" "$T/added" | grep -vxE "$script|ORDER")" ""
	check_equal "and all that it needs is there" "$(comm -23 "$T/wanted" <(initrd_names <"$T/with"))" ""
	check "with what calls it" grep -qx "$script" "$T/added"
	note "added: $(xargs <"$T/added")"
}

for maker in initramfs dracut; do
	vm_machine "$maker"
	vm_enable
	cache_config 'disk.serial == "CACHE" && !disk.readonly' 'volume.label.startsWith("LARDER_")' | cache_machine
	before=$(initrd_size)
	check "larder-$maker is installed" vm_install "$V/root" "larder-$maker"
	check_output "it says what it adds" 'larder: adds [0-9]+ KiB'
	note "$(grep -a 'larder: adds' "$T/out")"
	[ "$maker" = dracut ] || note "the initial RAM disk: $before bytes without larder, $(initrd_size) with it, compressed"
	kernel=$(basename "$V"/root/boot/initrd.img-*)
	kernel=${kernel#initrd.img-}
	check_contents
	cp "$V/root/boot/initrd.img-$kernel" "$V/initrd"
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
