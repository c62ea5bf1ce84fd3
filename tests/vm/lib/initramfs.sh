# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What larder adds to an initial RAM disk, in names: of files without versions, of kernel modules without their ending. The machine's root is
# open, in $V/root.

# What must be there: the pipeline, the programs that it runs, what they are linked with, filesystems of volumes, layers and media.
initrd_programs="usr/lib/larder/larder-boot usr/sbin/mkfs.ext4 usr/sbin/e2fsck usr/sbin/resize2fs"
initrd_modules="loop squashfs overlay ext4 erofs isofs udf vfat nls_ascii nls_cp437 nls_iso8859-1 nls_utf8 sr_mod cdrom"

initrd_list() { # IMAGE: the paths of everything that is no directory
	chroot "$V/root" sh -c 'if command -v lsinitrd; then lsinitrd "$1"; else lsinitramfs -l "$1"; fi' sh "$1" | awk '/^[-l]/ && NF > 8 { print $9 }' | LC_ALL=C sort -u
}
initrd_names() { sed -E 's,.*/,,; s/\.so\..*/.so/; s/\.ko(\..*)?$//' | LC_ALL=C sort -u; }

# All that it may add; mke2fs is what mkfs.ext4 leads to.
initrd_wanted() { # KERNEL
	local program module
	{
		printf '%s\n' $initrd_programs mke2fs mke2fs.conf
		for program in $initrd_programs; do chroot "$V/root" ldd "/$program"; done | awk '/=> \// { print $3 }' |
			while read -r library; do printf '%s\n' "$library" "$(chroot "$V/root" readlink -f "$library")"; done
		for module in $initrd_modules; do chroot "$V/root" modprobe --set-version "$1" --show-depends "$module" 2>/dev/null; done | awk '$1 == "insmod" { print $2 }'
	} | initrd_names
}
