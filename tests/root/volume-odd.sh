#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Disks that cannot be written, and programs that are killed: the volume is used as far as it can be, and the next run completes what was
# begun.
#
# A function of images.sh has an array of the name that is one file here.
# shellcheck disable=SC2128,SC2178
. "$LARDER_SOURCE/tests/lib/tap.sh"
in_namespaces "$@"
. "$LARDER_SOURCE/tests/lib/disks.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
requires losetup delpart mkfs.ext4 sfdisk jq setpriv
volume_start
hash() { sha256sum <"$1" | cut -d' ' -f1; }
again() { # [losetup options]: the same disk, attached anew
	disk_forget "$disk"
	losetup -d "$disk"
	disk_attach "$disk_file" "$@"
	disk_config "$disk" "${lines[@]}"
}
lines=("minSize: 100MiB" "maxSize: 300MiB")

note "A read-only disk with a volume"
disk_new 1G
disk_config "$disk" "${lines[@]}"
check "a volume is made" volume provision
make_image "$T/image" 1 "hello" amd64 >"$T/digest"
check "a layer is built into it" larder build --images <(echo "docker.io/library/hello:1=oci:$T/image:1") --platform all --name main --version 1.0.0 \
	--output "$run_dir/volume/layers/000-main-1.0.0.sqsh"
echo kept >"$run_dir/volume/state/kept"
unmount
lines+=("grow: true" "waitTimeout: 0s")
lines[1]="maxSize: 600MiB"
again --read-only
before=$(hash "$disk_file")
check "a plan" volume plan --output json
check_equal "has it used, and not grown" "$(field '"\(.action) \(.partition.grow_to) \(.steps | join(","))"')" "use 0 $disk: mount partition 1 at $run_dir/volume, read-only"
check "it is used" volume provision --output json
check_equal "read-only" "$(field '"\(.phase) \(.read_only) \(.grown) \(.table_written)"')" "ready true false false"
check_output "and said so" "\"warning\": \"$disk is read-only"
check_equal "it is mounted so" "$(findmnt -no OPTIONS "$run_dir/volume" | tr , '\n' | grep -cxE 'nosuid|nodev|noexec|ro')" 4
check_equal "what is in it can be read" "$(cat "$run_dir/volume/state/kept")" kept
check "a second run" volume provision --output json
check_equal "adopts it" "$(field '"\(.phase) \(.adopted) \(.read_only)"')" "ready true true"
check "status" volume status --output json
check_equal "knows it" "$(field '"\(.phase) \(.read_only)"')" "ready true"
unmount
printf -- '---\napiVersion: v1alpha1\nkind: ImageCacheConfig\nlocal: {enabled: true}\n' >>"$config"
check "larder-boot serves it" larder-boot --no-runtimes --config "$config" --run-dir "$run_dir"
check_equal "and says that it is read-only" "$(jq -r '"\(.state) \(.volume.phase) \(.volume.read_only)"' "$run_dir/status.json")" "ready ready true"
check_output "also in its words" "$disk is read-only"
check_equal "its layer is active" "$(jq -r '.layers[] | "\(.name) \(.state)"' "$run_dir/status.json")" "main active"
check "layers sync" larder layers sync --config "$config" --run-dir "$run_dir"
check "larder stop" larder stop --run-dir "$run_dir"
check_status 1 "it is not wiped" volume wipe --yes
check_output "and said so" "$disk is read-only"
check_equal "nothing was written to it" "$(hash "$disk_file")" "$before"

note "One that was not unmounted"
again
check "mounted" volume provision
echo later >"$run_dir/volume/state/later"
sync -f "$run_dir/volume"
cp --sparse=always "$disk_file" "$T/dirty.img"
unmount
disk_file=$T/dirty.img
disk_attach "$disk_file" --read-only
disk_config "$disk" "${lines[@]}"
before=$(hash "$disk_file")
check_equal "its journal is not written back" "$(dumpe2fs -h "$disk_file?offset=$((1 << 20))" 2>/dev/null | grep -c needs_recovery)" 1
check "it is used all the same" volume provision --output json
check_output "and said so" "without what its journal would have put right"
unmount
check_equal "nothing was written to it" "$(hash "$disk_file")" "$before"

note "Read-only disks without a volume"
disk_new 1G --read-only
disk_config "$disk"
check_status 1 "a blank one is refused" volume provision
check_output "and said so" "$disk +no +is read-only and has no IMAGECACHE"
truncate -s 1G "$T/unfinished.img"
printf 'label: gpt\nsize=200MiB, name=IMAGECACHE.new\n' | sfdisk -q "$T/unfinished.img"
disk_attach "$T/unfinished.img" --read-only
disk_config "$disk"
before=$(hash "$T/unfinished.img")
check_status 1 "an unfinished one, too" volume provision
check_output "and said so" "$disk +no +is read-only and has no IMAGECACHE"
check_equal "nothing was written to it" "$(hash "$T/unfinished.img")" "$before"

# The program itself in the background, not a shell that runs it.
start_provision() {
	exec larder volume provision --config "$config" --run-dir "$run_dir" >"$T/killed" 2>&1 &
	killed=$!
}
note "Killed while mkfs.ext4 runs, which goes on"
mkfs=$(realpath "$(command -v mkfs.ext4)")
cp "$mkfs" "$T/mke2fs"
cat >"$T/slow" <<SLOW
#!/bin/bash
echo begin >>"$T/mkfs"
until [ -e "$T/killed-it" ]; do sleep 0.02; done
sleep 1
(exec -a mkfs.ext4 "$T/mke2fs" "\$@")
status=\$?
echo end >>"$T/mkfs"
exit \$status
SLOW
chmod +x "$T/slow"
mount --bind "$T/slow" "$mkfs"
cleanup umount "$mkfs"
disk_new 1G
lines=("minSize: 100MiB" "maxSize: 300MiB")
disk_config "$disk" "${lines[@]}"
start_provision
check "mkfs.ext4 runs" until_true 20 grep -q begin "$T/mkfs"
kill -KILL $killed
wait $killed 2>/dev/null
touch "$T/killed-it"
check "the next run completes the volume" volume provision --output json
check_equal "it waited for the mkfs.ext4 of the other" "$(xargs <"$T/mkfs")" "begin end begin end"
check_equal "and is ready" "$(field .phase)" ready
unmount
check "the filesystem is sound" e2fsck -fn "${disk}p1"

note "Two at once, the first in its middle"
rm "$T/mkfs" "$T/killed-it"
disk_new 1G
disk_config "$disk" "${lines[@]}"
(exec larder volume provision --config "$config" --run-dir "$run_dir" --output json) >"$T/one.json" 2>"$T/one" &
first=$!
check "the first runs mkfs.ext4" until_true 20 grep -q begin "$T/mkfs"
(exec larder volume provision --config "$config" --run-dir "$run_dir" --output json) >"$T/two.json" 2>"$T/two" &
second=$!
sleep 1
check "the second waits" kill -0 $second
check_equal "and has nothing to say yet" "$(cat "$T/two.json")" ""
touch "$T/killed-it"
wait $first
verdict $? "the first ends well"
wait $second
verdict $? "the second, too"
check_equal "one of them made it" "$(jq .formatted "$T/one.json") $(jq .formatted "$T/two.json") $(xargs <"$T/mkfs")" "true false begin end"
unmount
umount "$mkfs"

note "An image, by nobody"
mkdir "$T/nobody"
chmod 711 "$T"
chown 65534:65534 "$T/nobody"
printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\nprovisioning: {diskSelector: {match: "true"}, minSize: 100MiB, maxSize: 300MiB}\n' >"$T/nobody/machine.yaml"
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"; }
check "an image file" nobody truncate -s 1G "$T/nobody/disk.img"
for word in plan provision provision status; do
	check "volume $word" nobody larder volume $word --config "$T/nobody/machine.yaml" --image "$T/nobody/disk.img"
done
check_equal "has the volume then" "$(sfdisk --part-label "$T/nobody/disk.img" 1)" IMAGECACHE
check "and a sound filesystem" e2fsck -fn "$T/nobody/disk.img?offset=$((1 << 20))"
check "volume wipe" nobody larder volume wipe --yes --config "$T/nobody/machine.yaml" --image "$T/nobody/disk.img"

note "Killed at any moment"
steps=('' 'add partition' 'make an ext4' 'make an ext4' 'rename partition' 'mount partition')
for ((i = 0; i < ${KILLS:-18}; i++)); do
	disk_new 256M
	printf 'label: gpt\nsize=16MiB, name=foreign\n' | sfdisk -q --no-reread --no-tell-kernel "$disk"
	dd if=/dev/urandom of="$disk_file" bs=1M seek=1 count=16 conv=notrunc status=none
	foreign=$(range_hash "$disk_file" 2048 32768)
	disk_config "$disk" "minSize: 16MiB" "maxSize: 64MiB"
	start_provision
	# After each of its steps, and a little later.
	until_true 20 grep -q "${steps[i % ${#steps[@]}]}" "$T/killed"
	sleep "0.$(printf %03d $((RANDOM % 50)))"
	kill -KILL $killed 2>/dev/null
	wait $killed 2>/dev/null
	last=$(tail -1 "$T/killed")
	check "killed after \"${last#*: }\": the next run completes it" volume provision --output json
	check_equal "it is ready, and the foreign partition is as it was" \
		"$(field .phase) $(sync -f "$run_dir/volume"; range_hash "$disk_file" 2048 32768) $(sfdisk --part-label "$disk" 2)" "ready $foreign IMAGECACHE"
	unmount
	check "and the filesystem sound" e2fsck -fn "${disk}p2"
done
done_testing
