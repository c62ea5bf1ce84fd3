#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The volume on real block devices: made, found again, adopted, repaired, grown, wiped; neighbours stay as they are.
. "$LARDER_SOURCE/tests/lib/tap.sh"
in_namespaces "$@"
. "$LARDER_SOURCE/tests/lib/disks.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires curl script strace losetup delpart mkfs.ext4 sfdisk debugfs flock jq python3
volume_start
partition_dump() { sfdisk --dump "$1" | grep -v '^device:' | sed "s|^$1||"; }

filesystem_size() { dumpe2fs -h "$1" 2>/dev/null | awk '/^Block count/ {n=$3} /^Block size/ {print n*$3}'; }

volume_traced() {
	ASAN_OPTIONS=detect_leaks=0 strace -f -y -o "$T/trace" -e trace=openat,open,flock \
		larder volume provision --config "$config" --run-dir "$run_dir"
}

note "Disks that do not match"
disk_new 1G
beside=$disk
disk_new 1G
disk_config "$disk"
check "a plan, watched" env ASAN_OPTIONS=detect_leaks=0 strace -f -o "$T/trace" -e trace=openat,open \
	larder volume plan --config "$config" --run-dir "$run_dir"
check_equal "opens the disk that matches, and not the one beside it" \
	"$(grep -cF "\"$disk\"" "$T/trace" | sed 's/[1-9].*/some/') $(grep -cF "\"$beside\"" "$T/trace")" "some 0"

note "A blank disk"
disk_new 2G
disk_config "$disk"
check "a plan for a blank disk" volume plan
check_output "says what would be done" "write a new GPT"
check_equal "and does nothing" "$(cmp "$disk_file" <(head -c 2G /dev/zero) && echo zero)" zero
plan_said() { # DESCRIPTION: provision says what the plan said, and no more
	check "a plan in words" volume plan
	cp "$T/stdout" "$T/words"
	check "a plan" volume plan --output json
	jq -r '.steps[]' "$T/stdout" >"$T/steps"
	check_equal "whose words have each step" "$(grep -cFf "$T/steps" "$T/words")" "$(grep -c . "$T/steps")"
	check "$1" volume provision --output json
	check_equal "it says what it does as the plan did" "$(cat "$T/stderr")" "$(cat "$T/steps")"
}
plan_said "provision a blank disk"
check_equal "it is ready" "$(field .phase)" ready
check_equal "its device is the partition" "$(field .device)" "${disk}p1"
check_equal "mounted with nosuid, nodev, noexec" \
	"$(findmnt -no OPTIONS "$run_dir/volume" | tr , '\n' | grep -cxE 'nosuid|nodev|noexec|rw')" 4
check_equal "its directories are there" "$(cd "$run_dir/volume" && echo .tmp blob format layers manifests state)" \
	"$(find "$run_dir/volume" -mindepth 1 -maxdepth 1 ! -name lost+found -printf '%f\n' | sort | xargs)"
check_equal "the partition has its final name" "$(sfdisk --part-label "$disk" 1)" IMAGECACHE
check_equal "no block is reserved for root" "$(dumpe2fs -h "${disk}p1" 2>/dev/null | sed -n 's/^Reserved block count: *//p')" 0
check_equal "the label of the filesystem" "$(blkid -p -s LABEL -o value "${disk}p1")" IMAGECACHE

note "The second run and the next boot"
table=$(table_bytes "$disk")
check "the second run" volume provision --output json
check_equal "adopts the mount" "$(field .adopted)" true
check_equal "writes no table" "$(field .table_written) $(field .formatted)" "false false"
check_equal "and the table is the same" "$(table_bytes "$disk")" "$table"
check "status" volume status --output json
check_equal "is ready, too" "$(field .phase) $(field .device)" "ready ${disk}p1"
echo kept >"$run_dir/volume/state/kept"
unmount
disk_forget "$disk"
check "after a reboot the kernel has no partition, and provision finds it" volume provision --output json
check_equal "and writes no table" "$(field .table_written) $(table_bytes "$disk")" "false $table"
unmount
check "once more, watched" volume_traced
check "it is mounted" mountpoint -q "$run_dir/volume"
check_equal "the disk is locked" "$(grep -c "flock(.*<$disk>.*LOCK_EX.* = 0" "$T/trace")" 1
check_equal "and not opened for writing, which would make udev read it and its partitions anew" \
	"$(grep -E 'O_RDWR|O_WRONLY' "$T/trace" | grep -c "\"$disk")" 0
check_equal "what was in it is there" "$(cat "$run_dir/volume/state/kept")" kept
unmount

note "Two at once"
disk_new 1G
disk_config "$disk"
volume provision --output json >"$T/first" 2>&1 &
first=$!
volume provision --output json >"$T/second" 2>&1 &
second=$!
wait "$first"
one=$?
wait "$second"
check_equal "two provisioners at once both end well" "$one $?" "0 0"
check_equal "one partition was made" "$(sfdisk --dump "$disk" | grep -c start=)" 1
check_equal "one of them formatted it" "$(cat "$T/first" "$T/second" | grep -c '"formatted": true')" 1
unmount

note "A table with mounted neighbours"
disk_new 2G
printf 'label: gpt\nstart=2048,size=204800,name=root\nstart=1048576,size=204800,name=data\n' | sfdisk -q --no-reread --no-tell-kernel "$disk"
addpart "$disk" 1 2048 204800
addpart "$disk" 2 1048576 204800
mkfs.ext4 -q "${disk}p1"
mkfs.ext4 -q "${disk}p2"
mkdir "$T/neighbour"
mount "${disk}p1" "$T/neighbour"
cleanup umount "$T/neighbour"
echo theirs >"$T/neighbour/file"
sync -f "$T/neighbour"
before=$(range_hash "$disk_file" 1048576 204800)
lines=$(sfdisk --dump "$disk" | grep -E 'p[12] :|first-lba|last-lba|label-id')
disk_config "$disk" "maxSize: 600MiB"
check "a partition is added beside a mounted one" volume provision --output json
check_equal "with the next number" "$(field .plan.partition.number)" 3
check_equal "in the free range that keeps the largest whole" "$(field .plan.partition.start)" $((102400 * 1024 * 0 + 1253376 * 512))
check_equal "the others' entries are as they were" "$(sfdisk --dump "$disk" | grep -E 'p[12] :|first-lba|last-lba|label-id')" "$lines"
check_equal "and so is what is in them" "$(range_hash "$disk_file" 1048576 204800) $(cat "$T/neighbour/file")" "$before theirs"
unmount
umount "$T/neighbour"

note "A partition that Talos made"
disk_new 1G
printf 'label: gpt\nstart=2048,size=1048576,name=IMAGECACHE\n' | sfdisk -q --no-reread --no-tell-kernel "$disk"
addpart "$disk" 1 2048 1048576
mkdir -p "$T/talos/blob" "$T/talos/manifests/registry.k8s.io/pause/reference"
echo blob >"$T/talos/blob/sha256-1"
# An image of a registry with a port, as small as one can be.
printf '{"architecture":"amd64","os":"linux"}' >"$T/talos/config"
hex=$(sha256sum <"$T/talos/config" | cut -d' ' -f1) size=$(stat -c %s "$T/talos/config")
mv "$T/talos/config" "$T/talos/blob/sha256-$hex"
repository=$T/talos/manifests/registry.local_5000_/acme/app
mkdir -p "$repository/"{digest,reference}
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},"layers":[]}' \
	"$hex" "$size" >"$repository/reference/1"
cp "$repository/reference/1" "$repository/digest/sha256-$(sha256sum <"$repository/reference/1" | cut -d' ' -f1)"
mkfs.ext4 -q -d "$T/talos" "${disk}p1"
disk_forget "$disk"
table=$(table_bytes "$disk")
disk_config "$disk"
check "is used as it is" volume provision
check_equal "with what is in it" "$(cat "$run_dir/volume/blob/sha256-1")" blob
check_equal "and its table is not written" "$(table_bytes "$disk")" "$table"
check "and has our directories" test -d "$run_dir/volume/layers" -a -f "$run_dir/volume/format"
check "its images" larder images --run-dir "$run_dir" --config "$config"
check_output "are listed by the name of their registry, with its port" "^registry.local:5000/acme/app:1 +sha256:[0-9a-f]{64} +[0-9]+ B +linux/amd64 "
check "larderd starts" start_larderd talos --run-dir "$run_dir"
check_http 200 "and serves it" "$url/v2/acme/app/manifests/1?ns=registry.local:5000"
check_equal "byte for byte" "$(sha256sum <"$T/body")" "$(sha256sum <"$repository/reference/1")"
check_http 200 "with its blob" "$url/v2/acme/app/blobs/sha256:$hex?ns=registry.local:5000"
check "larderd ends" stop_larderd

note "A volume from the future"
echo 999 >"$run_dir/volume/format"
unmount
check_status 1 "a newer format is left alone" volume provision
check_output "and named" "format 999"
check_equal "and not mounted" "$(findmnt -n "$run_dir/volume")" ""

note "A broken filesystem"
debugfs -w -R "set_super_value state 2" "${disk}p1" 2>/dev/null
debugfs -w -R "write /dev/null format" "${disk}p1" >/dev/null 2>&1
debugfs -w -R "rm format" "${disk}p1" >/dev/null 2>&1
plan_said "one that the kernel noted errors in is repaired and mounted"
check_output "and it says so" "repair the filesystem"
unmount
yes "no filesystem" | dd of="${disk}p1" bs=1M count=200 iflag=fullblock conv=notrunc,fsync status=none
before=$(sha256sum <"${disk}p1")
check_status 1 "one without a superblock is not formatted" volume provision
check_output "and the message says what to do" "larder volume wipe"
check_equal "and nothing was written" "$(sha256sum <"${disk}p1")" "$before"

note "Growing"
disk_new 1G
disk_config "$disk" "minSize: 100MiB" "maxSize: 200MiB"
check "made with 200 MiB" volume provision --output json
check_equal "and not more" "$(field .plan.partition.size)" 209715200
echo kept >"$run_dir/volume/state/kept"
disk_config "$disk" "minSize: 100MiB" "maxSize: 600MiB"
check "without grow it stays" volume provision --output json
check_equal "as it is" "$(field .grown) $(blockdev --getsize64 "${disk}p1")" "false 209715200"
disk_config "$disk" "minSize: 100MiB" "maxSize: 600MiB" "grow: true"
check "with grow it grows while it is mounted" volume provision --output json
check_equal "the partition" "$(blockdev --getsize64 "${disk}p1")" $((600 << 20))
if ((0x$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 24 & 1)); then
	check_equal "the filesystem" "$(filesystem_size "${disk}p1")" $((600 << 20))
else # the kernel grows a mounted filesystem only for those with CAP_SYS_RESOURCE
	check_equal "the volume stays usable where the kernel does not let the filesystem grow" "$(field .phase)" ready
	check_output "and there is a warning" "\"warning\": .*cannot grow"
fi
check_equal "with what is in it" "$(cat "$run_dir/volume/state/kept")" kept
unmount
disk_config "$disk" "minSize: 100MiB" "maxSize: 100%" "grow: true"
plan_said "and while it is not"
check_equal "up to the end" "$(blockdev --getsize64 "${disk}p1") $(filesystem_size "${disk}p1")" "$((1022 << 20)) $((1022 << 20))"
table=$(table_bytes "$disk")
check "once" volume provision --output json
check_equal "and then no more" "$(field .grown) $(table_bytes "$disk")" "false $table"
unmount
fsck=$(e2fsck -fn "${disk}p1" 2>&1) || note "$fsck"
check "the filesystem is sound" e2fsck -fn "${disk}p1"

note "What e2fsck puts right"
debugfs -w -R "set_super_value free_blocks_count 1" "${disk}p1" 2>/dev/null
debugfs -w -R "set_super_value state 2" "${disk}p1" 2>/dev/null
cp --sparse=always "$disk_file" "$T/damaged.img"
check_status 1 "e2fsck ends with 1 where it has put something right" e2fsck -p "$T/damaged.img?offset=$((1 << 20))"
check "and that is no error: the volume is repaired and mounted" volume provision
check_output "and it says so" "repair the filesystem"
unmount
check "the filesystem is sound" e2fsck -fn "${disk}p1"

note "Wiping"
check "mounted again" volume provision
check_status 1 "a mounted volume is not wiped" volume wipe --yes
check_output "and the message says what to do" "larder stop"
unmount
check_status 1 "without --yes and a terminal nothing is wiped" volume wipe
check_output "and what would be lost is named" "partition 1 of $disk .*IMAGECACHE.*ext4"
at_terminal() { # ANSWER: larder volume wipe at a terminal
	script -qec "larder volume wipe --config $config --run-dir $run_dir" /dev/null <<<"$1"
}
run at_terminal no
check_output "at a terminal it asks, and names what will be lost" "This wipes partition 1 of $disk .*IMAGECACHE.*Everything in it is lost"
check_output "and another answer than yes wipes nothing" "nothing was wiped"
check_equal "really" "$(sfdisk --part-label "$disk" 1)" IMAGECACHE
check "with --yes it is" volume wipe --yes --output json
check_equal "and says what is gone" "$(field '"\(.disk) \(.partition.number) \(.partition.name) \(.partition.found)"')" \
	"$disk 1 IMAGECACHE ext4 filesystem \"IMAGECACHE\""
check_equal "the table is empty" "$(sfdisk --dump "$disk" | grep -c start=)" 0
check_status 1 "a second time there is nothing" volume wipe --yes
check "and it can be made again" volume provision
unmount
run at_terminal yes
check_output "the answer yes wipes it" "Wiped partition 1"
check_equal "really" "$(sfdisk --dump "$disk" | grep -c start=)" 0

note "In use"
disk_new 1G
mkfs.ext4 -q "$disk"
mount "$disk" "$T/neighbour"
disk_config "$disk"
check_status 1 "a mounted disk without a table is refused" volume provision
check_output "and what is on it is named" "ext4 filesystem"
umount "$T/neighbour"
disk_new 1G --read-only
disk_config "$disk"
check_status 1 "a read-only disk is refused" volume provision
check_output "and said so" "is read-only|cannot be opened"
disk_new 1G
disk_config "$disk"
python3 -c 'import os, sys, time; os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL); print(flush=True); time.sleep(1000)' "$disk" >"$T/held" &
holder=$!
check "a program has it" until_true 20 test -s "$T/held"
check_status 1 "a blank disk that a program holds for itself is refused" volume provision
check_output "and said so" "in use: no data, but it is in use \(mounted, or held by a program\)"
kill "$holder"
wait "$holder" 2>/dev/null
addpart "$disk" 1 2048 4096
check_status 1 "a blank disk on which the kernel has partitions is refused" volume provision
check_output "and said so" "the kernel has partitions"
disk_forget "$disk"
printf 'label: gpt\n' | sfdisk -q --no-reread --no-tell-kernel "$disk"
addpart "$disk" 7 2048 4096
check "in a table, a partition that only the kernel knows is not touched" volume provision --output json
check_equal "its place is left out" "$(field .plan.partition.start)" $((2048 * 512 + 4096 * 512))
unmount
disk_new 1G
disk_config "$disk" "minSize: 900MiB"
printf 'label: gpt\nsize=300MiB, name=root\n' | sfdisk -q --no-reread --no-tell-kernel "$disk"
addpart "$disk" 1 2048 $((200 << 11))
addpart "$disk" 7 $((400 << 11)) $((500 << 11))
check_status 1 "a table that the kernel has not read again leaves no room" volume provision
check_output "and both partitions that are no longer so are named" \
	"no room: only .* the kernel has ${disk##*/}p1, ${disk##*/}p7, and the table .*delpart"
sfdisk -q --delete --no-reread --no-tell-kernel "$disk"
check_status 1 "nor one from which all were deleted" volume provision
disk_forget "$disk" # with delpart
check "what is advised helps" volume provision
unmount

note "A signature at the end of what would be the partition"
disk_new 1G
printf 'label: gpt\n' | sfdisk -q "$disk"
disk_config "$disk" "minSize: 100MiB" "maxSize: 200MiB"
check "a plan" volume plan --output json
check_equal "it would be at the front, and smaller than the room" "$(field '"\(.partition.start) \(.partition.size)"')" "$((1 << 20)) $((200 << 20))"
truncate -s 200M "$T/member"
"$LARDER_SOURCE/tests/lib/foreign.py" md-1.0 "$T/member"
dd if="$T/member" of="$disk" bs=1M skip=199 seek=200 count=1 conv=notrunc,fsync status=none
before=$(sha256sum <"$disk")
check_status 1 "it is found before anything is written" volume provision
check_output "and named" "no room: .*linux_raid_member"
check_equal "and the disk is what it was" "$(sha256sum <"$disk")" "$before"

note "A table for other sectors than the disk's"
truncate -s 1G "$T/copied.img"
printf 'label: gpt\nsize=300MiB, name=root\n' | sfdisk -q "$T/copied.img"
disk_attach "$T/copied.img" --sector-size 4096
disk_config "$disk"
check_status 1 "is no table" volume provision
check_output "and said so" "in use: a GPT for sectors of 512 bytes, and this disk has sectors of 4096 bytes: .*adapter"

note "A disk that fails while it is written"
mkdir "$T/small"
mount -t tmpfs -o size=3M tmpfs "$T/small"
truncate -s 1G "$T/small/disk.img"
cleanup umount "$T/small"
disk_attach "$T/small/disk.img"
disk_config "$disk"
check_status 1 "is an error" volume provision
check_output "with the program's own words and the device" "$disk.*mkfs.ext4|mkfs.ext4.*$disk|$disk.*(rror|space)"
mount -o remount,size=1G "$T/small"
check "and the next run completes it" volume provision --output json
check_equal "from where it was" "$(field .phase)" ready
unmount

note "Encryption"
disk_new 256M
disk_config "$disk" "minSize: 64MiB" "maxSize: 100MiB"
cat >>"$config" <<-'YAML'
	encryption:
	  provider: luks2
	  keys:
	    - {slot: 0, static: {passphrase: secret}}
YAML
if [ -e /sys/class/misc/device-mapper ]; then
	check "an encrypted volume is made and mounted" volume provision --output json
	check_equal "through device-mapper" "$(field .device)" /dev/mapper/larder-volume
	check_equal "and what is on the disk is LUKS" "$(blkid -p -s TYPE -o value "${disk}p1")" crypto_LUKS
	check "stop" larder stop --run-dir "$run_dir"
	sed -i 's/secret/wrong/' "$config"
	check_status 1 "a wrong key is refused" volume provision
	check_output "and said so" "none of the 1 keys"
else
	check_status 1 "without device-mapper in the kernel an encrypted volume is refused" volume provision
	check_output "and said so" "device-mapper"
	check_equal "and nothing is written" "$(cmp "$disk_file" <(head -c 256M /dev/zero) && echo zero)" zero
fi
disk_new 1G
disk_config "$disk"
check "a volume that is not encrypted" volume provision
unmount
printf 'encryption:\n  provider: luks2\n  keys:\n    - {slot: 0, static: {passphrase: secret}}\n' >>"$config"
check_status 2 "is not used where the config says that it is" volume provision
check_output "and said so" "is not encrypted"

note "This machine's own disk"
# Every disk but loop devices, which may belong to others.
config=$T/all.yaml
cat >"$config" <<-'YAML'
	apiVersion: v1alpha1
	kind: VolumeConfig
	name: IMAGECACHE
	provisioning: {diskSelector: {match: "!disk.dev_path.startsWith('/dev/loop')"}}
YAML
root_disk=$(findmnt -nvo SOURCE /)
if [ -b "$root_disk" ] && [ ! -e "/sys/class/block/${root_disk##*/}/partition" ] && [ -e "/sys/class/block/${root_disk##*/}/device" ]; then
	run volume plan --output json
	check_equal "a selector that is true for the unpartitioned system disk does not take it" \
		"$(field ".disks[] | select(.disk == \"$root_disk\") | .taken")" false
	note "$(field ".disks[] | select(.disk == \"$root_disk\") | .reason")"
	disk_config "$root_disk"
	check_status 1 "nor does provision, when it is the only one" volume provision
	check_output "and says why" "$root_disk +no +(in use: ext4 filesystem|cannot be opened)"
else
	pass "the system disk is partitioned or not a disk of its own here: its case is the mounted disk above"
fi
done_testing
