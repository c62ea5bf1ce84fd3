#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What larder-boot needs in an initial RAM disk of dracut, and nothing else. dracut calls these functions.

# Kernel modules for what the machine config has encrypted, or through dm-verity.
larder_modules() { /usr/lib/larder/initramfs-needs modules; }

check() {
	require_binaries /usr/lib/larder/larder-boot mkfs.ext4 e2fsck resize2fs || return 1
	return 0
}

depends() {
	return 0
}

# In its hostonly mode dracut takes drivers along for the disks that the system is on. The cache may lie on another one that is there.
larder_drivers() {
	local disk
	# shellcheck disable=SC2154 # dracut sets it
	[[ $hostonly ]] || return 0
	for disk in /sys/class/block/*/device; do
		[ -e "$disk" ] || continue
		disk=${disk%/device}
		get_dev_module "/dev/block/$(cat "$disk/dev")" 2>/dev/null
		get_blockdev_drv_through_sys "$disk"
	done
}

installkernel() {
	local modules present
	modules=$(larder_modules 2>/dev/null)
	present=$(larder_drivers)
	# shellcheck disable=SC2086 # lists of words
	hostonly='' instmods loop squashfs overlay ext4 erofs isofs udf vfat nls_ascii nls_cp437 nls_iso8859-1 nls_utf8 sr_mod cdrom $modules $present
}

# The machine's own config is read from its root filesystem. This one counts only where that has none.
larder_config() {
	local file
	[ -e /etc/larder/initramfs.yaml ] || return 0
	inst_simple /etc/larder/initramfs.yaml /etc/larder/machine.yaml
	/usr/lib/larder/initramfs-needs files 2>/dev/null | while IFS= read -r file; do
		inst_simple "$file" || echo "larder: $file, which /etc/larder/initramfs.yaml names, is not there" >&2
	done
}

# An encrypted volume and layers through dm-verity need libcryptsetup, which larder-boot loads only then. It waits for udev's rules for
# device-mapper, and loads libgcc_s when a thread of its key derivation ends. dracut's own module dm has these rules, and every driver
# of its kind, too; its 11-dm.rules makes that udev knows of the devices in the real root.
larder_cryptsetup() {
	local own library
	[ -n "$(larder_modules)" ] || return 0
	library=$(ldconfig -p | sed -n 's/.*libcryptsetup\.so\.12 .*=> //p' | head -n 1)
	if [ -z "$library" ]; then
		echo "larder: the machine config encrypts or has a rootHash, and libcryptsetup is not installed" >&2
		return
	fi
	# dracut itself looks for what programs are linked with, and not for what libraries are.
	# shellcheck disable=SC2046 # a list of words
	inst_multiple "$library" $(ldd "$library" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }')
	inst_libdir_file 'libgcc_s.so.1'
	inst_multiple dmsetup
	own=$(echo "${moddir%/*}"/[0-9][0-9]dm/11-dm.rules)
	inst_rules 10-dm.rules "$own" 13-dm-disk.rules 55-dm.rules 60-persistent-storage-dm.rules 95-dm-notify.rules
}

install() {
	local before
	# shellcheck disable=SC2154 # dracut sets initdir and moddir
	before=$(du -sk "$initdir" | cut -f1)
	inst_multiple /usr/lib/larder/larder-boot mkfs.ext4 e2fsck resize2fs
	inst_simple /etc/mke2fs.conf
	larder_config
	larder_cryptsetup
	# shellcheck disable=SC2154
	inst_hook pre-pivot 50 "$moddir/larder-pre-pivot.sh"
	echo "larder: adds $(($(du -sk "$initdir" | cut -f1) - before)) KiB to the initial RAM disk, without kernel modules, before compression" >&2
}
