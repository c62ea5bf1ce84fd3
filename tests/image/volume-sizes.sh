#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where the volume goes and how large it is, over tables and sizes of every kind. Each case is compared with a dump in
# tests/expected/volume; UPDATE_EXPECTED=1 writes them anew, to be read before they are committed.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/disks.sh"
requires python3 sfdisk mkfs.ext4 e2fsck jq
image=$T/disk.img
expected=$LARDER_SOURCE/tests/expected/volume
gpt() {
	local word=$1
	shift
	"$LARDER_SOURCE/tests/lib/gpt.py" "$word" --sector-size "$sector" "$@"
}
volume() {
	local word=$1
	shift
	larder volume "$word" --config "$config" --image "$image" --sector-size "$sector" "$@"
}

compare() { # NAME
	if [ -n "${UPDATE_EXPECTED-}" ]; then
		mkdir -p "$expected"
		cp "$T/dump" "$expected/$1.sfdisk"
	fi
	check "$1: as in tests/expected/volume/$1.sfdisk" diff -u "$expected/$1.sfdisk" "$T/dump"
}

# provisions NAME [option of larder]…: $image, with $config; compares, checks the filesystem and what is around it.
provisions() {
	local name=$1 first count before
	shift
	run volume plan "$@" --output json
	first=$(($(jq '.partition.start' "$T/stdout") / sector))
	count=$(jq '[.partition.size, .partition.grow_to] | max' "$T/stdout")
	count=$((count / sector))
	jq -r '.steps[]' "$T/stdout" >"$T/steps"
	before=$(gpt outside "$image" $first $count)
	check "$name: provision" volume provision "$@" --seed "a seed" --output json
	[ "$status" = 0 ] || return 0
	check_equal "$name: what it said is what the plan said" "$(cat "$T/stderr")" "$(cat "$T/steps")"
	check_equal "$name: no byte outside the tables and the volume has changed" "$(gpt outside "$image" $first $count)" "$before"
	gpt dump "$image" >"$T/dump" 2>&1
	compare "$name"
	check "$name: the filesystem is sound" e2fsck -fn "$image?offset=$((first * sector))"
	read -r blocks block < <(dumpe2fs -h "$image?offset=$((first * sector))" 2>/dev/null |
		awk '/^Block count/ {n=$3} /^Block size/ {print n, $3}')
	check_equal "$name: and fills its partition" "${blocks-}" $((count * sector / ${block:-1}))
	if [ "$sector" = 512 ]; then
		check_equal "$name: sfdisk reads it as we do" "$(sfdisk --dump "$image" 2>&1 | grep -c start=)" "$(grep -c start= "$T/dump")"
		check "$name: sfdisk finds no error" sfdisk --verify "$image"
	fi
	before=$(gpt outside "$image" 0 0)
	check "$name: the second run" volume provision "$@" --output json
	check_equal "$name: changes nothing" "$(gpt outside "$image" 0 0)" "$before"
}

# fails NAME STATUS REGEX [option]…
fails() {
	local name=$1 expected_status=$2 regex=$3 before
	shift 3
	before=$(gpt outside "$image" 0 0)
	check_status "$expected_status" "$name: is an error" volume provision "$@"
	check_output "$name: which says $regex" "$regex"
	check_equal "$name: nothing has changed" "$(gpt outside "$image" 0 0)" "$before"
}
blank() {
	rm -f "$image"
	truncate -s "$1" "$image"
}
small=("minSize: 16MiB" "maxSize: 64MiB")

sector=512
image_config
blank 2G
provisions blank-default
blank 600M
provisions blank-smaller-than-max
blank 400M
fails blank-below-min 1 'only 398 MiB are free in one piece, and at least 500 MiB are needed'
image_config "minSize: 16MiB" "maxSize: 50%"
blank 256M
provisions blank-percent
image_config "minSize: 200MiB" "maxSize: 50%"
fails_image() { blank 256M; fails "$@"; }
fails_image blank-percent-below-min 1 'maxSize \(50%\) of the 254 MiB that are free in one piece is 127 MiB, and at least 200 MiB'
image_config "minSize: 16MiB" "maxSize: 100%"
blank 256M
provisions blank-all
image_config "minSize: 16MiB" "maxSize: -100MiB"
blank 256M
provisions blank-negative
image_config "minSize: 16MiB" "maxSize: -1GiB"
fails_image blank-negative-over-all 1 'is 0 B, and at least 16 MiB'
image_config "minSize: 20000256" "maxSize: 20000256"
blank 64M
provisions blank-odd-bytes
image_config "minSize: 2GiB" "maxSize: 1GiB"
fails_image min-over-max 2 'maxSize 1GiB is less than minSize 2GiB'
image_config "minSize: 16MiB" "maxSize: 101%"
fails_image percent-over-100 2 '101'
image_config "minSize: 16MiB" "maxSize: 0%"
fails_image percent-zero 2 '0'
image_config "minSize: 1MiB" "maxSize: 2MiB"
fails_image too-small-for-a-volume 2 'maxSize \(2 MiB\) is too small'
image_config "${small[@]}"
blank 256M
provisions blank-align-64k --align 65536
blank 256M
provisions blank-align-4m --align 4194304

gpt make "$image" 256M
provisions empty
gpt make "$image" 256M 1:34:2014:boot 2:2048:131072:root 3:139264:8192:small 4:393216:131038:end
provisions holes
gpt make "$image" 256M 1:34:2014:boot 2:2048:131072:root 4:180224:344030:end
provisions hole-smaller-than-max
gpt make "$image" 256M 1:2048:262144:root 3:309248:32768:mid
provisions hole-best-fit
gpt make "$image" 256M 1:227328:262144:cloudimg-rootfs 14:2048:8192: 15:10240:217088:UEFI
provisions out-of-order
gpt make "$image" 256M 1:2048:522207:all
fails full 1 'no room: only 0 B are free'
gpt make "$image" 256M 1:2049:200000:odd 2:400001:100000:odder
provisions not-aligned
gpt make --last-usable 300000 "$image" 256M 1:2048:131072:root
provisions last-usable
image_config "minSize: 16MiB" "maxSize: 100%"
gpt make --backup damaged --last-usable 300000 "$image" 256M 1:2048:131072:root
provisions last-usable-backup-damaged
image_config "${small[@]}"
# A disk that has shrunk: the last sectors of its partition are where the backup would be written.
for last in 524255 524268 524286; do
	gpt make --backup none --last-usable $last "$image" 256M 1:450000:$((last - 449999)):end
	fails "shrunk to $((last + 1))" 1 "without room for its backup \\(usable up to sector $last of 524288\\)"
done
gpt make --backup none --last-usable 524268 "$image" 256M 1:2048:2048:IMAGECACHE 2:450000:74269:end
before=$(gpt outside "$image" 0 0)
check_status 1 "shrunk, with a volume: it is not wiped" larder volume wipe --image "$image" --yes
check_output "shrunk, with a volume: which is said" 'without room for its backup.*mend that first'
check_equal "shrunk, with a volume: nothing has changed" "$(gpt outside "$image" 0 0)" "$before"
# libfdisk would write the backup there, and make the image longer.
gpt make --other 524288 "$image" 256M 1:2048:131072:root
fails backup-right-behind-the-end 1 'a GPT that says its backup is at sector 524288, right behind the end of the disk'
check_equal "backup-right-behind-the-end: the image is as long as it was" "$(stat -c %s "$image")" $((256 << 20))
# Something else lies where the backup was.
gpt make --backup none --put 268419072:data "$image" 256M 1:2048:131072:root
fails data-in-place-of-the-backup 1 'data at the end, where the backup GPT belongs'
gpt make --backup none --put 268434944:data "$image" 256M 1:2048:131072:root
fails data-in-place-of-the-backup-header 1 'data at the end, where the backup GPT belongs'
gpt make --backup none --put 268419072:data "$image" 256M 1:2048:2048:IMAGECACHE
before=$(gpt outside "$image" 0 0)
check_status 1 "data in place of the backup, with a volume: it is not wiped" larder volume wipe --image "$image" --yes
check_output "data in place of the backup, with a volume: which is said" 'data at the end, where the backup GPT belongs; mend that first'
check_equal "data in place of the backup, with a volume: nothing has changed" "$(gpt outside "$image" 0 0)" "$before"
# libfdisk would write the backup of a table with larger entries beyond the end, and the primary of one over what lies at sector 2.
gpt make --slot-bytes 512 --slots 8 --backup none "$image" 256M 1:2048:2048:IMAGECACHE
cp --sparse=always "$image" "$T/before.img"
check_status 1 "larger entries: it is not wiped" larder volume wipe --image "$image" --yes
check_output "larger entries: which is said" 'entries of 512 bytes, which larder does not write; mend that first'
check "larger entries: nothing has changed" cmp "$image" "$T/before.img"
# libfdisk would write what one copy says over the other one.
gpt make "$T/other.img" 256M 1:2048:2048:IMAGECACHE 2:133120:2048:root
for copies in differ damaged; do
	gpt make "$image" 256M 1:2048:2048:IMAGECACHE
	case $copies in
	differ) dd if="$T/other.img" of="$image" bs=512 skip=524255 seek=524255 count=33 conv=notrunc status=none ;;
	damaged) printf x | dd of="$image" bs=1 seek=570 conv=notrunc status=none ;;
	esac
	cp --sparse=always "$image" "$T/before.img"
	check_status 1 "copies, $copies: it is not wiped" larder volume wipe --image "$image" --yes
	check_output "copies, $copies: which is said" "a GPT whose (two copies differ|primary copy is damaged); mend that first"
	check "copies, $copies: nothing has changed" cmp "$image" "$T/before.img"
done
gpt make "$image" 64M $(for n in $(seq 1 128); do echo "$n:$((33 + n)):1:p$n"; done)
fails table-full 1 'the partition table is full'
gpt make --slots 2048 "$image" 256M 1:4096:2048:root
fails more-entries 1 'a GPT of 2048 entries of 128 bytes, and larder reads at most 1024 of 4096 bytes'
gpt make --slots 4 --slot-bytes 8192 "$image" 256M 1:4096:2048:root
fails much-larger-entries 1 'a GPT of 4 entries of 8192 bytes, and larder reads at most 1024 of 4096 bytes'
gpt make "$image" 256M 1:2048:2048:one 2:4096:2048:two 4:6144:2048:four
provisions lowest-free-number
gpt make --backup 262144 --mbr-sectors 262143 "$image" 512M 1:2048:131072:root
provisions grown-disk
gpt make --backup 262144 --put 536870400:data "$image" 512M 1:2048:131072:root
fails grown-disk-with-data-at-the-end 1 'data at the end, where the backup GPT belongs'
gpt make --backup damaged "$image" 256M 1:2048:131072:root
provisions backup-damaged
gpt make --backup none "$image" 256M 1:2048:131072:root
provisions backup-missing
gpt make --mbr-sectors 4294967295 "$image" 256M 1:2048:131072:root
provisions mbr-largest
gpt make --mbr-sectors 7 "$image" 256M 1:2048:131072:root
provisions mbr-odd
gpt make "$image" 256M 1:2048:131072:root
mkfs.ext4 -q -E offset=$((133120 * 512)),nodiscard "$image" 32M 2>/dev/null
fails range-with-a-filesystem 1 'a free range is left alone because it holds ext4 filesystem'
gpt make "$image" 256M 1:2048:131072:root 2:200704:131072:data
mkfs.ext4 -q -E offset=$((133120 * 512)),nodiscard "$image" 8M 2>/dev/null
provisions range-with-a-filesystem-and-another
gpt make "$image" 256M 1:2048:131072:root
truncate -s 64M "$T/swap"
mkswap "$T/swap" >/dev/null 2>&1
dd if="$T/swap" of="$image" bs=1M seek=65 count=1 conv=notrunc status=none
fails range-with-swap 1 'swap'
gpt make "$image" 256M 1:2048:131072:root 2:133120:65536:IMAGECACHE.new
provisions unfinished
gpt make "$image" 256M 1:2048:131072:grüße-機 11:133120:2048:with-attributes
provisions names-and-attributes

note "Growing"
grow=("minSize: 16MiB" "grow: true")
with_filesystem() { # FIRST COUNT
	mkfs.ext4 -q -L IMAGECACHE -E offset=$(($1 * sector)),nodiscard,root_owner=0:0 "$image" $(($2 * sector / 1024))k
}
image_config "${grow[@]}" "maxSize: 128MiB"
gpt make "$image" 256M 1:2048:65536:IMAGECACHE
with_filesystem 2048 65536
provisions grow-to-max
image_config "${grow[@]}" "maxSize: 100%"
gpt make "$image" 256M 1:2048:65536:IMAGECACHE 2:133120:65536:next
with_filesystem 2048 65536
provisions grow-to-neighbour
image_config "${grow[@]}" "maxSize: 50%"
gpt make "$image" 256M 2:133120:65536:IMAGECACHE 1:2048:65536:before
with_filesystem 133120 65536
provisions grow-percent
image_config "${grow[@]}" "maxSize: 100%"
gpt make "$image" 256M 1:2048:65536:IMAGECACHE 2:67584:65536:next
with_filesystem 2048 65536
provisions grow-no-room
gpt make "$image" 256M 1:2048:65537:IMAGECACHE 2:67585:1000:small
with_filesystem 2048 65537
provisions grow-no-room-before-small-neighbour
image_config "minSize: 16MiB" "maxSize: 100%"
gpt make "$image" 256M 1:2048:65536:IMAGECACHE
with_filesystem 2048 65536
provisions grow-off
image_config "${grow[@]}" "maxSize: 20MiB"
gpt make "$image" 256M 1:2048:65536:IMAGECACHE
with_filesystem 2048 65536
provisions grow-never-shrinks
image_config "${grow[@]}" "maxSize: 300MiB"
gpt make --backup 262144 "$image" 512M 1:2048:65536:IMAGECACHE
with_filesystem 2048 65536
provisions grow-on-grown-disk
image_config "${grow[@]}" "maxSize: 100%"
gpt make "$image" 256M 1:2048:73729:IMAGECACHE 2:75777:20000:next
with_filesystem 2048 32768
provisions grow-in-odd-sectors
# An ext4 whose last group would have no room for its own tables goes without it: it is as large as it can be.
image_config "${grow[@]}" "maxSize: 1025MiB"
blank 2G
check "a last group that is too small: provision" volume provision
check "a last group that is too small: plan" volume plan
check_output "says that nothing is to be done" "^Nothing is to be done"

note "Sectors of 4096 bytes"
sector=4096
image_config "${small[@]}"
blank 256M
provisions 4k-blank
gpt make "$image" 256M 1:256:16384:root 2:24576:8192:data
provisions 4k-holes
gpt make "$image" 256M 1:32768:16384:p1 14:256:1024:p14 15:1280:31488:p15
provisions 4k-out-of-order
gpt make --backup 65536 "$image" 512M 1:256:16384:root
provisions 4k-grown-disk
blank 256M
provisions 4k-align-4m --align 4194304
image_config "${grow[@]}" "maxSize: 128MiB"
gpt make "$image" 256M 1:256:8192:IMAGECACHE
with_filesystem 256 8192
provisions 4k-grow

note "A table for other sectors"
image_config "${small[@]}"
gpt make "$image" 256M 1:256:16384:root
sector=512
fails table-for-4k 1 'a GPT for sectors of 4096 bytes, and the image is taken to have sectors of 512 bytes \(--sector-size\)'
gpt make "$image" 256M 1:2048:131072:root
sector=4096
fails table-for-512 1 'a GPT for sectors of 512 bytes, and the image is taken to have sectors of 4096 bytes'

note "What is no image"
rm -f "$image"
check_status 2 "an image that is not there" volume provision
check_equal "is named once, and nothing else printed" "$(grep -c . "$T/out") $(grep -o "$image" "$T/out" | wc -l)" "1 1"
for image in "$T" /dev/null; do
	check_status 2 "$image" volume plan
	check_output "is no regular file" "^larder: --image: $image is no regular file"
done
image=
check_status 2 "an empty name" volume plan
check_output "is said to be none" '^larder: --image needs the path of a disk image, and "" is none'
image=$T/disk.img

note "A size that is missed by less than the words show"
blank 4G
cat >"$T/nearly.yaml" <<-END
	apiVersion: v1alpha1
	kind: VolumeConfig
	name: IMAGECACHE
	provisioning: {diskSelector: {match: "true"}, minSize: 4GiB}
END
check_status 1 "a disk of 4 GiB, and 4 GiB wanted" larder volume plan --config "$T/nearly.yaml" --image "$image"
check_output "is told in bytes" "only 42[0-9]{8} bytes are free in one piece, and at least 4294967296 bytes are needed"

note "Every table with every size, alignment and sector"
# tables NAME: makes $image, 256 MiB, or 320 MiB where it has grown.
mib=$((1 << 20))
at() { echo $(($1 * mib / sector)); } # MIB: its sector
matrix_table() {
	case $1 in
	blank) blank 256M ;;
	empty) gpt make "$image" 256M ;;
	holes) gpt make "$image" 256M "1:$(at 1):$(at 30):boot" "2:$(at 90):$(at 7):root" "4:$(at 200):$(at 20):end" ;;
	out-of-order) gpt make "$image" 256M "1:$(at 120):$(at 40):root" "14:$(at 1):$(at 4):" "15:$(at 5):$(at 60):esp" ;;
	full) gpt make "$image" 256M "1:$(at 1):$(at 120):a" "2:$(at 130):$(at 120):b" ;;
	not-aligned) gpt make "$image" 256M "1:$(($(at 1) + 1)):$(at 60):a" "2:$(($(at 150) + 3)):$(at 20):b" ;;
	grown) gpt make --backup "$(at 256)" "$image" 320M "1:$(at 1):$(at 100):root" ;;
	backup-damaged) gpt make --backup damaged "$image" 256M "1:$(at 1):$(at 100):root" ;;
	mbr-odd) gpt make --mbr-sectors 7 "$image" 256M "1:$(at 1):$(at 100):root" ;;
	unfinished) gpt make "$image" 256M "1:$(at 1):$(at 100):root" "2:$(at 101):$(at 40):IMAGECACHE.new" ;;
	ours) gpt make "$image" 256M "1:$(at 1):$(at 100):root" "2:$(at 101):$(at 40):IMAGECACHE" && with_filesystem "$(at 101)" "$(at 40)" 2>/dev/null ;;
	esac
}
matrix_case() { # TABLE ALIGN
	local before result
	rm -f "$image"
	matrix_table "$1" >/dev/null 2>&1
	run volume plan --align "$2" --output json
	read -r first count < <(jq -r '"\(.partition.start // 0) \([.partition.size // 0, .partition.grow_to // 0] | max)"' "$T/stdout")
	before=$(gpt outside "$image" $((first / sector)) $((count / sector)))
	run volume provision --align "$2" --seed "a seed" --output json
	if [ "$status" = 0 ]; then
		result="$(gpt dump "$image" | sed -n 's/^\([0-9]*\) *: *start= *\([0-9]*\), size= *\([0-9]*\),.*name="IMAGECACHE".*/number \1 start \2 size \3/p')"
		e2fsck -fn "$image?offset=$first" >/dev/null 2>&1 || result+=" BROKEN"
	else
		result="$(jq -r '.disks[0].reason // .plan.disks[0].reason' "$T/stdout" 2>/dev/null)"
	fi
	[ "$(gpt outside "$image" $((first / sector)) $((count / sector)))" = "$before" ] || result+=" WROTE OUTSIDE"
	echo "$sector $1 align $2 ${sizes[*]} -> $result"
}
rm -f "$T/matrix"
for sector in 512 4096; do
	for table in blank empty holes out-of-order full not-aligned grown backup-damaged mbr-odd unfinished ours; do
		while read -r align min max grow; do
			sizes=("minSize: $min" "maxSize: $max" "grow: $grow")
			image_config "${sizes[@]}"
			matrix_case "$table" "$align" >>"$T/matrix"
		done <<-'SIZES'
			65536 16MiB 64MiB false
			1048576 16MiB 64MiB true
			4194304 16MiB 33MiB false
			65536 16MiB 50% true
			2097152 16MiB 33.3% false
			4194304 60MiB 50% false
			1048576 16MiB -20MiB false
			4194304 16MiB -70MiB true
			1048576 200MiB 100% true
		SIZES
	done
done
note "The same seed and time, the same image"
image_config "minSize: 16MiB"
for n in 1 2; do
	mkdir "$T/$n?x"
	truncate -s 64M "$T/$n?x/disk?a.img"
	SOURCE_DATE_EPOCH=1000000000 check "image $n" larder volume provision --config "$config" --image "$T/$n?x/disk?a.img" --seed a
	until [ "$(date +%s)" -gt "$(stat -c %Z "$T/$n?x/disk?a.img")" ]; do sleep 0.1; done # another second for the next
done
check "byte for byte" cmp "$T/1?x/disk?a.img" "$T/2?x/disk?a.img"
check "and sound" sh -c "dd if='$T/1?x/disk?a.img' of='$T/part' bs=1M skip=1 count=62 status=none && e2fsck -fn '$T/part'"
SOURCE_DATE_EPOCH=yesterday check_status 2 "a time that is none" larder volume provision --config "$config" --image "$T/1?x/disk?a.img"
check_output "is said" 'SOURCE_DATE_EPOCH is "yesterday"; it must be seconds since 1970'

[ -z "${UPDATE_EXPECTED-}" ] || cp "$T/matrix" "$expected/matrix"
check "all $(wc -l <"$T/matrix") are as in tests/expected/volume/matrix" diff -u "$expected/matrix" "$T/matrix"
done_testing
