#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Layers through dm-verity, on a kernel that has it: a sound one is mounted and pulled from; one with a flipped byte in its tables and
# one whose root hash in the config is another are broken, one with a flipped byte in a blob is broken once that is read; the
# rest is served; a reboot finds the same; what is stopped, or killed in the middle, leaves no device.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
vm_begin
requires veritysetup
cache_images
D=$T/layers
mkdir -p "$D"
build() { check "$1 is built with a hash tree" larder build --images - --platform all --output "$D/$1-1.0.sqsh" --verity; }
run() { "$@" >"$T/stdout" 2>"$T/stderr"; status=$?; cat "$T/stdout" "$T/stderr" >"$T/out"; } # standard input is ours
build main <"$T/images/list"
for name in bent rotten wrong; do
	make_image "$T/images/$name" 1 "hello from $name" amd64 >/dev/null
	build $name <<<"ghcr.io/acme/$name:1=oci:$T/images/$name:1"
done
python3 - "$D/bent-1.0.sqsh" "$D/rotten-1.0.sqsh" <<-'END'
	import struct, sys
	bent, rotten = (bytearray(open(f, "rb").read()) for f in sys.argv[1:])
	bent[struct.unpack_from("<Q", bent, 64)[0] + 12] ^= 1 # in the inode table (superblock, byte 64)
	rotten[rotten.index(b'"architecture"') + 1] ^= 1 # in a config
	for name, data in zip(sys.argv[1:], (bent, rotten)):
	    open(name, "wb").write(data)
END
rm "$D/wrong-1.0.sqsh.roothash"

vm_machine verity
vm_enable
mkdir -p "$V/root/var/lib/larder/layers"
cp "$D/"* "$V/root/var/lib/larder/layers/"
cache_config 'disk.serial == "CACHE"' | cat - <(printf -- '---\napiVersion: larder/v1alpha1\nkind: CacheLayerConfig\nlayers: [{name: main, version: "1.0", rootHash: %s}, {name: bent}, {name: rotten}, {name: wrong, version: "1.0", rootHash: %s}]\n' \
	"$(cat "$D/main-1.0.sqsh.roothash")" "$(printf 'ab%.0s' {1..32})") | cache_machine
truncate -s 2G "$T/cache.img"
mapfile -t disk < <(vm_disk "$T/cache.img" CACHE)
vm_boot verity "${disk[@]}"
vm_boot verity "${disk[@]}"
done_testing
