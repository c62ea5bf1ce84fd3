#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larder volume wipe takes IMAGECACHE alone: neighbours stay as they are, in the table and byte for byte; what is not clear is refused.
. "$LARDER_SOURCE/tests/lib/tap.sh"
in_namespaces "$@"
. "$LARDER_SOURCE/tests/lib/disks.sh"
requires script losetup delpart mkfs.ext4 sfdisk jq python3
volume_start
entries() { sfdisk --dump "$1" | sed -n "s|^[^ ]*\([0-9]\) : |\1 |p" | grep -v IMAGECACHE; }
# A table with a partition before the volume and one behind it, both full of data; sets $file to the disk's file.
neighbours() { # FILE
	printf 'label: gpt\nsize=64MiB, name=before\nstart=300MiB, size=64MiB, name=behind\n' | sfdisk -q --no-reread --no-tell-kernel "$1"
	dd if=/dev/urandom of="$1" bs=1M seek=1 count=64 conv=notrunc status=none
	dd if=/dev/urandom of="$1" bs=1M seek=300 count=64 conv=notrunc status=none
}
data() { echo "$(range_hash "$1" 2048 131072) $(range_hash "$1" 614400 131072)"; }

note "Between neighbours"
disk_new 512M
neighbours "$disk"
disk_config "$disk" "minSize: 100MiB" "maxSize: 200MiB"
before="$(entries "$disk") $(data "$disk")"
check "a volume between two partitions" volume provision
umount "$run_dir/volume"
check_equal "is the third" "$(sfdisk --part-label "$disk" 3)" IMAGECACHE
check "is wiped" volume wipe --yes
check_equal "its entry is gone" "$(sfdisk --dump "$disk" | grep -c start=)" 2
check_equal "and the neighbours are what they were" "$(entries "$disk") $(data "$disk")" "$before"
check "the same place can be used again" volume provision
umount "$run_dir/volume"

note "The table changes while it asks"
mkfifo "$T/answer"
script -qec "larder volume wipe --config $config --run-dir $run_dir" /dev/null <"$T/answer" >"$T/asked" 2>&1 &
asking=$!
exec 5>"$T/answer"
check "it asks" until_true 20 grep -q 'This wipes partition 3' "$T/asked"
sfdisk -q --no-reread --no-tell-kernel --part-label "$disk" 1 renamed
table=$(table_bytes "$disk")
echo yes >&5
exec 5>&-
wait "$asking"
cp "$T/asked" "$T/out"
check_output "and then wipes nothing" "the partition table has changed in the meantime; nothing was wiped: end what changes it"
check_equal "really" "$(table_bytes "$disk")" "$table"
check_equal "the volume is there" "$(blkid -p -O $((65 << 20)) -s LABEL -o value "$disk")" IMAGECACHE

note "What never got its name"
sfdisk -q --no-reread --no-tell-kernel --part-label "$disk" 3 IMAGECACHE.new
check "IMAGECACHE.new is wiped, too" volume wipe --yes --output json
check_equal "and named" "$(jq -r .partition.name "$T/stdout")" IMAGECACHE.new
for name in IMAGECACHE.old imagecache "IMAGECACHE "; do
	sfdisk -q --no-reread --no-tell-kernel --part-label "$disk" 1 "$name"
	table=$(table_bytes "$disk")
	check_status 1 "a partition called \"$name\" is not" volume wipe --yes
	check_equal "and nothing changes" "$(table_bytes "$disk")" "$table"
done

note "Not clear"
disk_new 512M
"$LARDER_SOURCE/tests/lib/foreign.py" two-volumes "$disk_file"
disk_config "$disk"
before=$(sha256sum <"$disk")
check_status 2 "of two volumes none is wiped" volume wipe --yes
check_output "and said so" "2 partitions are called IMAGECACHE"
check_equal "nothing changes" "$(sha256sum <"$disk")" "$before"
disk_config /dev/other
check_status 1 "nor is one on a disk that the selector does not match" volume wipe --yes
check_output "and said so" "there is no volume IMAGECACHE to wipe; .larder disks. shows the disks"
check_equal "nothing changes" "$(sha256sum <"$disk")" "$before"

note "An image"
image=$T/image.img
truncate -s 512M "$image"
neighbours "$image"
image_config "minSize: 100MiB" "maxSize: 200MiB"
before="$(entries "$image") $(data "$image")"
check "a volume in an image" volume provision --image "$image"
check "is wiped" volume wipe --yes --image "$image"
check_equal "and the neighbours are what they were" "$(entries "$image") $(data "$image")" "$before"
check_equal "nothing else is in the table" "$(sfdisk --dump "$image" | grep -c start=)" 2
done_testing
