#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A live system, booted from an ISO that carries the cache, too: the medium is trusted since the system was booted from it; no line of the
# config says so. Another ISO, which nobody trusts, is left alone. Two blank disks match: the first, of sectors of 4096 bytes, is taken.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
vm_begin
requires mksquashfs
cache_images
cache_layer main 1.0.0 "$T/iso/larder/000-main-1.0.0.sqsh"
cache_layer foreign 1.0.0 "$T/stick/larder/000-foreign-1.0.0.sqsh"

vm_machine live
vm_enable
check "live-boot is installed" vm_apt "$V/root" live-boot
cache_config '!system_disk && disk.transport == "virtio" && !disk.cdrom && !disk.readonly' | cache_machine
# An overlay cannot lie on an overlay: the runtime's directory is a tmpfs, as on any live system that runs containers.
printf '[Mount]\nWhat=tmpfs\nWhere=/var/lib/containerd\nType=tmpfs\n' >"$V/root/etc/systemd/system/var-lib-containerd.mount"
mkdir -p "$V/root/etc/systemd/system/local-fs.target.wants" "$V/root/var/lib/containerd"
ln -s ../var-lib-containerd.mount "$V/root/etc/systemd/system/local-fs.target.wants/"

cp "$V"/root/boot/initrd.img-* "$V/initrd"
mkdir -p "$T/iso/live"
check "the root becomes a squashfs" mksquashfs "$V/root" "$T/iso/live/filesystem.squashfs" -comp lz4 -no-progress -noappend \
	-wildcards -e 'boot/*' 'proc/*' 'sys/*' 'dev/*' 'run/*' 'opt/debs' 'var/cache/*' 'var/lib/apt/lists/*' 'usr/lib/python3*/test'
vm_close
check "the live ISO is made" cache_iso DEBIAN_LIVE "$T/iso" "$T/live.iso"
rm "$T/iso/live/filesystem.squashfs"
check "the foreign ISO is made" cache_iso LARDER_FOREIGN "$T/stick" "$T/foreign.iso"
truncate -s 2G "$T/cache.img" "$T/spare.img"
mapfile -t hardware < <(vm_cdrom "$T/live.iso"
	vm_disk "$T/cache.img" CACHE cache=writeback logical_block_size=4096,physical_block_size=4096,opt_io_size=1048576
	vm_disk "$T/foreign.iso" STICK readonly=on
	vm_disk "$T/spare.img" SPARE)
VM_LIVE='boot=live live-media=/dev/sr0 nopersistence' VM_INITRD=$V/initrd VM_MEMORY=1536 vm_boot live "${hardware[@]}"
check "the disk is looked at with its sectors of 4096 bytes" losetup --find --show --read-only --sector-size 4096 "$T/cache.img"
loop=$(cat "$T/stdout")
cleanup losetup --detach "$loop"
check_equal "the volume was unmounted before the power went" "$(disk_volume_state "$loop" 4096)" clean
check "the other blank disk is still all zero" cmp --bytes=2147483648 "$T/spare.img" /dev/zero
done_testing
