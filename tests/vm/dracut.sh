#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cache is set up by dracut before the root filesystem is entered, and larder-boot.service in the real root takes over what is mounted: on an
# encrypted volume, made and opened there by each of its keys, with a layer that is signed and goes through dm-verity.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
. "$LARDER_SOURCE/tests/vm/lib/initramfs.sh"
vm_begin
cache_images
initrd_sealed_iso "$T/larder.iso"
mapfile -t cdrom < <(vm_cdrom "$T/larder.iso")
truncate -s 2G "$T/cache.img"
mapfile -t disk < <(vm_disk "$T/cache.img" CACHE)

vm_machine dracut
vm_enable
initrd_sealed_config | cache_machine
chmod 600 "$V/root/etc/larder/machine.yaml"
install -D -m 644 "$T/site.pub" "$V/root/etc/larder/keys/the site.pub"
check "larder-dracut is installed" vm_install "$V/root" larder-dracut
check_output "it says what it adds" 'larder: adds [0-9]+ KiB'
note "$(grep -a 'larder: adds' "$T/out")"
initrd_libraries="usr/lib/x86_64-linux-gnu/libcryptsetup.so.12 usr/lib/x86_64-linux-gnu/libgcc_s.so.1"
initrd_programs="$initrd_programs usr/sbin/dmsetup"
initrd_files="$initrd_files 11-dm.rules 55-dm.rules 60-persistent-storage-dm.rules"
initrd_modules="$initrd_modules dm_mod dm_crypt dm_verity crypto-aes crypto-xts crypto-ecb crypto-sha256"
initrd_check 50-larder-pre-pivot.sh dracut --quiet --force --omit larder /without.img "$(initrd_kernel)"

# Where dracut takes along only what it thinks this host needs, here none of its disks, all of it is there, too.
check "an initial RAM disk is made in the strictest hostonly mode" in_root dracut --quiet --force --hostonly --hostonly-mode strict /hostonly.img "$(initrd_kernel)"
initrd_list /hostonly.img | initrd_names >"$T/hostonly"
rm "$V/root/hostonly.img"
check_equal "which leaves drivers out" "$(comm -23 <(initrd_names <"$T/with") "$T/hostonly" | grep -cxE 'megaraid_sas|mpt3sas|btrfs|xfs')" \
	"$(initrd_names <"$T/with" | grep -cxE 'megaraid_sas|mpt3sas|btrfs|xfs')"
check_equal "all that larder needs is in it" "$(comm -23 "$T/wanted" "$T/hostonly")" ""
check "with what calls it" grep -qx 50-larder-pre-pivot.sh "$T/hostonly"
initrd_boot sealed "" "${disk[@]}" $initrd_uuid "${cdrom[@]}"

# Without the ISO, and without the key that opened it.
sed -i '/static: {passphrase/d' "$V/root/etc/larder/machine.yaml"
initrd_boot sealed-again "" "${disk[@]}" $initrd_uuid
vm_close
done_testing
