#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What fails under a provisioner: programs, mount(2), writes and flushes. Each message has the device, the operation, and the program's or
# the kernel's own words; what is on the disk is either as it was, or something that the next run completes.
. "$LARDER_SOURCE/tests/lib/tap.sh"
in_namespaces "$@"
. "$LARDER_SOURCE/tests/lib/disks.sh"
requires strace losetup delpart mkfs.ext4 e2fsck resize2fs sfdisk debugfs jq
volume_start

# stand_in PROGRAM STATUS WORDS: the program says these words, and fails. stand_out PROGRAM: it is itself.
program() { realpath "$(command -v "$1")"; }
stand_in() {
	printf '#!/bin/sh\necho "%s" >&2\nexit %s\n' "$3" "$2" >"$T/$1"
	chmod 755 "$T/$1"
	mount --bind "$T/$1" "$(program "$1")"
	cleanup stand_out "$1"
}
stand_out() { umount "$(program "$1")"; }
# fail_call CALL[:ERROR] WHEN CMD…: the call fails, counted in each process on its own. No leak check beside strace, which is ptrace(2) itself.
fail_call() {
	local call=${1%:*} error=${1#*:} when=$2
	shift 2
	ASAN_OPTIONS=detect_leaks=0 strace -f -o "$T/calls" -e "trace=$call" -e "inject=$call:error=$error:when=$when" "$@"
}
provision_failing() { # CALL:ERROR WHEN
	fail_call "$1" "$2" larder volume provision --config "$config" --run-dir "$run_dir" --output json
}
completed() { # [FILTER EXPECTED]: the next run
	check "the next run completes it" volume provision --output json
	check_equal "it is ready" "$(field .phase)" ready
	[ $# = 0 ] || check_equal "and so is $1" "$(field "$1")" "$2"
}
lines=("minSize: 50MiB" "maxSize: 100MiB")

note "mkfs.ext4 fails"
disk_new 1G
disk_config "$disk" "${lines[@]}"
stand_in mkfs.ext4 7 "mkfs.ext4: there are no inodes today"
check_status 1 "is an error" volume provision
check_output "with its words" "^larder: ${disk}p1: cannot make the filesystem: mkfs.ext4 failed with exit status 7: mkfs.ext4: there are no inodes today\$"
check_equal "the partition is unfinished" "$(sfdisk --part-label "$disk" 1)" IMAGECACHE.new
stand_out mkfs.ext4
completed .plan.action finish
unmount

note "What e2fsck says on standard output"
debugfs -w -R "clri <2>" "${disk}p1" 2>/dev/null
debugfs -w -R "set_super_value state 2" "${disk}p1" 2>/dev/null
check_status 1 "a filesystem that e2fsck -p does not repair is an error" volume provision
check_output "with the words of e2fsck" \
	"^larder: ${disk}p1: cannot repair the filesystem: e2fsck failed with exit status 4: .*Root inode is not a directory"
check_output "all of them" "^larder: .* UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY"
check "it is not mounted" test -z "$(findmnt -n "$run_dir/volume")"
check_equal "and has its name" "$(sfdisk --part-label "$disk" 1)" IMAGECACHE
check_status 1 "e2fsck -y, by hand, repairs it" e2fsck -fy "${disk}p1"
completed
unmount

note "e2fsck fails"
debugfs -w -R "set_super_value state 2" "${disk}p1" 2>/dev/null
before=$(sha256sum <"${disk}p1")
stand_in e2fsck 8 "e2fsck: the superblock is shy"
check_status 1 "is an error" volume provision
check_output "with its words" "^larder: ${disk}p1: cannot repair the filesystem: e2fsck failed with exit status 8: e2fsck: the superblock is shy\$"
check_equal "and nothing is written" "$(sha256sum <"${disk}p1")" "$before"
stand_out e2fsck
completed
check_output "and it says so" "repair the filesystem"

note "resize2fs fails"
disk_config "$disk" "minSize: 50MiB" "maxSize: 300MiB" "grow: true"
echo kept >"$run_dir/volume/state/kept"
stand_in resize2fs 3 "resize2fs: it is comfortable as it is"
check "the volume is used as it is" volume provision --output json
check_equal "with a warning" "$(field '"\(.phase) \(.grown) \(.warning)"')" \
	"ready false ${disk}p1: cannot grow the filesystem: resize2fs failed with exit status 3: resize2fs: it is comfortable as it is"
unmount
check "also where it was not mounted" volume provision --output json
check_equal "with a warning" "$(field '"\(.phase) \(.grown) \(.warning)"')" \
	"ready false ${disk}p1: cannot grow the filesystem: resize2fs failed with exit status 3: resize2fs: it is comfortable as it is"
check_equal "and with what is in it" "$(cat "$run_dir/volume/state/kept")" kept
unmount
stand_in e2fsck 8 "e2fsck: not now"
check "nor where e2fsck would have to look first" volume provision --output json
check_equal "with a warning" "$(field '"\(.phase) \(.grown) \(.warning)"')" \
	"ready false ${disk}p1: cannot repair the filesystem: e2fsck failed with exit status 8: e2fsck: not now"
unmount
stand_out e2fsck
stand_out resize2fs
completed .grown true
check_equal "with what is in it" "$(cat "$run_dir/volume/state/kept")" kept
unmount

note "mount(2) fails"
before=$(table_bytes "$disk_file")
for error in EIO:'Input/output error|can.t read superblock' ENOMEM:'Cannot allocate memory' ENODEV:'unknown filesystem type .ext4.' EINVAL:'wrong fs type, bad option, bad superblock' EPERM:'(permission denied|Operation not permitted)'; do
	check_status 1 "${error%%:*} is an error" provision_failing "mount:${error%%:*}" 1+
	check_output "with its words" "^larder: cannot mount ${disk}p1 at $run_dir/volume: .*(${error#*:})"
	check "it is not mounted" test -z "$(findmnt -n "$run_dir/volume")"
done
check_equal "the table is what it was" "$(table_bytes "$disk_file")" "$before"
completed .table_written false
unmount
disk_detach "$disk"

note "A flush of what is in the volume fails"
disk_new 1G
disk_config "$disk" "${lines[@]}"
check "a volume is made" fail_call fsync:EIO 1000 larder volume provision --config "$config" --run-dir "$run_dir"
# Those of larder itself come before and behind those of mkfs.ext4.
flushes=$(awk '!first { first = $1 } $1 == first && /fsync\(/ { n++ } END { print n }' "$T/calls")
check "larder flushes" test "$flushes" -gt 10
unmount
for ((flush = 1; flush <= flushes; flush++)); do
	disk_detach "$disk"
	disk_new 1G
	disk_config "$disk" "${lines[@]}"
	check_status 1 "flush $flush of $flushes" provision_failing fsync:EIO "$flush"
	check_output "is an error with device, operation and words" \
		"^larder: $disk(p1)?: (cannot write a new GPT|cannot write it out|cannot rename the partition|cannot prepare the volume's directories).*: .*Input/output error"
	check "nothing stays mounted" test -z "$(findmnt -n "$run_dir/volume")"
	completed
	unmount
	check "and the filesystem is sound" e2fsck -fn "${disk}p1"
done
disk_detach "$disk"

note "A write of the table fails, beside a foreign partition"
for call in write fsync; do
	failed=0
	for ((n = 1; n <= 14; n++)); do
		disk_new 256M
		printf 'label: gpt\nsize=16MiB, name=foreign\n' | sfdisk -q --no-reread --no-tell-kernel "$disk"
		dd if=/dev/urandom of="$disk" bs=1M seek=1 count=16 conv=notrunc,fsync status=none
		before="$(range_hash "$disk" 2048 32768) $(sfdisk --dump "$disk" | grep foreign)"
		disk_config "$disk" "minSize: 16MiB" "maxSize: 64MiB"
		run fail_call "$call:ENOSPC" "$n" larder volume provision --config "$config" --run-dir "$run_dir" --output json
		if [ "$status" != 0 ]; then
			((++failed))
			check_equal "$call $n: the exit status" "$status" 1
			check_output "$call $n: device, operation, words" \
				"^larder: $disk(p2)?: cannot (add a partition|write it out|rename the partition|prepare the volume's directories).*: .*No space left on device"
		fi
		check_equal "$call $n: the foreign partition is as it was" "$(range_hash "$disk" 2048 32768) $(sfdisk --dump "$disk" | grep foreign)" "$before"
		completed
		unmount
		disk_detach "$disk"
	done
	check "$call: each of the table failed once" test $failed -ge 10
done
note "An image"
mkdir "$T/small"
mount -t tmpfs -o size=8k tmpfs "$T/small"
cleanup umount "$T/small"
image=$T/small/disk.img
truncate -s 1G "$image"
image_config "${lines[@]}"
on_image() { larder volume provision --config "$config" --image "$image" "$@"; }
check_status 1 "on a full filesystem is an error" on_image
check_output "with image, operation and words" "^larder: $image: cannot write a new GPT: No space left on device\$"
check_equal "nothing of a table is in it" "$(tr -d '\0' <"$image" | grep -c "EFI PART")" 0
mount -o remount,size=64M "$T/small"
stand_in mkfs.ext4 1 "mkfs.ext4: no"
check_status 1 "whose filesystem cannot be made is one" on_image
check_output "with them, too" "^larder: $image: cannot make the filesystem: mkfs.ext4 failed with exit status 1: mkfs.ext4: no\$"
stand_out mkfs.ext4
check "the next run completes it" on_image
image_config "minSize: 50MiB" "maxSize: 300MiB" "grow: true"
place="$image?offset=$((1 << 20))"
blocks() { dumpe2fs -h "$place" 2>/dev/null | sed -n 's/^Block count: *//p'; }
before=$(range_hash "$image" 2048 $((100 << 11)))
for failing in resize2fs:grow e2fsck:repair; do
	stand_in "${failing%:*}" 12 "I cannot"
	check_status 1 "${failing%:*} fails" on_image
	check_output "with image, operation and words" "^larder: $image: .*: cannot ${failing#*:} the filesystem: ${failing%:*} failed with exit status [0-9]*: I cannot\$"
	check_equal "the filesystem is as it was" "$(range_hash "$image" 2048 $((100 << 11)))" "$before"
	check_equal "and nothing lies beside it" "$(ls "$T/small")" disk.img
	stand_out "${failing%:*}"
done
dd if=/dev/zero of="$T/small/filler" bs=4096 2>/dev/null
check_status 1 "no room for the copy that is grown is an error" on_image
check_output "with image, operation and words" "^larder: $image: cannot copy the partition to grow it: No space left on device\$"
check_equal "the filesystem is as it was" "$(range_hash "$image" 2048 $((100 << 11)))" "$before"
rm "$T/small/filler"
check_equal "and nothing lies beside it" "$(ls "$T/small")" disk.img
check "the next run grows it" on_image
check_equal "to its end" "$(blocks)" $((300 << 10))
check "and it is sound" e2fsck -fn "$place"
done_testing
