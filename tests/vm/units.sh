#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units on a machine that makes their order hard: /etc/larder is a filesystem of its own, an encrypted volume is opened and mounted at
# boot, every runtime is installed. Then they are stopped, killed, starved and started in any order.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
vm_begin
cache_images
cache_layer main 1.0.0 "$T/layers/000-main-1.0.0.sqsh"
truncate -s 2G "$T/cache.img"
truncate -s 64M "$T/secret.img"

vm_machine units
vm_enable
cache_config 'disk.serial == "CACHE" && !disk.readonly' | cache_machine
mkdir -p "$V/root/var/lib/larder/layers"
cp "$T"/layers/* "$V/root/var/lib/larder/layers/"

# What is in /etc/larder moves to a disk.
truncate -s 16M "$T/etc.img"
mkfs.ext4 -q -F -d "$V/root/etc/larder" "$T/etc.img"
rm "$V/root/etc/larder/machine.yaml"
echo '/dev/disk/by-id/virtio-ETC /etc/larder ext4 defaults 0 2' >>"$V/root/etc/fstab"

# An encrypted volume with a key of its own, made and mounted at every boot.
head -c 64 /dev/urandom >"$V/root/etc/secret.key"
chmod 600 "$V/root/etc/secret.key"
echo 'secret /dev/disk/by-id/virtio-SECRET /etc/secret.key plain,cipher=aes-xts-plain64,size=512,tmp=ext4' >"$V/root/etc/crypttab"
echo '/dev/mapper/secret /srv ext4 defaults 0 2' >>"$V/root/etc/fstab"

# Runtimes that say whether the cache was there when they started; some are installed only.
runtime() { # NAME
	cat >"$V/root/etc/systemd/system/$1.service" <<-'UNIT'
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/sh -c 'mountpoint -q /run/larder/volume && test -d /run/larder/cache/manifests && touch /run/%N.found'
	UNIT
}
for name in crio docker podman k3s k3s-agent rke2-server rke2-agent kubelet; do runtime "$name"; done
for name in crio docker k3s rke2-agent kubelet; do
	ln -s "../$name.service" "$V/root/etc/systemd/system/multi-user.target.wants/$name.service"
done

mapfile -t disks < <(vm_disk "$T/cache.img" CACHE && vm_disk "$T/etc.img" ETC && vm_disk "$T/secret.img" SECRET)
vm_boot units "${disks[@]}"
check_equal "the volume was unmounted before the power went" "$(disk_volume_state "$T/cache.img")" clean
vm_open
run vm_journal --grep 'Failed to (stop|unmount)|ordering cycle'
check_equal "nothing was left to unmount, and there was no cycle" "$(cat "$T/stdout")" ""
vm_close
done_testing
