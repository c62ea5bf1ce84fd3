#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What others do meanwhile, and what the kernel answers: a table that changes at any moment before the first write, a kernel that does not
# take the partition, what it is asked for; and disks of 4096-byte sectors.
. "$LARDER_SOURCE/tests/lib/tap.sh"
in_namespaces "$@"
. "$LARDER_SOURCE/tests/lib/disks.sh"
requires strace losetup delpart mkfs.ext4 sfdisk jq
volume_start

# A partition that somebody makes and fills while larder works: the table's entry and the content.
foreign_make() {
	printf 'label: gpt\nstart=2048, size=64MiB, name=foreign\n' | sfdisk -q --no-reread --no-tell-kernel "$disk"
	dd if=/dev/urandom of="$disk" bs=1M seek=1 count=64 conv=notrunc status=none
}
foreign() { sfdisk --dump "$disk" 2>/dev/null | sed -n 's/.*\(start=.*name="foreign"\).*/\1/p'; range_hash "$disk" 2048 131072; }
traced() { # STRACE OPTION… -- LARDER OPTION…: its calls are in $T/calls
	local options=()
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	# No leak check beside strace: it needs ptrace(2) itself.
	ASAN_OPTIONS=detect_leaks=0 strace -o "$T/calls" "${options[@]}" larder volume provision --config "$config" --run-dir "$run_dir" "$@"
}

note "What the kernel is asked for"
disk_new 700M
disk_config "$disk"
check "a volume is made" traced -f -e trace=pread64,fsync,ioctl --
check_equal "the kernel is never asked to read the table again" "$(grep -c BLKRRPART "$T/calls")" 0
check "it is told of the partition" grep -q 'ioctl([0-9]*, BLKPG, {op=BLKPG_ADD_PARTITION' "$T/calls"
looks=$(sed '/fsync(/q' "$T/calls" | grep -c 'pread64(')
call=$(grep 'ioctl(' "$T/calls" | grep -n 'BLKPG_ADD_PARTITION' | cut -d: -f1)
check "it is looked at before anything is written" test "$looks" -gt 10
unmount
disk_detach "$disk"

note "The table changes at any moment"
refused=0
for ((look = 1; look < looks; look++)); do
	disk_new 700M
	disk_config "$disk" "minSize: 100MiB" "maxSize: 300MiB"
	traced -e trace=pread64 --inject="pread64:signal=SIGSTOP:when=$look" -- >"$T/out" 2>&1 &
	larder=$!
	until_true 60 grep -q 'stopped by SIGSTOP' "$T/calls" || note "it was not stopped at $look"
	foreign_make
	before=$(foreign)
	pkill -CONT -f "^larder volume provision --config $config"
	wait "$larder"
	status=$?
	check_equal "after look $look: what somebody made meanwhile is as it was" "$(foreign)" "$before"
	if [ $status != 0 ]; then
		((++refused))
		check_output "it is said" "changed since the plan was made|partition table|protective MBR|data in the first MiB"
		check "and the next run makes the volume behind it" volume provision
		check_equal "which leaves it as it was" "$(foreign)" "$before"
	fi
	check "the volume is there" mountpoint -q "$run_dir/volume"
	unmount
	disk_detach "$disk"
	rm -f "$T/calls"
done
check "some of these runs were refused" test $refused -gt 0

note "The lock of the disk is waited for, and the plan is made anew"
disk_new 700M
disk_config "$disk" "minSize: 100MiB" "maxSize: 300MiB"
exec 5<"$disk" && flock 5
volume provision >"$T/out" 2>&1 5<&- &
larder=$!
sleep 1
check "it waits" kill -0 $larder
foreign_make
before=$(foreign)
exec 5<&-
wait $larder
verdict $? "and then makes the volume behind what was made meanwhile"
check_equal "which is as it was" "$(foreign)" "$before"
unmount

note "Another disk gets the name"
disk_new 700M
disk_config "$disk" "minSize: 100MiB" "maxSize: 300MiB"
check "a volume is made" traced -e trace=openat --
# Where the disk has been read in /sys, and is opened to be examined.
opened=$(grep 'openat(' "$T/calls" | grep -nF "\"$disk\"" | sed -n '2s/:.*//p')
unmount
disk_detach "$disk"
disk_new 700M
disk_config "$disk" "minSize: 100MiB" "maxSize: 300MiB"
truncate -s 700M "$T/another"
traced -e trace=openat --inject="openat:delay_enter=4000000:when=$opened" -- >"$T/out" 2>&1 &
larder=$!
until_true 60 grep -qF "\"$disk\"" "$T/calls" # its first opening is over
sleep 1
losetup --detach "$disk"
losetup "$disk" "$T/another"
verdict $? "it is taken away, and another one comes"
wait $larder
verdict $((! $?)) "of which nothing was asked: it is not taken"
check_output "and why" "$disk .*is another device now"
check_equal "nor written to" "$(cmp "$T/another" <(head -c 700M /dev/zero) && echo blank)" blank
check "the next run asks, and takes it" volume provision
unmount

note "A kernel that does not take the partition"
disk_new 700M
disk_config "$disk"
check_status 1 "is an error" traced -e trace=ioctl --inject="ioctl:error=EBUSY:when=$call" --
check_output "with the device, the operation and the kernel's words" "$disk: the kernel does not take partition 1 \(BLKPG\): Device or resource busy; .*lsblk"
check "the next run completes the volume" volume provision --output json
check_equal "which was never finished" "$(field '"\(.phase) \(.plan.action)"')" "ready finish"
unmount

note "Sectors of 4096 bytes"
disk_new 700M --sector-size 4096
disk_config "$disk" "minSize: 100MiB" "maxSize: 300MiB"
check "a volume on a device of such sectors" volume provision --output json
table() { sfdisk --dump "$disk" | sed -n 's/^\(sector-size: .*\)/\1/p; s/.*\(start= *[0-9]*, size= *[0-9]*\),.*name="\(.*\)".*/\1 \2/p' | tr -s ' ' | xargs; }
check_equal "its table" "$(table)" "sector-size: 4096 start= 256, size= 76800 IMAGECACHE"
echo kept >"$run_dir/volume/state/kept"
disk_config "$disk" "minSize: 100MiB" "maxSize: 500MiB" "grow: true"
check "grows" volume provision --output json
check_equal "to" "$(table)" "sector-size: 4096 start= 256, size= 128000 IMAGECACHE"
check_equal "with what is in it" "$(cat "$run_dir/volume/state/kept")" kept
unmount
check "and is sound" e2fsck -fn "${disk}p1"
done_testing
