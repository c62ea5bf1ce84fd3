#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What larder-boot needs in an initial RAM disk of dracut, and nothing else. dracut calls these functions.

# An encrypted volume and layers through dm-verity need libcryptsetup, which larder-boot loads only then.
larder_configures() {
	grep -qsE "$1" /etc/larder/machine.yaml /etc/larder/machine.yaml.d/*.yaml /etc/larder/initramfs.yaml
}
larder_encrypts() { larder_configures '^[[:space:]]*encryption:'; }
larder_verifies() { larder_configures '(^|[[:space:]{,])rootHash:'; }

check() {
	require_binaries /usr/lib/larder/larder-boot mkfs.ext4 e2fsck resize2fs || return 1
	return 0
}

depends() {
	return 0
}

installkernel() {
	hostonly='' instmods loop squashfs overlay ext4 erofs isofs udf vfat nls_ascii nls_cp437 nls_iso8859-1 nls_utf8 sr_mod cdrom
	! larder_encrypts || hostonly='' instmods dm_mod dm_crypt xts essiv
	! larder_verifies || hostonly='' instmods dm_mod dm_verity sha256_generic
}

install() {
	local before
	# shellcheck disable=SC2154 # dracut sets initdir and moddir
	before=$(du -sk "$initdir" | cut -f1)
	inst_multiple /usr/lib/larder/larder-boot mkfs.ext4 e2fsck resize2fs
	inst_simple /etc/mke2fs.conf
	! { larder_encrypts || larder_verifies; } || inst_libdir_file 'libcryptsetup.so.12*'
	# The machine's own config is read from its root filesystem. This one counts only where that has none.
	[ ! -e /etc/larder/initramfs.yaml ] || inst_simple /etc/larder/initramfs.yaml /etc/larder/machine.yaml
	# shellcheck disable=SC2154
	inst_hook pre-pivot 50 "$moddir/larder-pre-pivot.sh"
	echo "larder: adds $(($(du -sk "$initdir" | cut -f1) - before)) KiB to the initial RAM disk, without kernel modules, before compression" >&2
}
