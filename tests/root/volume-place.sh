#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where the volume is mounted: what lies there instead, is mounted there instead, or is in the volume instead of its directories.
. "$LARDER_SOURCE/tests/lib/tap.sh"
in_namespaces "$@"
. "$LARDER_SOURCE/tests/lib/disks.sh"
requires losetup delpart mkfs.ext4 jq
volume_start
place=$run_dir/volume
disk_new 256M
disk_config "$disk" "minSize: 16MiB" "maxSize: 64MiB"

note "Something else is mounted there"
other="something other than the volume is mounted at $place: other; unmount it first"
mkdir "$place"
mount -t tmpfs other "$place"
check_status 1 "status, without a volume" volume status --output json
check_equal "is not ready" "$(field '"\(.phase) \(.device) \(.mounted) \(.warning)"')" "missing null null $other"
umount "$place"
check "a volume" volume provision
check "status" volume status --output json
check_equal "is ready" "$(field '"\(.phase) \(.device) \(.mounted) \(.warning)"')" "ready ${disk}p1 $place null"
mount -t tmpfs other "$place"
check "status of a volume that is covered" volume status --output json
check_equal "says so" "$(field '"\(.phase) \(.device) \(.mounted) \(.warning)"')" "located null null $other"
check "also in words" volume status
check_output "of both" "^larder: $other"
check_status 1 "provision" volume provision
check_output "says so, too" "something other than ${disk}p1 is mounted at $place; unmount it first"
umount "$place"
check "uncovered" volume provision
umount "$place"

note "Something else is there"
rmdir "$place"
touch "$place"
check_status 1 "a file" volume provision
check_output "is named" "^larder: cannot make $place: Not a directory"
check_no_output "and the filesystem is not to blame" "repair"
rm "$place"
mkdir "$T/elsewhere"
ln -s "$T/elsewhere" "$place"
check "a link to a directory" volume provision
check "which leads to the volume" test -d "$T/elsewhere/blob"
check "larder stop" larder stop --run-dir "$run_dir"
check_equal "unmounts it" "$(ls "$T/elsewhere")" ""
rm "$place"
ln -s volume "$place"
check_status 1 "a link to itself" volume status --output json
check_equal "is named" "$(field '"\(.phase) \(.error)"')" "failed cannot look for a mount at $place: Too many levels of symbolic links"
rm "$place"

note "In the volume, something else than a directory"
mkdir "$place"
for what in layers .tmp; do
	check "mounted" volume provision
	rmdir "$place/$what"
	ln -s "$T/elsewhere" "$place/$what"
	umount "$place"
	check_status 1 "a link in place of $what is not followed" volume provision
	check_output "and said so" "^larder: ${disk}p1: cannot prepare the volume's directories: Not a directory"
	check "nothing is mounted" test -z "$(findmnt -n "$place")"
	mount "${disk}p1" "$place"
	rm "$place/$what"
	umount "$place"
done

note "Without /proc"
disk_new 64M
disk_config "$disk"
mount -t tmpfs none /proc
check_status 1 "a blank disk" volume plan
umount /proc
check_output "is not said to be in use" "whether it is in use cannot be told: /proc/self/fd/[0-9]*: No such file or directory"
done_testing
