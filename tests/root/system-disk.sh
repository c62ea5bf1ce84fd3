#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real btrfs over two devices as "/" (by chroot): both are system disks, a third is not. The same for an ext4 on a partition that
# only BLKPG made.
. "$LARDER_SOURCE/tests/lib/tap.sh"
in_namespaces "$@"
requires jq mkfs.btrfs mkfs.ext4 losetup addpart ldd
grep -qw btrfs /proc/filesystems || skip_all "this kernel has no btrfs"

for name in one two other; do
	truncate -s 256M "$T/$name"
	device=$(attach_loop "$T/$name") || { fail "losetup"; done_testing; }
	cleanup losetup -d "$device"
	declare "$name=$device"
done

# furnish DIR: what larder needs to run there.
furnish() {
	local library
	mkdir -p "$1"/{proc,sys,dev}
	cp "$(command -v larder)" "$1/larder"
	ldd "$(command -v larder)" | grep -o '/[^ ]*' | while read -r library; do
		mkdir -p "$1$(dirname "$library")"
		cp -L "$library" "$1$library"
	done
	for directory in proc sys dev; do
		mount --rbind "/$directory" "$1/$directory"
		cleanup umount -R "$1/$directory"
	done
}
system_disks() { # DIR: in one line
	chroot "$1" /larder disks --output json >"$T/json" 2>"$T/err"
	jq -r '[.disks[] | select(.system_disk) | .dev_path] | join(" ")' "$T/json"
}

mkfs.btrfs -q -f -m raid1 -d single "$one" "$two" >/dev/null 2>&1
mkdir "$T/btrfs"
mount -t btrfs -o "device=$one,device=$two" "$one" "$T/btrfs" || { fail "btrfs over two devices mounts"; done_testing; }
cleanup umount "$T/btrfs"
furnish "$T/btrfs"
check_equal "every device of a btrfs root is a system disk" "$(system_disks "$T/btrfs")" \
	"$(printf '%s\n' "$one" "$two" | sort -V | paste -sd' ')"
check_equal "for the reason that / is on it" "$(jq -r .system_disk_reason "$T/json")" "/ is on it"

if addpart "$other" 1 2048 409600; then
	cleanup delpart "$other" 1 # detaching alone would leave it with the loop device
	mkfs.ext4 -q "${other}p1"
	mkdir "$T/ext4"
	mount "${other}p1" "$T/ext4"
	cleanup umount "$T/ext4"
	furnish "$T/ext4"
	check_equal "the disk of a partition is the system disk" "$(system_disks "$T/ext4")" "$other"
else
	fail "the kernel takes partitions on loop devices"
fi
done_testing
