#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The power fails at any moment of a provision: the next run completes it, and what is foreign stays. See tests/lib/power-cut.py.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/disks.sh"
requires python3 mkfs.ext4 e2fsck debugfs record-writes
image=$T/disk.img
gpt() { "$LARDER_SOURCE/tests/lib/gpt.py" "$@"; }
# A tracer and a leak checker cannot both watch a process.
traced() { ASAN_OPTIONS=detect_leaks=0 record-writes "$image" "$T/log" "$@"; }

# survives NAME FOREIGN-FIRST FOREIGN-COUNT [option of power-cut.py]…: from $image, with $config and sectors of $sector bytes.
sector=512
survives() {
	local name=$1 first=$2 count=$3
	shift 3
	local provision=(larder volume provision --config "$config" --seed "a seed" --sector-size "$sector" --image)
	cp --sparse=always "$image" "$T/before.img"
	check "$name: an undisturbed run" traced "${provision[@]}" "$image"
	gpt dump --sector-size $sector "$image" >"$T/final"
	run "$LARDER_SOURCE/tests/lib/power-cut.py" play --sector-size $sector "$@" "$T/before.img" "$T/log" "$T/final" "$first" "$count" "${provision[@]}" @
	verdict "$status" "$name: $(tail -1 "$T/stdout")"
	check_equal "$name: no state was left for a person" "$(grep -c '^refused:' "$T/stdout")" 0
	note "$(grep '^refused:' "$T/stdout" | head -5)"
	cp "$T/stdout" "$T/played"
}
met() { # WHAT: this was among the states
	check_equal "among them: $1" "$(grep -c "^met: $1: [1-9]" "$T/played")" 1
}

image_config "minSize: 16MiB" "maxSize: 20MiB"
truncate -s 64M "$image"
survives "a blank disk" 0 0
met "without its protective MBR"
met "unfinished without a filesystem"
met "some of many writes"
rm "$image"

gpt make "$image" 64M 1:2048:32768:foreign
survives "beside a foreign partition" 2048 32768
met "unfinished without a filesystem"

gpt make --backup 131072 "$image" 80M 1:2048:32768:foreign
survives "beside a foreign partition on a disk that has grown" 2048 32768

image_config "minSize: 16MiB" "maxSize: 40MiB" "grow: true"
gpt make "$image" 64M 1:2048:16384:foreign 2:18432:40960:IMAGECACHE
mkdir "$T/tree"
echo kept >"$T/tree/file"
mkfs.ext4 -q -d "$T/tree" -L IMAGECACHE -E offset=$((18432 * 512)),nodiscard "$image" 20M 2>/dev/null
survives "growing" 2048 16384 --kept /file:kept

sector=4096
rm "$image"
image_config "minSize: 16MiB" "maxSize: 20MiB"
truncate -s 64M "$image"
survives "sectors of 4096 bytes: a blank disk" 0 0 --random 5
met "without its protective MBR"
met "unfinished without a filesystem"
gpt make --sector-size 4096 "$image" 64M 1:256:4096:foreign
survives "sectors of 4096 bytes: beside a foreign partition" 256 4096 --random 5
met "unfinished without a filesystem"
met "some of many writes"
done_testing
