#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A layer with flipped bytes, a layer that is no squashfs any more, a truncated medium: each is named, nothing is copied, the boot goes on, and a
# corrupted blob is never served.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/machine.sh"
. "$LARDER_SOURCE/tests/lib/disks.sh"
in_namespaces "$@"
requires mkfs.ext4 busybox curl unsquashfs
export M=$T/machine
mkdir -p "$M/etc/larder" "$M/log"
machine_start
trap 'machine_end; run_cleanups' EXIT
larderd_url=http://127.0.0.1:3172

digest=$(make_image "$T/image" 1 "whole")
echo "docker.io/library/whole:1=oci:$T/image:1" >"$T/images.txt"
check "a layer is built" larder build --images "$T/images.txt" --name whole --version 1.0.0 --output "$T/000-whole-1.0.0.sqsh"
blob=$(jq -r '.layers[0].digest' "$T/image/blobs/sha256/${digest#sha256:}")
disk_size=$(unique_size 2)
disk_new $disk_size
machine_larderd

# medium_with FILE…: a medium with these files in larder/; sets $medium and $medium_file, and the machine config.
medium_with() {
	local content=$T/content
	rm -rf "$content"
	mkdir -p "$content/larder"
	cp "$@" "$content/larder"
	medium_file=$T/medium.img
	rm -f "$medium_file"
	truncate -s $(($(unique_size 1) / 32 / 4096 * 4096)) "$medium_file"
	# mke2fs gives files whole seconds; those of two media would else be the same file, changed at the same time, on one loop device.
	until [ "$(date +%s)" != "${made-}" ]; do sleep 0.05; done
	mkfs.ext4 -q -L LARDER_1 -d "$content" "$medium_file"
	made=$(date +%s)
}
insert_medium() {
	medium=$(losetup --find --show --read-only "$medium_file") && cleanup losetup -d "$medium"
	machine_config $disk_size "$(stat -c %s "$medium_file")" >/etc/larder/machine.yaml
	before=$(sha256sum <"$medium_file")
}
eject() { # DESCRIPTION
	check "$1: larder stop" larder stop
	check_equal "$1: the medium compares equal" "$(sha256sum <"$medium_file")" "$before"
	losetup -d "$medium"
}
nothing_copied() { check_equal "$1: nothing was copied to the volume" "$(find /run/larder/volume/layers /run/larder/volume/.tmp -name "*sqsh*" | wc -l)" 0; }
code() { curl -s -o /dev/null -w '%{http_code}' "$larderd_url$1"; }

# One byte in the middle of the layer's only big blob.
cp "$T"/000-whole* "$T/bad" 2>/dev/null || { mkdir -p "$T/bad" && cp "$T"/000-whole* "$T/bad"; }
printf '\377\377\377\377' | dd of="$T/bad/000-whole-1.0.0.sqsh" bs=1 seek=$((1 << 19)) conv=notrunc status=none
medium_with "$T/bad"/*
insert_medium
check "flipped bytes in a blob: the boot goes on" larder boot
check_equal "flipped bytes in a blob: the blob is not served" "$(code "/v2/library/whole/blobs/$blob?ns=docker.io")" 404
check_equal "flipped bytes in a blob: and still not" "$(code "/v2/library/whole/blobs/$blob?ns=docker.io")" 404
check_status 1 "flipped bytes in a blob: sync refuses the layer" larder layers sync
check_output "and says that the hash is wrong" '000-whole-1.0.0.sqsh.*sha256'
nothing_copied "flipped bytes in a blob"
check "larderd says which blob is corrupt" grep -q "$blob.*" "$M/log/larderd"
eject "flipped bytes in a blob"

# The superblock.
cp "$T"/000-whole* "$T/bad"
printf 'XXXX' | dd of="$T/bad/000-whole-1.0.0.sqsh" bs=1 conv=notrunc status=none
medium_with "$T/bad"/*
insert_medium
check_status 1 "a broken superblock: status 1 with --strict" larder boot --strict
check_output "and the layer is named with the reason" '000-whole-1.0.0.sqsh is broken: .*(squashfs|superblock)'
check "a broken superblock: without --strict the boot goes on" larder boot
check_status 1 "a broken superblock: layers check fails" larder layers check
nothing_copied "a broken superblock"
eject "a broken superblock"

# The medium's own end is missing.
medium_with "$T"/000-whole*
truncate -s $(($(unique_size 1) / 1024 / 4096 * 4096)) "$medium_file"
insert_medium
check_status 1 "a truncated medium: status 1 with --strict" larder boot --strict
check_output "and the medium is named with the reason" "$medium"
nothing_copied "a truncated medium"
eject "a truncated medium"

# After all that, the sound layer on the same volume.
medium_with "$T"/000-whole*
insert_medium
check "a sound medium afterwards" larder boot --strict
check_equal "its blob is served" "$(code "/v2/library/whole/blobs/$blob?ns=docker.io")" 200
check "and copied" larder layers sync

# The copy on the volume rots. Until it is synced, the medium has the same layer, and that is what it is served from.
volume_copy=/run/larder/volume/layers/000-whole-1.0.0.sqsh
said() { grep -c "$volume_copy: the blob $blob has other bytes than its digest says; it is not served from there" "$M/log/larderd"; }
printf '\377\377\377\377' | dd of="$volume_copy" bs=1 seek=$((1 << 19)) conv=notrunc status=none
eject "a sound medium afterwards"
insert_medium
before_lines=$(said)
check "a volume that rots: the boot goes on" larder boot
check_equal "a volume that rots: its layer is what is mounted" "$(losetup --list --noheadings --output BACK-FILE | grep -c "^$volume_copy")" 1
check_equal "a volume that rots: the blob comes from the medium, byte for byte" \
	"sha256:$(curl -s "$larderd_url/v2/library/whole/blobs/$blob?ns=docker.io" | sha256sum | cut -d' ' -f1)" "$blob"
check_equal "a volume that rots: its image is offered" "$(code "/v2/library/whole/manifests/1?ns=docker.io")" 200
check_equal "a volume that rots: the journal says so once" "$(said)" $((before_lines + 1))
eject "a volume that rots"
rm -f "$medium_file"
check "the medium is gone: the boot goes on" larder boot
check_equal "the medium is gone: the blob is not served" "$(code "/v2/library/whole/blobs/$blob?ns=docker.io")" 404
check "the medium is gone: larder stop" larder stop
done_testing
