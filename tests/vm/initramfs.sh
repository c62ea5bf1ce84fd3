#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cache is set up by initramfs-tools before the root filesystem is entered, and larder-boot.service in the real root takes over what is
# mounted: with the machine config of the root filesystem; with that of the RAM disk, where the other one cannot be seen yet, also on an
# encrypted volume with a layer that is signed and goes through dm-verity; and when the RAM disk's is invalid, nothing is done there, and
# the boot goes on.
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

# The RAM disk's own config asks for an encrypted volume, with a cipher that OpenSSL has not, and for a signed layer through dm-verity. The key
# that it trusts comes along, also where somebody else's hook brought it already. So does what the machine's config asks for, while there is one.
initrd_sealed_iso "$T/sealed.iso"
mapfile -t cdrom < <(vm_cdrom "$T/sealed.iso")
truncate -s 2G "$T/sealed.img"
mapfile -t disk < <(vm_disk "$T/sealed.img" CACHE)
sealed_config() { initrd_sealed_config "cipher: '$1'"$'\n'"  keySize: $2"; }
sealed_config serpent-lrw-benbi 384 >"$etc/machine.yaml"
sealed_config xchacha12,aes-adiantum-plain64 256 >"$etc/initramfs.yaml"
cp "$etc/initramfs.yaml" "$V/root/opt/config/machine.yaml"
chmod 600 "$etc/machine.yaml" "$etc/initramfs.yaml" "$V/root/opt/config/machine.yaml"
for place in "$V/root/opt/config" "$etc"; do install -D -m 644 "$T/site.pub" "$place/keys/the site.pub"; done
cat >"$V/root/usr/share/initramfs-tools/hooks/a-site" <<'SH'
#!/bin/sh
[ "${1-}" != prereqs ] || exit 0
. /usr/share/initramfs-tools/hook-functions
copy_file config "/etc/larder/keys/the site.pub" && echo "site: has its key"
SH
chmod 755 "$V/root/usr/share/initramfs-tools/hooks/a-site"
check "the RAM disk is made anew, with what encryption and dm-verity need" in_root update-initramfs -u
note "$(grep -a 'larder: adds' "$T/out")"
check_equal "its passphrase is for root alone" "$(stat -c '%a %U' "$V/root/boot/initrd.img-$(initrd_kernel)")" "600 root"
check_equal "where somebody else had copied the key" "$(grep -aoE 'site: has its key|larder: adds' "$T/stdout" | xargs)" "site: has its key larder: adds"
check_no_output "nothing is called missing" 'is not there'
check "the key is in it, by its whole name" grep -qx 'etc/larder/keys/the site\.pub' <(chroot "$V/root" lsinitramfs "/boot/initrd.img-$(initrd_kernel)")
run initrd_list "/boot/initrd.img-$(initrd_kernel)"
for name in libcryptsetup libgcc_s dm-crypt dm-verity algif_skcipher adiantum nhpoly1305 chacha_generic serpent_generic lrw ecb; do
	check_output "$name is in it" "/$name"
done
rm "$etc/machine.yaml" "$V/root/usr/share/initramfs-tools/hooks/a-site"
initrd_boot sealed "" "${disk[@]}" $initrd_uuid "${cdrom[@]}"

# Without the ISO, without the key that opened it, and nobody else has copied the key that it trusts.
sed -i '/static: {passphrase/d' "$etc/initramfs.yaml"
check "the RAM disk is made anew, with one key of the volume alone" in_root update-initramfs -u
check_no_output "nothing is called missing" 'is not there'
initrd_boot sealed-own "" "${disk[@]}" $initrd_uuid
vm_close
done_testing
