#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job on a booted machine: an ISO with the cache, a blank disk, mirrors that are all dead; then again without the ISO.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
vm_begin
cache_images
dd if=/dev/urandom of="$T/filler" bs=1M count=32 status=none
IMAGE_EXTRA=$T/filler make_image "$T/images/large" 1 large >/dev/null
echo "docker.io/library/large:1=oci:$T/images/large:1" >>"$T/images/list"
cache_layer iscsi-tools v0.1.1 "$T/iso/larder/000-iscsi-tools-v0.1.1.sqsh"
check "an ISO is made" cache_iso LARDER_1 "$T/iso" "$T/larder.iso"
truncate -s 2G "$T/cache.img"
mapfile -t disk < <(vm_disk "$T/cache.img" CACHE)
mapfile -t cdrom < <(vm_cdrom "$T/larder.iso")

vm_machine main
check_status 1 "the package enables nothing" systemctl --root="$V/root" is-enabled larder.target
check "systemctl enable larder.target" vm_enable
cache_config 'disk.serial == "CACHE" && !disk.readonly' 'volume.label.startsWith("LARDER_")' | cache_machine
vm_boot first "${disk[@]}" "${cdrom[@]}"

# The shutdown, seen from outside.
shutdown_clean() { # NAME [LARDERD…]: what the journal may say of larderd
	check_equal "$1: the volume was unmounted before the power went" "$(disk_volume_state "$T/cache.img")" clean
	run grep -aiE 'failed (to )?unmount|not all file systems unmounted|still (busy|mounted)|stop job is running' "$vm_console"
	check_equal "$1: systemd unmounted everything without a complaint" "$(cat "$T/stdout")" ""
	vm_open
	run vm_journal --grep 'Failed to (stop|unmount)|Failed with result|Unit entered failed|ordering cycle'
	check_equal "$1: no unit failed from the first moment to the last" "$(grep -v "larderd.service: ${2-nothing}" "$T/stdout")" ""
	[ -z "$(grep -v "larderd.service: ${2-nothing}" "$T/stdout")" ] || note "$(vm_journal --output short-monotonic --unit larderd.service --unit larder-boot.service --unit larder-sync.service)"
	run vm_journal --grep "State '(stop|final)[a-z-]*' timed out|[Ss]topping timed out|Processes still around"
	check_equal "$1: nothing took too long to stop" "$(cat "$T/stdout")" ""
	run vm_journal --unit larder-boot.service
	check_output "$1: larder-boot.service was stopped" 'Stopped larder-boot.service'
}
# The test itself kills larderd.
shutdown_clean first "Failed with result 'signal'"
run sfdisk --dump "$T/cache.img"
table=$(cat "$T/stdout")
check_output "one partition named IMAGECACHE" 'name="IMAGECACHE"'
# An empty runtime, as on a machine that was installed anew.
rm -rf --one-file-system "$V/root/var/lib/containerd" "$V/root"/var/log/journal/*
vm_boot again "${disk[@]}"
# A client had read a part of a blob, and no further.
shutdown_clean again
check_equal "the partition table is as it was" "$(sfdisk --dump "$T/cache.img" 2>/dev/null)" "$table"

# An upgrade: the next ISO brings another version of the layer, with a newer image instead of one. (A medium may not replace a tag.)
digest=$(make_image "$T/images/greeter-2.1" 2.1 "hello from greeter, again" amd64 arm64)
sed -i "s,^ghcr.io/acme/greeter:2.0=.*,ghcr.io/acme/greeter:2.1=oci:$T/images/greeter-2.1:2.1," "$T/images/list"
sed -i "s,^ghcr.io/acme/greeter:2.0 .*,ghcr.io/acme/greeter:2.1 $digest," "$T/images/expected"
rm -rf "$T/iso"
cache_layer iscsi-tools v0.1.4 "$T/iso/larder/000-iscsi-tools-v0.1.4.sqsh"
check "the next ISO is made" cache_iso LARDER_2 "$T/iso" "$T/larder2.iso"
mapfile -t cdrom < <(vm_cdrom "$T/larder2.iso")
rm -rf --one-file-system "$V/root/var/lib/containerd" "$V/root"/var/log/journal/*
cp "$T/images/expected" "$V/root/opt/vm/expected"
vm_boot upgrade "${disk[@]}" "${cdrom[@]}"
shutdown_clean upgrade
rm -rf --one-file-system "$V/root/var/lib/containerd" "$V/root"/var/log/journal/*
vm_boot upgraded "${disk[@]}"
shutdown_clean upgraded

# Turned off: the next boot takes back what the runtimes were told, since nobody keeps the port any more.
check "systemctl disable larder.target" systemctl --root="$V/root" disable larder.target
check "containerd is still told to ask the cache" grep -rq 127.0.0.1:3172 "$V/root/etc/containerd"
rm "$V/root/etc/systemd/system/sysinit.target.wants/port-thief.service"
VM_NO_THIEF=1 vm_boot disabled "${disk[@]}"
check_equal "disabled: the volume was not touched" "$(disk_volume_state "$T/cache.img")" clean
vm_open
vm_close
done_testing
