#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is not ours is refused, named, and left as it is, byte for byte: everything that Debian can make, and what is written by hand
# (tests/lib/foreign.py). No root.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires python3 mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat mkfs.exfat mkfs.ntfs mkfs.f2fs mkfs.erofs mkfs.minix mkfs.cramfs \
	mkfs.jfs mkfs.nilfs2 mkreiserfs mkudffs mkfs.bfs mkfs.gfs2 mkfs.ocfs2 mkfs.jffs2 mkfs.ubifs ubinize mkapfs makefs hformat genromfs \
	genisoimage mksquashfs mkswap cryptsetup veritysetup make-bcache sfdisk parted

config=$T/machine.yaml
cat >"$config" <<-'YAML'
	apiVersion: v1alpha1
	kind: VolumeConfig
	name: IMAGECACHE
	provisioning:
	  minSize: 16MiB
	  maxSize: 64MiB
YAML
image=$T/disk.img
fresh() { # SIZE
	rm -f "$image"
	truncate -s "$1" "$image"
}

# refused NAME REGEX: provision and plan end with 1 and name what is there; the image is as before.
refused() {
	local before
	before=$(sha256sum <"$image")
	check_status 1 "$1 is refused" larder volume provision --config "$config" --image "$image"
	check_output "$1 is named: $2" "$2"
	run larder volume plan --config "$config" --image "$image"
	check_equal "$1 is left as it is" "$(sha256sum <"$image")" "$before"
}

made() { # NAME SIZE REGEX CMD…: with @ for the image
	local name=$1 size=$2 regex=$3
	shift 3
	fresh "$size"
	if ! "${@//@/$image}" >"$T/mkfs" 2>&1 </dev/null; then
		fail "$name can be made"
		note "$(tail -5 "$T/mkfs")"
		return
	fi
	refused "$name" "$regex"
}

mkdir "$T/tree" && echo something >"$T/tree/file"
head -c 2000000 /dev/urandom >"$T/tree/random"
made ext2 64M 'ext2 filesystem' mkfs.ext2 -q -F @
made ext3 64M 'ext3 filesystem "OLD"' mkfs.ext3 -q -F -L OLD @
made ext4 64M 'ext4 filesystem' mkfs.ext4 -q -F @
made "ext4 labelled as ours" 64M 'ext4 filesystem "IMAGECACHE"' mkfs.ext4 -q -F -L IMAGECACHE @
made xfs 320M 'xfs filesystem' mkfs.xfs -q -f @
made btrfs 128M 'btrfs filesystem' mkfs.btrfs -q -f @
made vfat 64M 'vfat filesystem' mkfs.vfat @
made fat32 64M 'vfat filesystem "STICK"' mkfs.vfat -F 32 -n STICK @
made exfat 64M 'exfat filesystem' mkfs.exfat @
made ntfs 64M 'ntfs filesystem' mkfs.ntfs -q -F -f @
made f2fs 128M 'f2fs filesystem' mkfs.f2fs -q @
made minix 64M 'minix filesystem' mkfs.minix @
made "minix, version 3" 64M 'minix filesystem' mkfs.minix -3 @
made bfs 64M 'bfs filesystem' mkfs.bfs @
made gfs2 64M 'gfs2 filesystem' mkfs.gfs2 -q -O -p lock_nolock @
made ocfs2 256M 'ocfs2 filesystem' mkfs.ocfs2 -q -F -M local @
made apfs 600M 'apfs filesystem' mkapfs @
made hfs 64M 'hfs filesystem "OLD"' env HOME="$T" hformat -l OLD @
made ufs1 64M 'ufs filesystem' sh -c "makefs -t ffs -o version=1 @ $T/tree && truncate -s 64M @"
made ufs2 64M 'ufs filesystem' sh -c "makefs -t ffs -o version=2 @ $T/tree && truncate -s 64M @"
made romfs 64M 'romfs filesystem "MEDIUM"' sh -c "genromfs -f @ -d $T/tree -V MEDIUM && truncate -s 64M @"
made jffs2 64M 'data in the first MiB' sh -c "mkfs.jffs2 -p -r $T/tree -o @ && truncate -s 64M @"
made ubifs 64M 'ubifs filesystem' sh -c "mkfs.ubifs -r $T/tree -m 2048 -e 126976 -c 400 -o @ && truncate -s 64M @"
printf '[all]\nmode=ubi\nvol_id=0\nvol_size=8MiB\nvol_type=dynamic\nvol_name=all\n' >"$T/ubi.ini"
made ubi 64M 'ubi \(member' sh -c "ubinize -o @ -p 128KiB -m 2048 $T/ubi.ini && truncate -s 64M @"
made jfs 64M 'jfs filesystem' mkfs.jfs -q @
made nilfs2 256M 'nilfs2 filesystem' mkfs.nilfs2 -q @
made reiserfs 64M 'reiserfs filesystem' mkreiserfs -q -f -f @
made udf 64M 'udf filesystem' mkudffs @
made squashfs 64M 'squashfs filesystem' sh -c "mksquashfs $T/tree @ -noappend -quiet && truncate -s 64M @"
made erofs 64M 'erofs filesystem' sh -c "mkfs.erofs --quiet @ $T/tree && truncate -s 64M @"
made cramfs 64M 'cramfs filesystem' sh -c "mkfs.cramfs $T/tree @ && truncate -s 64M @"
made iso9660 64M 'iso9660 filesystem "MEDIUM"' sh -c "genisoimage -quiet -V MEDIUM -o @ $T/tree && truncate -s 64M @"
made swap 64M 'swap' mkswap @
made luks1 64M 'crypto_LUKS' sh -c 'echo secret | cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 "$0"' @
made luks2 64M 'crypto_LUKS' sh -c 'echo secret | cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$0"' @
made "dm-verity's hashes" 64M 'DM_verity_hash' veritysetup format "$T/tree/random" @
made bcache 64M 'bcache' make-bcache -B @
made "bcache's cache" 300M 'bcache' make-bcache -C @
made "sfdisk's dos" 64M 'dos partition table' sh -c 'echo "label: dos
size=8MiB" | sfdisk -q "$0"' @
made "sfdisk's sun" 64M 'sun partition table' sh -c 'echo "label: sun" | sfdisk -q "$0"' @
made "sfdisk's sgi" 64M 'sgi partition table' sh -c 'echo "label: sgi" | sfdisk -q "$0"' @
for label in 'mac:mac partition table' 'bsd:BSD label' 'pc98:dos partition table' 'dvh:sgi partition table' 'sun:sun partition table' \
	'amiga:data in the first MiB' 'atari:data in the first MiB' 'loop:data in the first MiB'; do
	made "parted's ${label%%:*}" 64M "${label#*:}" parted -s @ mklabel "${label%%:*}"
done
made "a full GPT" 64M 'no room' sh -c 'printf "label: gpt\n," | sfdisk -q "$0"' @
made "a tar archive" 64M 'data in the first MiB' sh -c "tar -cf @ -C $T tree && truncate -s 64M @"
made "random data" 64M 'data in the first MiB|partition table|filesystem' sh -c 'head -c 67108864 /dev/urandom >"$0"' @
made "random data at the end" 64M 'data in the last MiB' sh -c 'head -c 4096 /dev/urandom | dd of="$0" bs=4096 seek=16383 conv=notrunc status=none' @
made "a disk of 2 MiB" 2M 'too small: only 2 MiB in all' true

# By hand: what the reason must say.
declare -A says=(
	[lvm1]=LVM1_member [lvm2]=LVM2_member [md-0.90]=linux_raid_member [md-1.0]=linux_raid_member
	[md-1.1]=linux_raid_member [md-1.2]=linux_raid_member [zfs]=zfs_member [isw]=isw_raid_member [ddf]=ddf_raid_member
	[nvidia]=nvidia_raid_member [promise]=promise_fasttrack_raid_member [adaptec]='last MiB' [jmicron]=jmicron_raid_member
	[lsi]=lsi_mega_raid_member [highpoint]=hpt37x_raid_member [dos]='dos partition table' [dos-extended]='dos partition table'
	[dos-esp]='dos partition table' [hfsplus]='hfsplus filesystem' [bitlocker]=BitLocker
	[vmfs-volume]=VMFS_volume_member [stratis]='first MiB' [bluestore]=ceph_bluestore
	[drbd]='drbd|last MiB' [bcachefs]='first MiB' [snapshot]=DM_snapshot_cow
	[first-byte]='first MiB \(at byte 0\)' [first-mib]='first MiB \(at byte 1048575\)' [last-mib]='last MiB \(at byte 32505856\)'
	[last-byte]='last MiB \(at byte 33554431\)' [boot-code]='dos partition table'
	[hybrid]='hybrid MBR' [gpt-no-mbr]='without its protective MBR' [gpt-no-mbr-empty]='without its protective MBR'
	[gpt-no-mbr-two]='without its protective MBR' [gpt-odd-mbr]='does not begin at sector 1'
	[gpt-both-damaged]='both copies are damaged' [gpt-primary-damaged]='primary copy is damaged'
	[gpt-copies-differ]='copies differ' [gpt-overlap]='partitions 1 and 2 overlap' [gpt-beyond]='partition 1 ends beyond the disk'
	[gpt-outside]='outside the usable sectors' [gpt-backwards]='ends before it begins' [gpt-only-mbr]='both copies are damaged'
	[gpt-entries-inside]='entries lie among the usable sectors' [gpt-entries-free]='entries lie among the usable sectors'
	[gpt-and-raid]='a GPT, but also isw_raid_member'
)
for name in $("$LARDER_SOURCE/tests/lib/foreign.py"); do
	[ "$name" != two-volumes ] || continue
	if [ "$name" = zfs ]; then fresh 64M; else fresh 32M; fi # libblkid knows no ZFS below 64 MiB
	"$LARDER_SOURCE/tests/lib/foreign.py" "$name" "$image"
	refused "$name (by hand)" "${says[$name]-nobody wrote what $name should say}"
done

fresh 128M
"$LARDER_SOURCE/tests/lib/foreign.py" two-volumes "$image"
before=$(sha256sum <"$image")
check_status 2 "two IMAGECACHE partitions are refused" larder volume provision --config "$config" --image "$image"
check_output "and both are named" 'number 1 on .* and number 2 on '
check_equal "and left as they are" "$(sha256sum <"$image")" "$before"
done_testing
