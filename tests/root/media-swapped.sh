#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A medium is taken out, and another one is put in that is the same by all that a file system says of it (device number, inode, size,
# times, names, the layer manifest) but for the bytes of a blob: what was verified on the one says nothing of the other.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
in_namespaces "$@"
requires curl jq python3 mkfs.ext4 mkfs.btrfs losetup unsquashfs
mount --make-rshared /
layers_start
real_root
rm "$T/run/volume/format" # there is no volume to copy to
python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random("a").randbytes(3000000))' >"$T/extra.bin"
IMAGE_EXTRA=$T/extra.bin make_image "$T/image" tag message >/dev/null
echo "ghcr.io/acme/a:1=oci:$T/image:tag" | larder build --images - --output "$T/layer/larder/a-1.sqsh" >"$T/out"
mkdir "$T/tree"
unsquashfs -quiet -no-progress -d "$T/tree/imagecache" "$T/layer/larder/a-1.sqsh" >"$T/out"
rm -r "$T/tree/imagecache/larder"
# Where there are no loop devices, this one is read in place, and nothing is merged.
layer "$T/tree/larder/b-1.sqsh" ghcr.io/acme/b:1=b >"$T/out"
blob=$(cd "$T/tree/imagecache/blob" && find . -size +2M -printf '%f')

put_in() { losetup --read-only "$device" "$1"; }
is_out() { ! losetup "$device" >"$T/out" 2>&1; }
# sync fails, since there is no volume, and uses what is there.
look() { ${how:+without-syscalls loop=ENXIO} larder layers sync --config "$T/machine.yaml" --run-dir "$T/run" >"$T/out" 2>&1 || grep -q "there is no volume" "$T/out"; }
get() { check_http "$1" "$2" "$url/v2/x/blobs/${blob/-/:}"; }

# two_media DIR: $device has one, $first.other is the other.
two_media() {
	device=$(medium SWAPPED "$1")
	cleanup "losetup --detach $device 2>/dev/null"
	first=$(losetup --noheadings --output BACK-FILE "$device")
	python3 - "$first" <<-'END'
		import random, sys
		part = random.Random("a").randbytes(3000000)[1000000:1000064]
		data = bytearray(open(sys.argv[1], "rb").read())
		data[data.index(part)] ^= 1
		open(sys.argv[1] + ".other", "wb").write(data)
	END
}

n=0
for kind in layer tree; do
	for how in "" "not merged"; do
		name="$kind${how:+, }$how"
		two_media "$T/$kind"
		layers_config "volume.label == \"SWAPPED\""
		check "$name: the first medium" look
		check "$name: larderd starts" start_larderd "$kind${how:+-}${how%% *}.$((++n))" --run-dir "$T/run" --record "$T/verified"
		get 200 "$name: the blob is served"
		check_equal "$name: byte for byte" "sha256-$(sha256sum <"$T/body" | cut -d' ' -f1)" "$blob"
		check "$name: it is let go of" L stop
		losetup --detach "$device"
		check "$name: and taken out" until_true 20 is_out
		get 404 "$name: the blob is gone"
		check "$name: another medium in its place" put_in "$first.other"
		check "$name: is looked at" look
		check_http 200 "$name: it has the same image" "$url/v2/acme/a/manifests/1?ns=ghcr.io"
		get 404 "$name: of which the blob is not served"
		check "$name: larderd ends" stop_larderd
		check "$name: it starts again" start_larderd "$kind${how:+-}${how%% *}.$((++n))" --run-dir "$T/run" --record "$T/verified"
		get 404 "$name: the blob is not served by what was written down"
		check "$name: larderd ends again" stop_larderd
		check "$name: all is taken down" L stop
		losetup --detach "$device"
	done
done

# btrfs gives what is mounted a device number of its own: it is the same medium all the same, and its disk is known.
truncate -s 128M "$T/btrfs.img"
mkfs.btrfs -q -L SWAPPED --rootdir "$T/layer" "$T/btrfs.img" >"$T/out" 2>&1
device=$(losetup --find --show --read-only "$T/btrfs.img")
how=
check "btrfs: a medium" look
check "btrfs: is looked at again" look
check_equal "btrfs: and mounted once" "$(grep -c "^$device $T/run/media/" /proc/self/mounts)" 1
check_equal "btrfs: its layer is active" "$(state a)" active
check_equal "btrfs: its disk is noted" "$(awk '{ print $6 }' "$T/run/$(readlink "$T/run/cache").list")" "$(cat "/sys/block/${device##*/}/diskseq")"
check "btrfs: all is taken down" L stop
losetup --detach "$device"

# A volume on a disk that can be taken out.
two_media "$T/tree/imagecache"
V=$T/run/volume
check "volume: the first disk" mount -o ro "$device" "$V"
check "volume: larderd starts" start_larderd volume --run-dir "$T/run" --record "$T/verified"
get 200 "volume: the blob is served"
touch "$T/run/stopping"
check "volume: it is let go of" until_true 20 umount "$V"
losetup --detach "$device"
check "volume: and taken out" until_true 20 is_out
check "volume: another disk in its place" put_in "$first.other"
check "volume: is mounted" mount -o ro "$device" "$V"
rm "$T/run/stopping"
check "volume: it has the same image" until_true 20 curl -sfo "$T/body" "$url/v2/acme/a/manifests/1?ns=ghcr.io"
get 404 "volume: of which the blob is not served"
check "volume: larderd ends" stop_larderd
umount "$V"
losetup --detach "$device"
done_testing
