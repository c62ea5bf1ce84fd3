# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Initial RAM disks with larder in them: made as a kernel's package would, and what larder adds, in names: of files without versions, of kernel
# modules without their ending. The machine's root is open, in $V/root.

# What must be there: the pipeline, the programs that it runs, what they are linked with, filesystems of volumes, layers and media. A test
# whose machine config asks for more adds to them, and to the files.
initrd_programs="usr/lib/larder/larder-boot usr/sbin/mkfs.ext4 usr/sbin/e2fsck usr/sbin/resize2fs"
initrd_libraries=""
initrd_modules="loop squashfs overlay ext4 erofs isofs udf vfat nls_ascii nls_cp437 nls_iso8859-1 nls_utf8 sr_mod cdrom"
initrd_files="mke2fs mke2fs.conf" # mke2fs is what mkfs.ext4 leads to

initrd_kernel() { basename "$V"/root/boot/initrd.img-* | sed 's/^initrd.img-//'; }
initrd_size() { stat -c %s "$V/root/boot/initrd.img-$(initrd_kernel)"; }

in_root() { # COMMAND…: in a chroot
	local result
	mount --bind /dev "$V/root/dev" && mount -t proc proc "$V/root/proc" && mount -t sysfs sysfs "$V/root/sys" || return
	chroot "$V/root" "$@"
	result=$?
	umount "$V/root/sys" "$V/root/proc" "$V/root/dev"
	return $result
}

# initrd_sealed_iso ISO: a signed layer with a hash tree; its keys are $T/site.key and $T/site.pub.
initrd_sealed_iso() {
	local file=$T/sealed/larder/000-main-1.0.0.sqsh
	mkdir -p "$T/sealed/larder"
	openssl genpkey -algorithm ed25519 -out "$T/site.key" 2>"$T/out"
	openssl pkey -in "$T/site.key" -pubout -out "$T/site.pub"
	check "a signed layer is built with a hash tree" larder build --images "$T/images/list" --platform all --name main --version 1.0.0 \
		--output "$file" --sign "$T/site.key" --verity
	check "an ISO with it is made" cache_iso LARDER_1 "$T/sealed" "$1"
}
# initrd_sealed_config [LINE]: wants it signed and through dm-verity, and the volume encrypted, with that line. In its machine's root the key lies in
# /etc/larder/keys, under a name of two words.
initrd_sealed_config() {
	cat >"$T/encryption" <<-YAML
		encryption:
		  provider: luks2
		  keys:
		    - {slot: 0, static: {passphrase: "a passphrase, 17 letters"}}
		    - {slot: 1, nodeID: {}}
		  ${1-}
	YAML
	cache_config 'disk.serial == "CACHE" && !disk.readonly' 'volume.label.startsWith("LARDER_")' | sed "/^  maxSize/r $T/encryption"
	printf -- '---\napiVersion: larder/v1alpha1\nkind: CacheLayerConfig\nlayers: [{name: main, version: 1.0.0, rootHash: %s}]\ntrust: {keys: ["/etc/larder/keys/the site.pub"], required: true}\n' \
		"$(cat "$T/sealed/larder/000-main-1.0.0.sqsh.roothash")"
}
initrd_uuid="-uuid 4c4c4544-0042-3510-8051-b4c04f4d3231"

initrd_list() { # IMAGE: the paths of everything that is no directory
	chroot "$V/root" sh -c 'if command -v lsinitrd; then lsinitrd "$1"; else lsinitramfs -l "$1"; fi' sh "$1" | awk '/^[-l]/ && NF > 8 { print $9 }' | LC_ALL=C sort -u
}
initrd_names() { sed -E 's,.*/,,; s/\.so\..*/.so/; s/\.ko(\..*)?$//' | LC_ALL=C sort -u; }

# All that it may add.
initrd_wanted() { # KERNEL
	local program module
	{
		printf '%s\n' $initrd_programs $initrd_files
		for program in $initrd_libraries; do printf '%s\n' "$program" "$(chroot "$V/root" readlink -f "/$program")"; done
		for program in $initrd_programs $initrd_libraries; do chroot "$V/root" ldd "/$program"; done | awk '/=> \// { print $3 }' |
			while read -r library; do printf '%s\n' "$library" "$(chroot "$V/root" readlink -f "$library")"; done
		for module in $initrd_modules; do chroot "$V/root" modprobe --all --set-version "$1" --show-depends "$module" 2>/dev/null; done | awk '$1 == "insmod" { print $2 }'
	} | initrd_names
}

# initrd_check SCRIPT COMMAND…: what the RAM disk has more than one that COMMAND makes, without larder, as /without.img.
initrd_check() {
	local script=$1 kernel
	kernel=$(initrd_kernel)
	shift
	check "an initial RAM disk without larder is made" in_root "$@"
	initrd_list /without.img >"$T/without"
	initrd_list "/boot/initrd.img-$kernel" >"$T/with"
	rm "$V/root/without.img"
	check "both have contents" test "$(wc -l <"$T/without")" -gt 100 -a "$(wc -l <"$T/with")" -gt 100
	check_equal "nothing is taken out of it" "$(comm -23 "$T/without" "$T/with")" ""
	initrd_wanted "$kernel" >"$T/wanted"
	comm -13 "$T/without" "$T/with" | initrd_names >"$T/added"
	# initramfs-tools keeps a list of its scripts in ORDER.
	check_equal "nothing is added that larder does not need" "$(comm -13 "$T/wanted" "$T/added" | grep -vxE "$script|ORDER")" ""
	check_equal "and all that it needs is there" "$(comm -23 "$T/wanted" <(initrd_names <"$T/with"))" ""
	check "with what calls it" grep -qx "$script" "$T/added"
	note "added: $(xargs <"$T/added")"
}

# The machine's RAM disk, as it is. IMAGE: the disk whose volume must be clean afterwards, or nothing.
initrd_boot() { # SCENARIO IMAGE OPTION…
	local scenario=$1 image=$2
	shift 2
	cp "$V/root/boot/initrd.img-$(initrd_kernel)" "$V/initrd"
	VM_INITRD=$V/initrd vm_boot "$scenario" "$@"
	[ -z "$image" ] || check_equal "$scenario: the volume was unmounted before the power went" "$(disk_volume_state "$image")" clean
	vm_open
	run vm_journal --boot --grep 'Failed to (stop|unmount)|Failed with result|ordering cycle'
	check_equal "$scenario: no unit failed" "$(cat "$T/stdout")" ""
	[ ! -s "$T/stdout" ] || note "$(vm_journal --boot --output=short-monotonic --identifier larderd --identifier larder-boot --unit larderd.service | tail -30)"
}
