#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is broken is left out, the rest is served, the boot goes on, and status says what and why: a corrupt volume and a broken
# layer beside a sound one; then disks that do not match and a disk that is full.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
vm_begin
cache_images
cache_layer main 1.0.0 "$T/layers/000-main-1.0.0.sqsh"
cache_layer broken 1.0.0 "$T/layers/001-broken-1.0.0.sqsh"
# The second layer loses its superblock's sense; its sum is left as it was.
printf 'XXXXXXXX' | dd of="$T/layers/001-broken-1.0.0.sqsh" bs=1 seek=40 conv=notrunc status=none

# An IMAGECACHE volume whose filesystem is beyond what e2fsck -p mends, made by larder itself.
truncate -s 2G "$T/corrupt.img"
cache_config 'disk.serial == "CACHE" && !disk.readonly' >"$T/image.yaml"
check "a volume is made in an image" larder volume provision --image "$T/corrupt.img" --config "$T/image.yaml"
read -r start _ < <(disk_volume "$T/corrupt.img")
dd if=/dev/urandom of="$T/corrupt.img" bs=512 seek="$start" count=40000 conv=notrunc status=none
mapfile -t corrupt < <(vm_disk "$T/corrupt.img" CACHE)
corrupt_before=$(sha256sum <"$T/corrupt.img")

vm_machine degraded
vm_enable
mkdir -p "$V/root/var/lib/larder/layers"
cp "$T"/layers/* "$V/root/var/lib/larder/layers/"
cache_config 'disk.serial == "CACHE" && !disk.readonly' | cache_machine
vm_boot corrupt "${corrupt[@]}"
check_equal "nothing was written to the corrupt volume" "$(sha256sum <"$T/corrupt.img")" "$corrupt_before"

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
