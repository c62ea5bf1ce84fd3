#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A machine whose config names no disk: the volume is made in the free range of the disk that the system runs from, its other partitions
# are left as they are, and blank disks beside it, too. Its medium has a layer, and a cache tree like Talos's, and is slow: the machine is
# switched off while the layer is copied, and the next boot goes on with the copy.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
vm_begin
cache_images
dd if=/dev/urandom of="$T/filler" bs=1M count=40 status=none
IMAGE_EXTRA=$T/filler make_image "$T/images/large" 1 large >/dev/null
echo "docker.io/library/large:1=oci:$T/images/large:1" >>"$T/images/list"
cache_layer main 1.0.0 "$T/iso/larder/000-main-1.0.0.sqsh"
# And an image in a tree as Talos's own ISO has it.
make_image "$T/images/talos" 1 "hello from talos" amd64 >/dev/null
echo "ghcr.io/acme/talos:1=oci:$T/images/talos:1" >"$T/images/talos.list"
cache_layer talos 1.0.0 "$T/talos.sqsh" "$T/images/talos.list"
check "the ISO gets a cache tree" eval 'unsquashfs -quiet -no-progress -d "$T/iso/imagecache" "$T/talos.sqsh" && rm -r "$T/iso/imagecache/larder"'
check "an ISO is made" cache_iso LARDER_1 "$T/iso" "$T/larder.iso"
truncate -s 1G "$T/a.img" "$T/b.img"

# No VolumeConfig. Before it copies, larder-sync waits for the test.
vm_machine system
vm_enable
cache_config unused 'volume.label.startsWith("LARDER_")' | sed '/^kind: VolumeConfig/,/^---/d; /^apiVersion: v1alpha1$/d' | cache_machine
check "the config has no VolumeConfig" eval '! grep -q IMAGECACHE "$V/root/etc/larder/machine.yaml"'
mkdir "$V/root/etc/systemd/system/larder-sync.service.d"
printf '[Service]\nExecStartPre=/bin/sh -c "until test -e /run/copy; do sleep 0.5; done"\n' >"$V/root/etc/systemd/system/larder-sync.service.d/wait.conf"
vm_close

# The root filesystem becomes a partition; another one lies behind it, then nothing.
truncate -s 6G "$T/system.img"
printf 'label: gpt\nstart=2048, size=%d, name=root\nsize=16MiB, name=data\n' $(($(stat -c %s "$V/root.ext4") / 512)) | sfdisk -q "$T/system.img"
dd if="$V/root.ext4" of="$T/system.img" bs=1M seek=1 conv=notrunc,sparse status=none
data=$((1 + $(stat -c %s "$V/root.ext4") / 1048576))
dd if=/dev/urandom of="$T/system.img" bs=1M seek="$data" count=16 conv=notrunc status=none
rm "$V/root.ext4"
others() { # what must stay: the entries of the others, and what is in the one that is not mounted
	sfdisk --dump "$T/system.img" 2>/dev/null | grep -E '^label|^device|name="(root|data)"'
	dd if="$T/system.img" bs=1M skip="$data" count=16 status=none | sha256sum
}
before=$(others)
boot() { # SCENARIO [OPTION of the medium's drive]
	VM_LIVE='root=/dev/nvme0n1p1 rootfstype=ext4 ro' vm_boot "$1" -drive "if=none,id=system,file=$T/system.img,format=raw,cache=writeback" \
		-device nvme,drive=system,serial=SYSTEM -device virtio-scsi-pci \
		-drive "if=none,id=cd,file=$T/larder.iso,format=raw,media=cdrom,readonly=on${2+,$2}" -device scsi-cd,drive=cd \
		"${blank[@]}"
}
mapfile -t blank < <(vm_disk "$T/a.img" BLANK-A && vm_disk "$T/b.img" BLANK-B)

boot halted throttling.bps-read=500000
check_equal "the other partitions are as they were" "$(others)" "$before"
check_equal "there is one volume" "$(disk_volume "$T/system.img" | wc -l)" 1
check_equal "it was unmounted before the power went" "$(disk_volume_state "$T/system.img")" clean
for disk in a b; do check "blank disk $disk is still all zero" cmp --bytes=1073741824 "$T/$disk.img" /dev/zero; done
run grep -aiE 'failed (to )?unmount|not all file systems unmounted|still (busy|mounted)|stop job is running' "$vm_console"
check_equal "systemd unmounted everything without a complaint" "$(cat "$T/stdout")" ""

boot resumed
check_equal "the other partitions are as they were" "$(others)" "$before"
check_equal "the volume was unmounted before the power went" "$(disk_volume_state "$T/system.img")" clean
done_testing
