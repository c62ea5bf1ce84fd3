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

# loses_nothing NAME FOREIGN-FIRST FOREIGN-COUNT [option of power-cut.py]…: from $image, with $config and sectors of $sector bytes.
sector=512
loses_nothing() {
	local name=$1 first=$2 count=$3
	shift 3
	local provision=(larder volume provision --config "$config" --seed "a seed" --sector-size "$sector" --image)
	cp --sparse=always "$image" "$T/before.img"
	check "$name: an undisturbed run" traced "${provision[@]}" "$image"
	gpt dump --sector-size $sector "$image" >"$T/final"
	run "$LARDER_SOURCE/tests/lib/power-cut.py" play --sector-size $sector "$@" "$T/before.img" "$T/log" "$T/final" "$first" "$count" "${provision[@]}" @
	verdict "$status" "$name: $(tail -1 "$T/stdout")"
	cp "$T/stdout" "$T/played"
}
survives() { # as loses_nothing; and every state is completed
	loses_nothing "$@"
	check_equal "$1: no state was left for a person" "$(grep -c '^refused:' "$T/played")" 0
	note "$(grep '^refused:' "$T/played" | head -5)"
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

image_config "minSize: 16MiB" "maxSize: 100%"
gpt make --backup 131072 "$image" 80M 1:2048:32768:foreign
survives "beside a foreign partition on a disk that has grown" 2048 32768
image_config "minSize: 16MiB" "maxSize: 20MiB"

# libfdisk would mend the primary copy with its entries at sector 2: where they were elsewhere, that is for a person.
gpt make --entries 512 --put 8192:boot "$image" 64M 1:2048:32768:foreign
loses_nothing "beside a boot loader in the usual place of the entries" 2 510 --unmended

image_config "minSize: 16MiB" "maxSize: 40MiB" "grow: true"
gpt make "$image" 64M 1:2048:16384:foreign 2:18432:40960:IMAGECACHE
mkdir "$T/tree"
echo kept >"$T/tree/file"
mkfs.ext4 -q -d "$T/tree" -L IMAGECACHE -E offset=$((18432 * 512)),nodiscard "$image" 20M 2>/dev/null
survives "growing" 2048 16384 --kept /file:kept

# wiped: $image has a foreign partition and a volume, as above. What is left of a wipe is wiped, and made anew.
wiped() {
	local on=(--config "$config" --sector-size "$sector" --image) again
	again="larder volume wipe --yes ${on[*]} \"\$0\"; larder volume provision --seed \"a seed\" ${on[*]} \"\$0\""
	cp --sparse=always "$image" "$T/before.img"
	check "sectors of $sector bytes: a volume is wiped" traced larder volume wipe --yes "${on[@]}" "$image"
	check "and made anew" larder volume provision --seed "a seed" "${on[@]}" "$image"
	gpt dump --sector-size "$sector" "$image" >"$T/final"
	run "$LARDER_SOURCE/tests/lib/power-cut.py" play --sector-size "$sector" "$T/before.img" "$T/log" "$T/final" \
		$((2048 * 512 / sector)) $((16384 * 512 / sector)) sh -c "$again" @
	verdict "$status" "wiping: $(tail -1 "$T/stdout")"
	check_equal "wiping: no state was left for a person" "$(grep -c '^refused:' "$T/stdout")" 0
	note "$(grep '^refused:' "$T/stdout" | head -5)"
}
made_to_wipe() {
	gpt make --sector-size $sector "$image" 64M "1:$((2048 * 512 / sector)):$((16384 * 512 / sector)):foreign" \
		"2:$((18432 * 512 / sector)):$((40960 * 512 / sector)):IMAGECACHE"
	mkfs.ext4 -q -L IMAGECACHE -E offset=$((18432 * 512)),nodiscard "$image" 20M 2>/dev/null
}
image_config "minSize: 16MiB" "maxSize: 20MiB"
for sector in 512 4096; do
	made_to_wipe
	wiped
done
sector=512
made_to_wipe
printf x | dd of="$image" bs=1 seek=$((2 * 512 + 128 + 56)) conv=notrunc status=none
wiped # in a table whose primary entries were not written to their end
made_to_wipe
dd if="$image" of="$T/header" bs=512 skip=1 count=1 status=none
check "a volume is wiped" larder volume wipe --yes --config "$config" --image "$image"
dd if="$T/header" of="$image" bs=512 seek=1 conv=notrunc status=none
survives "after a wipe that did not come to the primary header" 2048 16384

sector=4096
rm "$image"
image_config "minSize: 16MiB" "maxSize: 20MiB"
truncate -s 64M "$image"
survives "sectors of 4096 bytes: a blank disk" 0 0 --random 5
met "without its protective MBR"
met "unfinished without a filesystem"
rm "$image"
truncate -s $(((64 << 20) + 1536)) "$image"
survives "an image that ends within a sector" 0 0 --random 5
met "without its protective MBR"
gpt make --sector-size 4096 "$image" 64M 1:256:4096:foreign
survives "sectors of 4096 bytes: beside a foreign partition" 256 4096 --random 5
met "unfinished without a filesystem"
met "some of many writes"

note "An unfinished volume without a filesystem, in a table without its protective MBR"
image_config "minSize: 16MiB" "maxSize: 20MiB"
for sector in 512 4096; do
	first=$(((1 << 20) / sector))
	table() { # ENTRY…: without its MBR
		rm -f "$image"
		gpt make --sector-size $sector "$image" 64M "$@"
		dd if=/dev/zero of="$image" bs=$sector count=1 conv=notrunc status=none
	}
	provision() { larder volume provision --config "$config" --sector-size $sector --image "$image"; }
	for left in both primary backup; do
		table "1:$first:$(((20 << 20) / sector)):IMAGECACHE.new"
		dd if=/dev/zero of="$image" bs=1M seek=1 count=20 conv=notrunc status=none
		[ $left != backup ] || dd if=/dev/zero of="$image" bs=$sector seek=1 count=4 conv=notrunc status=none
		[ $left != primary ] || dd if=/dev/zero of="$image" bs=$sector seek=$(((64 << 20) / sector - 1)) count=1 conv=notrunc status=none
		check_equal "$sector, $left: there is no MBR, and no filesystem" "$(dd if="$image" bs=1 skip=510 count=2 status=none | od -An -tx1 | tr -d " ") $(blkid -p -O $((1 << 20)) -s TYPE -o value "$image")" "0000 "
		check "$sector, $left: is completed" provision
		check_equal "$sector, $left: there is one partition, with its last name, behind an MBR" \
			"$(gpt dump --sector-size $sector "$image" | sed -n "s/^# protective MBR: .* from/MBR/p; s/^1 : start= *\([0-9]*\),.*name=/\1 /p" | xargs)" "MBR 1 $first IMAGECACHE"
		check "$sector, $left: and its filesystem is sound" e2fsck -fn "$image?offset=$((1 << 20))"
	done
	# What is not such a table alone is for a person.
	for others in "1:$first:$(((20 << 20) / sector)):IMAGECACHE.new 2:$(((32 << 20) / sector)):64:foreign" "1:$first:$(((20 << 20) / sector)):IMAGECACHE" \
		"1:$first:$(((20 << 20) / sector)):foreign"; do
		# shellcheck disable=SC2086
		table $others
		before=$(sha256sum <"$image")
		check_status 1 "$sector: ${others//[0-9:]/ } is refused" provision
		check_output "and said so" "without its protective MBR"
		check_equal "and left as it is" "$(sha256sum <"$image")" "$before"
	done
done
done_testing
