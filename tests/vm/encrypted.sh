#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Encrypted volumes on a kernel with device-mapper, and with a TPM (swtpm): made and opened at boot, opened again by each of their keys
# after a reboot, refused to wrong ones, grown while they are mounted. Then, on the same machine, disks that only a real kernel shows.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
requires swtpm cryptsetup jq
vm_begin
cache_images
cache_layer main 1.0.0 "$T/layers/000-main-1.0.0.sqsh"
truncate -s 2G "$T/cache.img"
truncate -s 1G "$T/tpm.img"
vm_machine encrypted
vm_enable
check "what a TPM needs is installed" vm_apt "$V/root" libtss2-esys-3.0.2-0 libtss2-rc0 libtss2-mu0 libtss2-tcti-device0
mkdir -p "$V/root/var/lib/larder/layers"
cp "$T/layers/000-main-1.0.0.sqsh" "$V/root/var/lib/larder/layers/"
cache_config 'disk.serial == "CACHE"' | sed 's/^  maxSize: 1GiB/&\
encryption:\
  provider: luks2\
  cipher: serpent-xts-plain64\
  keySize: 256\
  blockSize: 4096\
  options: [no_read_workqueue, same_cpu_crypt]\
  keys:\
    - {slot: 1, nodeID: {}}\
    - {slot: 0, static: {passphrase: "a passphrase, 17 letters"}}/' | cache_machine
chmod 600 "$V/root/etc/larder/machine.yaml"


mkdir "$T/tpm"
encrypted_boot() { # SCENARIO: with the same TPM, and the same UUID
	swtpm socket --tpm2 --tpmstate "dir=$T/tpm" --ctrl "type=unixio,path=$T/tpm/socket" --flags startup-clear >"$T/swtpm" 2>&1 7>&- &
	local tpm=$!
	cleanup kill "$tpm"
	until_true 20 test -S "$T/tpm/socket" || note "$(cat "$T/swtpm")"
	mapfile -t disks < <(vm_disk "$T/cache.img" CACHE; vm_disk "$T/tpm.img" TPM)
	vm_boot "$1" "${disks[@]}" -uuid 4c4c4544-0042-3510-8051-b4c04f4d3231 \
		-chardev "socket,id=tpm,path=$T/tpm/socket" -tpmdev emulator,id=tpm,chardev=tpm -device tpm-tis,tpmdev=tpm
	wait "$tpm" # it ends with the machine
}
encrypted_boot encrypted
# What this host's cryptsetup reads in the headers: cipher, block size and key size of the data, and nothing that is kept for the next open.
header_says() { # IMAGE
	local start size
	read -r start size < <(disk_volume "$1") || return
	dd if="$1" of="$T/header" bs=1M iflag=skip_bytes skip=$((start * 512)) count=16 conv=sparse status=none
	cryptsetup luksDump --dump-json-metadata "$T/header" |
		jq -r '.segments["0"] as $s | "\($s.encryption) \($s.sector_size) \([.keyslots[].key_size] | unique | map(. * 8)) \(.config.flags)"'
}
check_equal "the header is what the config says" "$(header_says "$T/cache.img")" "serpent-xts-plain64 4096 [256] null"
check_equal "and what is the default where it says nothing" "$(header_says "$T/tpm.img")" "aes-xts-plain64 512 [512] null"
encrypted_boot reopened

before=$(sha256sum <"$T/cache.img")
truncate -s 2G "$T/grow.img" "$T/slow.img"
truncate -s 300M "$T/table.img" "$T/blank.img"
printf 'label: gpt\nsize=64MiB, name=neighbour\n' | sfdisk -q "$T/table.img"
head -c 256M /dev/urandom >"$T/half.img"
printf 'label: gpt\nsize=16MiB, name=before\nsize=96MiB, name=IMAGECACHE.new\nsize=16MiB, name=after\n' | sfdisk -q --wipe always "$T/half.img"
dd if=/dev/zero of="$T/half.img" bs=1M seek=17 count=96 conv=notrunc status=none
plug() { "$LARDER_SOURCE/tests/vm/lib/plug" "$V/qmp" "$V/result.$((vm_boots + 1))" "$@" >>"$T/plug" 2>&1 & cleanup kill $!; }
plug 'pull the disk out' 0 -slow
plug 'put the disk in' 0 slow=SLOW
mapfile -t disks < <(vm_disk "$T/cache.img" CACHE readonly=on; vm_disk "$T/grow.img" GROW
	vm_disk "$T/table.img" TABLE; vm_disk "$T/blank.img" BLANK; vm_disk "$T/half.img" HALF)
vm_boot disks "${disks[@]}" -uuid 4c4c4544-0042-3510-8051-b4c04f4d3231 -qmp "unix:$V/qmp,server=on,wait=off" \
	-object throttle-group,id=limit,x-bps-write=1000000 -blockdev "driver=file,node-name=slow-file,filename=$T/slow.img" \
	-blockdev driver=throttle,node-name=slow,throttle-group=limit,file=slow-file \
	-device virtio-scsi-pci,id=scsi -device scsi-hd,bus=scsi.0,drive=slow,id=slow,serial=SLOW
check_equal "the disk was pulled out and put in" "$(cat "$T/plug")" ""
check_equal "nothing was written to the read-only disk" "$(sha256sum <"$T/cache.img")" "$before"
done_testing
