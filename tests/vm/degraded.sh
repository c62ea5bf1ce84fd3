#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is broken is left out, the rest is served, the boot goes on, and status says what and why: a corrupt volume, a broken
# layer and a corrupt blob beside sound ones; then disks that do not match and a disk that is full.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
vm_begin
cache_images
cache_layer main 1.0.0 "$T/layers/000-main-1.0.0.sqsh"
cache_layer broken 1.0.0 "$T/layers/001-broken-1.0.0.sqsh"
# The third one has a wrong byte in a blob.
make_image "$T/images/rotten" 1 "hello from rotten" amd64 >/dev/null
echo "ghcr.io/acme/rotten:1=oci:$T/images/rotten:1" >"$T/rotten"
cache_layer rotten 1.0.0 "$T/layers/002-rotten-1.0.0.sqsh" "$T/rotten"
python3 - "$T/layers/002-rotten-1.0.0.sqsh" <<-'END'
	import sys
	data = bytearray(open(sys.argv[1], "rb").read())
	data[data.index(b'"architecture"') + 1] ^= 1 # in a config
	open(sys.argv[1], "wb").write(data)
END
# The second layer loses its superblock's sense; its sum is left as it was.
printf 'XXXXXXXX' | dd of="$T/layers/001-broken-1.0.0.sqsh" bs=1 seek=40 conv=notrunc status=none

# An IMAGECACHE volume whose filesystem is beyond what e2fsck -p mends, made by larder itself.
truncate -s 2G "$T/corrupt.img"
cache_config 'disk.serial == "CACHE" && !disk.readonly' >"$T/image.yaml"
check "a volume is made in an image" larder volume provision --image "$T/corrupt.img" --config "$T/image.yaml"
read -r start _ < <(disk_volume "$T/corrupt.img")
check "its root directory is destroyed" debugfs -w -R 'clri <2>' "$T/corrupt.img?offset=$((start * 512))"
check "and it is known to have errors" debugfs -w -R 'ssv state 2' "$T/corrupt.img?offset=$((start * 512))"
mapfile -t corrupt < <(vm_disk "$T/corrupt.img" CACHE)
# e2fsck itself writes that it was there, and nothing else does.
identity() { sfdisk --dump "$T/corrupt.img" 2>/dev/null; blkid -p -O "$((start * 512))" -s UUID -s LABEL -o value "$T/corrupt.img"; }
corrupt_before=$(identity)

vm_machine degraded
vm_enable
mkdir -p "$V/root/var/lib/larder/layers"
cp "$T"/layers/* "$V/root/var/lib/larder/layers/"
cache_config 'disk.serial == "CACHE" && !disk.readonly' | cache_machine
vm_boot corrupt "${corrupt[@]}"
check "the corrupt volume has a table and an identity" test "$(wc -l <<<"$corrupt_before")" -ge 7
check_equal "both are as they were" "$(identity)" "$corrupt_before"
check_equal "what was destroyed was not made anew" "$(debugfs -R 'stat <2>' "$T/corrupt.img?offset=$((start * 512))" 2>/dev/null | grep -c 'Type: directory')" 0

# A disk with a sound table and no room left, and one that does not match.
truncate -s 1G "$T/full.img"
printf 'label: gpt\nsize=1020MiB, name=data\n' | sfdisk -q "$T/full.img"
truncate -s 2G "$T/other.img"
mapfile -t full < <(vm_disk "$T/full.img" CACHE)
mapfile -t other < <(vm_disk "$T/other.img" OTHER)
full_before=$(sha256sum <"$T/full.img")
vm_open
CACHE_WAIT=1s cache_config 'disk.serial == "CACHE" && !disk.readonly' | cache_machine
vm_boot nodisk "${full[@]}" "${other[@]}"
check_equal "nothing was written to the full disk" "$(sha256sum <"$T/full.img")" "$full_before"
check "nor to the other" cmp --bytes=2147483648 "$T/other.img" /dev/zero
done_testing
