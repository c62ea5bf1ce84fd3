#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cache is set up by initramfs-tools before the root filesystem is entered, and larder-boot.service in the real root takes over what is
# mounted: with the machine config of the root filesystem; with that of the RAM disk, where the other one cannot be seen yet; and when
# the RAM disk's is invalid, nothing is done there, and the boot goes on.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
. "$LARDER_SOURCE/tests/vm/lib/initramfs.sh"
vm_begin
cache_images
cache_layer main 1.0.0 "$T/iso/larder/000-main-1.0.0.sqsh"
check "an ISO is made" cache_iso LARDER_1 "$T/iso" "$T/larder.iso"
mapfile -t cdrom < <(vm_cdrom "$T/larder.iso")
truncate -s 2G "$T/cache.img"
mapfile -t disk < <(vm_disk "$T/cache.img" CACHE)

vm_machine initramfs
vm_enable
cache_config 'disk.serial == "CACHE" && !disk.readonly' 'volume.label.startsWith("LARDER_")' | cache_machine
etc=$V/root/etc/larder
# All of the machine's config is a drop-in, and the RAM disk's own is invalid: it does not count.
mkdir "$etc/machine.yaml.d"
mv "$etc/machine.yaml" "$etc/machine.yaml.d/10-site.yaml"
sed 's/localEnabled/localEnable/' "$etc/machine.yaml.d/10-site.yaml" >"$etc/initramfs.yaml"
before=$(initrd_size)
check "larder-initramfs is installed" vm_install "$V/root" larder-initramfs
check_output "it says what it adds" 'larder: adds [0-9]+ KiB'
note "$(grep -a 'larder: adds' "$T/out")" "the initial RAM disk: $before bytes without larder, $(initrd_size) with it, compressed"
check_output "and what is wrong with the config for the RAM disk" '/etc/larder/initramfs\.yaml:5:.*localEnabled'
initrd_files="$initrd_files machine.yaml"
initrd_check larder sh -c 'cd /usr/share/initramfs-tools && mv hooks/larder /hook && mv scripts/local-bottom/larder /script || exit
	mkinitramfs -o /without.img "$1"
	result=$?
	mv /hook hooks/larder && mv /script scripts/local-bottom/larder && exit $result' sh "$(initrd_kernel)"
initrd_boot initrd "$T/cache.img" "${disk[@]}" "${cdrom[@]}"

# /etc/larder is mounted after the root filesystem was entered.
mkdir "$V/root/opt/config"
mv "$etc/machine.yaml.d/10-site.yaml" "$V/root/opt/config/machine.yaml"
echo '/opt/config /etc/larder none bind 0 0' >>"$V/root/etc/fstab"
initrd_boot initrd-later "$T/cache.img" "${disk[@]}"

# And without the ISO, all from the volume.
cp "$V/root/opt/config/machine.yaml" "$etc/initramfs.yaml"
check "the RAM disk is made anew, with a valid config" in_root update-initramfs -u
initrd_boot initrd-again "$T/cache.img" "${disk[@]}"

# A config that asks for all there is, the RAM disk's own, too. The key that it trusts comes along. That such a RAM disk opens the volume is
# shown with dracut.
initrd_sealed_iso "$T/sealed.iso"
initrd_sealed_config "cipher: serpent-xts-plain64" >"$V/root/opt/config/machine.yaml"
chmod 600 "$V/root/opt/config/machine.yaml"
cp -p "$V/root/opt/config/machine.yaml" "$etc/initramfs.yaml"
for place in "$V/root/opt/config" "$etc"; do install -D -m 644 "$T/site.pub" "$place/keys/site.pub"; done
check "the RAM disk is made anew, with what encryption and dm-verity need" in_root update-initramfs -u
note "$(grep -a 'larder: adds' "$T/out")"
run initrd_list "/boot/initrd.img-$(initrd_kernel)"
for name in libcryptsetup libgcc_s dm-crypt dm-verity serpent algif_skcipher site.pub; do check_output "$name is in it" "/$name"; done
vm_close
done_testing
