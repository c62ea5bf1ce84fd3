#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An image is the file that its name leads to: through links, and also when a copy took the name while larder waited for the lock.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/disks.sh"
requires flock mkfs.ext4 e2fsck dumpe2fs sfdisk
image=$T/disk.img
on_image() { larder volume "$1" --config "$config" --image "$image" "${@:2}"; }
made() { # an image with a volume of 50 MiB
	rm -f "$image"
	truncate -s 512M "$image"
	image_config "minSize: 50MiB" "maxSize: 50MiB"
	check "a volume in an image" on_image provision
}
# What the table says, and the filesystem.
sizes() {
	echo "$(($(sfdisk --dump "$1" | sed -n 's/.*size= *\([0-9]*\).*/\1/p') >> 11)) $(($(dumpe2fs -h "$1?offset=$((1 << 20))" 2>/dev/null | sed -n 's/^Block count: *//p') >> 10))"
}
is_open() { [ -n "$(find -L "/proc/$1/fd" -samefile "$image" 2>/dev/null)" ]; }
# while_waiting WORD [OPTION…]: larder waits for the lock of the image, and the name goes to a copy of it.
while_waiting() {
	exec 5<"$image"
	flock 5
	(exec larder volume "$1" --config "$config" --image "$image" "${@:2}" >"$T/stdout" 2>"$T/stderr" 5<&-) &
	until_true 20 is_open "$!"
	sleep 0.5
	cp --sparse=always "$image" "$T/copy"
	mv "$T/copy" "$image"
	exec 5<&-
	wait $!
	status=$?
	cat "$T/stdout" "$T/stderr" >"$T/out"
	verdict $status "$1, while the image is replaced"
}

note "A symbolic link"
made
mkdir "$T/elsewhere"
mv "$image" "$T/elsewhere/real.img"
ln -s elsewhere/real.img "$image"
image_config "minSize: 50MiB" "maxSize: 200MiB" "grow: true"
check "its image grows" on_image provision
check "it is a link still" test -L "$image"
check_equal "the table and the filesystem agree" "$(sizes "$T/elsewhere/real.img")" "200 200"
check_equal "nothing lies beside it" "$(ls "$T/elsewhere")" real.img

note "Another file under the name"
made
while_waiting wipe --yes
check_status 1 "what is called wiped is" on_image status
check_output "and room for the next" "has a GPT with room"
made
image_config "minSize: 50MiB" "maxSize: 200MiB" "grow: true"
while_waiting provision
check_equal "the table and the filesystem agree" "$(sizes "$image")" "200 200"
check "the filesystem is sound" e2fsck -fn "$image?offset=$((1 << 20))"
done_testing
