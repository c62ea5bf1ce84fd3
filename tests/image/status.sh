#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# "larder volume status --image": what it says of an image, in JSON and in words, with an exit status that fits; and that it writes nothing.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/disks.sh"
requires jq mkfs.ext4
image=$T/disk.img
image_config "minSize: 16MiB" "maxSize: 40MiB"
gpt() { "$LARDER_SOURCE/tests/lib/gpt.py" "$@"; }
fresh() { rm -f "$image"; truncate -s "$1" "$image"; }

# status_is NAME STATUS JSON WORDS [OPTION…]: JSON without its lists of steps and disks; WORDS: of the image in the table, and the last line.
status_is() {
	local name=$1 status=$2 json=$3 words=$4 before
	shift 4
	before=$(sha256sum <"$image")
	check_status "$status" "$name: in JSON" larder volume status --config "$config" --image "$image" --output json "$@"
	check_equal "$name: its values" "$(jq -c '[.phase, .disk, .plan.action, .plan.disk, .plan.partition.number, .plan.partition.start, .plan.partition.size, .plan.partition.grow_to]' "$T/stdout")" "$json"
	check_equal "$name: nothing is done, failed, or mounted" \
		"$(jq -c '[.error, .warning, .device, .mounted, .table_written, .formatted, .grown, .adopted]' "$T/stdout")" "[null,null,null,null,false,false,false,false]"
	local reason
	reason=$(jq -r '.plan.disks[0] | "\(.taken) \(.reason)"' "$T/stdout")
	check_status "$status" "$name: in words" larder volume status --config "$config" --image "$image" "$@"
	check_equal "$name: which are these" "$(sed 1d "$T/stdout" | grep . | tr -s ' ' | paste -sd'|')" "$words"
	check_equal "$name: and the reason is that of JSON" "$(sed -n '2s/^[^ ]*  *\(yes\|no\)  *\(.*\)/\1 \2/p' "$T/stdout" | sed 's/^yes/true/; s/^no/false/')" "$reason"
	check_equal "$name: nothing is written" "$(sha256sum <"$image")" "$before"
}

fresh 64M
status_is "a blank image" 1 "[\"missing\",null,\"create\",\"$image\",1,1048576,$((40 << 20)),0]" \
	"$image yes blank (64 MiB)|IMAGECACHE is missing"
check "it is provisioned" larder volume provision --config "$config" --image "$image"
status_is "a provisioned one" 0 "[\"located\",\"$image\",\"use\",\"$image\",1,1048576,$((40 << 20)),0]" \
	"$image yes has IMAGECACHE, partition 1 (40 MiB)|$image: IMAGECACHE is located (partition 1, 40 MiB)"
image_config "minSize: 16MiB" "maxSize: 60MiB" "grow: true"
status_is "one that would grow" 0 "[\"located\",\"$image\",\"use\",\"$image\",1,1048576,$((40 << 20)),$((60 << 20))]" \
	"$image yes has IMAGECACHE, partition 1 (40 MiB)|$image: IMAGECACHE is located (partition 1, 40 MiB)"
image_config "minSize: 16MiB" "maxSize: 20MiB"
gpt make "$image" 64M 1:2048:4096:foreign 3:8192:40960:IMAGECACHE.new
status_is "an unfinished one" 1 "[\"missing\",null,\"finish\",\"$image\",3,$((8192 * 512)),$((40960 * 512)),0]" \
	"$image yes has IMAGECACHE.new, partition 3 (20 MiB), which was never finished|IMAGECACHE is missing"
gpt make --sector-size 4096 "$image" 64M 1:256:1024:foreign 2:2048:5120:IMAGECACHE
mkfs.ext4 -q -E offset=$((2048 * 4096)),nodiscard "$image" 20M
status_is "one for 4096-byte sectors" 0 "[\"located\",\"$image\",\"use\",\"$image\",2,$((2048 * 4096)),$((5120 * 4096)),0]" \
	"$image yes has IMAGECACHE, partition 2 (20 MiB)|$image: IMAGECACHE is located (partition 2, 20 MiB)" --sector-size 4096

# all_refuse WORDS: what provision would refuse, plan and status refuse, too; with the same words, and nothing is written.
all_refuse() {
	local before verb
	before=$(sha256sum <"$image")
	for verb in plan status provision; do
		check_status 1 "$verb refuses it" larder volume "$verb" --config "$config" --image "$image"
		check_output "and says why" "^larder: $1"
		[ "$verb" = plan ] && continue
		check_status 1 "$verb in JSON" larder volume "$verb" --config "$config" --image "$image" --output json
		check_equal "has it, too" "$(jq -r '"\(.phase) \(.error)"' "$T/stdout" | grep -cE "^failed $1")" 1
	done
	check_equal "nothing is written" "$(sha256sum <"$image")" "$before"
}
note "IMAGECACHE without an ext4"
gpt make "$image" 64M 1:2048:4096:foreign 3:8192:40960:IMAGECACHE
all_refuse "partition 3 of $image is called IMAGECACHE and holds no ext4 filesystem.*larder volume wipe"
printf 'LUKS\xba\xbe' | dd of="$image" bs=512 seek=8192 conv=notrunc status=none
all_refuse "partition 3 of $image is called IMAGECACHE and holds no ext4 filesystem"
check "which wipe makes room for" larder volume wipe --config "$config" --image "$image" --yes
check_status 1 "a second wipe" larder volume wipe --config "$config" --image "$image" --yes
check_output "finds none in the image, which no selector is asked about" "^larder: $image has no volume IMAGECACHE to wipe; \"larder volume plan --image\" shows"

note "An ext4 that is larger than IMAGECACHE"
gpt make "$image" 64M 1:2048:4096:foreign 3:8192:40960:IMAGECACHE
mkfs.ext4 -q -E offset=$((8192 * 512)),nodiscard "$image" 24M
all_refuse "partition 3 of $image has 20971520 bytes, and its ext4 has 25165824: .*larder volume wipe"

note "IMAGECACHE.new that has no room for an ext4"
gpt make "$image" 64M 1:2048:4096:foreign 3:8192:4096:IMAGECACHE.new
all_refuse "$image has IMAGECACHE.new, partition 3, of 2 MiB, which larder did not make so small: delete it, or give it another name"

note "A filesystem that is smaller than IMAGECACHE"
image_config "minSize: 16MiB" "maxSize: 60MiB" "grow: true"
gpt make "$image" 64M 3:8192:40960:IMAGECACHE 4:49152:2048:foreign
mkfs.ext4 -q -E offset=$((8192 * 512)),nodiscard "$image" 17M
check "what plan says" larder volume plan --config "$config" --image "$image" --output json
check_equal "is that it would grow" "$(jq -r '.steps[]' "$T/stdout")" "$image: grow the filesystem in partition 3"
check "what provision says" larder volume provision --config "$config" --image "$image" --output json
check_equal "is the same" "$(cat "$T/stderr")" "$image: grow the filesystem in partition 3"
check "nothing is to be done then" larder volume plan --config "$config" --image "$image"
check_output "as plan says" "^Nothing is to be done"

fresh 64M
mkfs.ext4 -q -F -L theirs "$image"
status_is "foreign content" 1 '["missing",null,"none",null,null,null,null,null]' \
	"$image no in use: ext4 filesystem \"theirs\"|IMAGECACHE is missing"
done_testing
