#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A full volume, an interrupted copy, wrong sums, a crash at any point; loop devices that come back.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
in_namespaces "$@"
requires mksquashfs unsquashfs mkfs.ext4 jq strace
layers_start
real_root
head -c 6000000 /dev/urandom >"$T/six.bin"
large() { # FILE REFERENCE: a layer of 6 MB
	mkdir -p "$T/big"
	rm -rf "$T/big/image"
	mkdir "$T/big/image"
	IMAGE_EXTRA=$T/six.bin make_image "$T/big/image" tag "$2" riscv64 >/dev/null
	echo "$2=oci:$T/big/image:tag" | larder build --images - --output "$1" >"$T/out"
}
sync() { L layers sync --output json >"$T/sync.json"; }

# A volume of 16 MB that takes two such layers and not a third.
truncate -s 16M "$T/volume.img"
mkfs.ext4 -q -m 0 -O ^has_journal "$T/volume.img"
mount -o loop "$T/volume.img" "$T/run/volume"
mkdir -p "$T/run/volume/layers" "$T/run/volume/.tmp"
echo 1 >"$T/run/volume/format"
for name in a b c; do large "$T/medium/larder/$name-1.sqsh" "ghcr.io/acme/$name:1"; done
device=$(medium LARDER_1 "$T/medium" 64M) && cleanup losetup --detach "$device"
layers_config "volume.dev_path == \"$device\""
check_status 1 "a volume that is too small" sync
check_output "the message says so" "the volume is full: 2 of 3 layers were copied; let the volume grow"
check_output "and which images are not there" "not on the volume: ghcr.io/acme/c:1"
check_equal "two were copied" "$(cd "$T/run/volume/layers" && echo *.sqsh)" "a-1.sqsh b-1.sqsh"
check_equal "nothing half is left" "$(ls -A "$T/run/volume/.tmp")" ""
check_equal "the third is served from the medium" "$(jq -r '.layers[] | select(.name == "c") | .state + " " + .origin' "$T/sync.json")" "active medium"
check "its image is there" test -s "$T/run/cache/manifests/ghcr.io/acme/c/reference/1"
check_equal "so the medium stays" "$(grep -c " $T/run/media/" /proc/self/mounts)" 1

check_status 1 "one that does not fit is not added" L layers add "$T/medium/larder/c-1.sqsh"
check_output "and what to do is said" "c-1.sqsh does not fit into $T/run/volume/layers: .*; let the volume grow .*, keep fewer old versions"

# The same with a configured order.
fresh_volume() {
	larder stop --run-dir "$T/run" >"$T/out" 2>&1
	mountpoint -q "$T/run/volume" || mount -o loop "$T/volume.img" "$T/run/volume"
	rm -f "$T/run/volume/layers/"* "$T/run/volume/.tmp/"*
}
fresh_volume
layers_config "volume.dev_path == \"$device\"" 'layers: [{name: c}, {name: a}, {name: b}]'
check_status 1 "a volume that is too small, and an order" sync
check_output "the message says so" "the volume is full: 2 of 3 layers were copied"
check_equal "those that come first in the order were copied" "$(cd "$T/run/volume/layers" && echo *.sqsh)" "a-1.sqsh c-1.sqsh"
check_output "and the images of the last are named" "not on the volume: ghcr.io/acme/b:1"
fresh_volume
layers_config "volume.dev_path == \"$device\""
check_status 1 "and without one" sync
check_equal "the first by name" "$(cd "$T/run/volume/layers" && echo *.sqsh)" "a-1.sqsh b-1.sqsh"

# An upgrade where only superseded versions are in the way.
large "$T/a-2.sqsh" ghcr.io/acme/a:2
layers_config "volume.dev_path == \"$device\"" 'keep: 0
layers: [{name: a, version: "1"}, {name: b}]'
larder stop --run-dir "$T/run" >"$T/out" 2>&1
mountpoint -q "$T/run/volume" || mount -o loop "$T/volume.img" "$T/run/volume"
rm "$T/run/volume/layers/b-1.sqsh"*
check "room for a new version" L layers add "$T/a-2.sqsh"
check_output "which is not the pinned one" "a 2 is superseded: version 1 is configured"
layers_config "volume.dev_path == \"$device\"" 'keep: 0
layers: [{name: a}, {name: b}]'
check "sync prunes what is superseded when room is needed" sync
check_equal "and then it fits" "$(cd "$T/run/volume/layers" && echo *.sqsh)" "a-2.sqsh b-1.sqsh"
check "what is superseded and on the medium is not copied back" sync
check_equal "the medium is not needed any more" "$(grep -c " $T/run/media/" /proc/self/mounts)" 0
larder stop --run-dir "$T/run" >"$T/out" 2>&1
mountpoint -q "$T/run/volume" && umount "$T/run/volume"
mkdir -p "$T/run/volume/layers" "$T/run/volume/.tmp"
echo 1 >"$T/run/volume/format"

# A copy that was interrupted goes on where it stopped: what is there is not written again.
layers_config "volume.dev_path == \"$device\"" 'layers: [{name: a}]'
sum=$(cut -c1-16 "$T/medium/larder/a-1.sqsh.sha256")
head -c 3000000 "$T/medium/larder/a-1.sqsh" >"$T/run/volume/.tmp/$sum-a-1.sqsh.part"
strace -f -e trace=pwrite64 -o "$T/trace" larder layers sync --config "$T/machine.yaml" --run-dir "$T/run" >"$T/out" 2>&1
check "an interrupted copy is completed" cmp "$T/medium/larder/a-1.sqsh" "$T/run/volume/layers/a-1.sqsh"
check_equal "from where it stopped, or at most 4095 bytes before" "$(grep -o ', [0-9]*) *=' "$T/trace" | tr -dc '0-9\n' | sort -n | head -1)" $((3000000 / 4096 * 4096))
check_equal "no part is left" "$(ls -A "$T/run/volume/.tmp")" ""
larder stop --run-dir "$T/run" >"$T/out" 2>&1
mkdir -p "$T/run/volume/layers" "$T/run/volume/.tmp"; echo 1 >"$T/run/volume/format"; rm -f "$T/run/volume/layers/"*

# The same when it really was killed in the middle: what was written is read again, and not written again.
ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when=3 \
	larder layers sync --config "$T/machine.yaml" --run-dir "$T/run" >"$T/out" 2>&1
check "a copy was killed" grep -q "killed by SIGKILL" "$T/trace"
part=$(find "$T/run/volume/.tmp" -name '*.part' -size +0)
check "part of it is there" test -n "$part"
have=$(stat -c %s "$part")
check "not all of it" test "$have" -lt "$(stat -c %s "$T/medium/larder/a-1.sqsh")"
check "prune" larder layers prune --config "$T/machine.yaml" --run-dir "$T/run"
check "leaves what sync can go on with" test -e "$part"
larder stop --run-dir "$T/run" >"$T/out" 2>&1 # a boot later
mkdir -p "$T/run/volume/layers" && echo 1 >"$T/run/volume/format"
touch "$T/run/volume/.tmp/unsummed-a-1.sqsh.part"
check "prune, while the medium is not mounted" larder layers prune --config "$T/machine.yaml" --run-dir "$T/run"
check "leaves it, too" test -e "$part"
check_equal "and nothing else" "$(find "$T/run/volume/.tmp" -name '*.part')" "$part"
strace -f -e trace=pwrite64 -o "$T/trace" larder layers sync --config "$T/machine.yaml" --run-dir "$T/run" >"$T/out" 2>&1
check_equal "the next run begins with the first byte that is not there" \
	"$(grep -o ', [0-9]*) *=' "$T/trace" | tr -dc '0-9\n' | sort -n | head -1)" "$have"
check_equal "and writes no byte twice" "$(sed -n 's/.*= \([0-9]*\)$/\1/p' "$T/trace" | awk '{ n += $1 } END { print n }')" \
	"$(($(stat -c %s "$T/medium/larder/a-1.sqsh") - have))"
check "it is whole" cmp "$T/medium/larder/a-1.sqsh" "$T/run/volume/layers/a-1.sqsh"
larder stop --run-dir "$T/run" >"$T/out" 2>&1
mkdir -p "$T/run/volume/layers" "$T/run/volume/.tmp"; echo 1 >"$T/run/volume/format"; rm -f "$T/run/volume/layers/"*

# A part that is not what it says is found at the end, and the copy begins anew.
head -c 3000000 /dev/zero >"$T/run/volume/.tmp/$sum-a-1.sqsh.part"
check "a part with other bytes is not believed" sync
check "the copy is right, byte for byte" cmp "$T/medium/larder/a-1.sqsh" "$T/run/volume/layers/a-1.sqsh"
larder stop --run-dir "$T/run" >"$T/out" 2>&1
mkdir -p "$T/run/volume/layers" "$T/run/volume/.tmp"; echo 1 >"$T/run/volume/format"; rm -f "$T/run/volume/layers/"*

# A medium that gives other bytes than its sum says; and a sum that is none.
losetup --detach "$device"
sed -i '1y/0123456789abcdef/123456789abcdef0/' "$T/medium/larder/a-1.sqsh.sha256"
echo nonsense >"$T/medium/larder/b-1.sqsh.sha256"
rm "$T/medium/larder/c-1.sqsh.sha256"
# One without a sum, in which a blob has another byte.
rm -rf "$T/rot" && unsquashfs -quiet -no-progress -d "$T/rot" "$T/medium/larder/c-1.sqsh" >"$T/out"
mv "$T/rot/larder/layers/c.yaml" "$T/rot/larder/layers/d.yaml"
sed -i 's/^name: .*/name: d/; s|acme/c:1|acme/d:1|' "$T/rot/larder/layers/d.yaml"
mv "$T/rot/manifests/ghcr.io/acme/c" "$T/rot/manifests/ghcr.io/acme/d"
printf x | dd of="$(find "$T/rot/blob" -size +1M | head -1)" bs=1 seek=2000000 conv=notrunc status=none
mksquashfs "$T/rot" "$T/medium/larder/d-1.sqsh" -quiet -no-progress -no-xattrs -noD -no-fragments >"$T/out"
device=$(medium LARDER_1 "$T/medium" 64M) && cleanup losetup --detach "$device"
layers_config "volume.dev_path == \"$device\""
check_status 1 "sums that do not fit" sync
check_output "a wrong one" "a-1.sqsh: its content is sha256:[0-9a-f]{64}, but .sha256 says"
check_output "one that is none" "b-1.sqsh.sha256: it does not begin with a SHA-256 sum"
check_output "a blob with another byte in one without a sum" "d-1.sqsh was not copied: .*sha256:[0-9a-f]{64}: its bytes are not right"
check_equal "a layer without a sum is copied after its blobs were hashed" "$(cd "$T/run/volume/layers" && echo *.sqsh)" c-1.sqsh
check "and has one then" bash -c "cd '$T/run/volume/layers' && sha256sum --quiet --check c-1.sqsh.sha256"

# Whatever a crash leaves: a generation that nothing names, directories, parts of a copy, an old probe.
link=$(readlink "$T/run/cache")
mkdir -p "$T/run/gen/77" "$T/run/layers/gone-1-00000000" "$T/run/layers/.probe" "$T/run/gen/78.short"
mount -t tmpfs tmpfs "$T/run/gen/77"
check_status 1 "after a crash" sync
check_equal "the generation is what it was" "$(readlink "$T/run/cache")" "$link"
check_equal "the other is unmounted" "$(grep -c " $T/run/gen/77 " /proc/self/mounts)" 0
check_equal "directories of layers that nothing is mounted on are gone" "$(find "$T/run/layers" -mindepth 1 -maxdepth 1 -type d ! -exec mountpoint -q {} \; -print)" ""
ln -sfn gen/99 "$T/run/cache"
check_status 1 "a link that leads nowhere" sync
check "is put right" test -s "$T/run/cache/manifests/ghcr.io/acme/c/reference/1"
check_equal "and there is one generation" "$(grep -c " $T/run/gen/" /proc/self/mounts)" 1
umount "$T/run/$(readlink "$T/run/cache")"
check_status 1 "a generation that somebody unmounted" sync
check "is mounted again" test -s "$T/run/cache/manifests/ghcr.io/acme/c/reference/1"
larder stop --run-dir "$T/run" >"$T/out" 2>&1
losetup --detach "$device"
done_testing
