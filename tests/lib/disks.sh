# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Disks made of files, for tests as root. The kernel keeps the partitions of a loop device when it is detached without partition
# scanning, so they are taken away one by one.

# disk_attach FILE [losetup options]: sets $disk, the device; it goes when the test ends.
disk_attach() {
	disk=$(losetup --find --show "$@") || { fail "a loop device can be attached"; done_testing; }
	disk_forget "$disk" # what an earlier user of the device left
	cleanup disk_detach "$disk"
}
disk_forget() { # DEVICE: the kernel forgets its partitions
	local part
	for part in /sys/class/block/"${1##*/}"/"${1##*/}"p*; do
		[ -e "$part/partition" ] && delpart "$1" "$(cat "$part/partition")"
	done
	return 0
}
disk_detach() { # DEVICE
	disk_forget "$1"
	losetup -d "$1"
}

# disk_new SIZE [losetup options]: a blank disk; sets $disk and $disk_file.
disk_count=0
disk_new() {
	disk_file=$T/disk$((disk_count++)).img
	truncate -s "$1" "$disk_file"
	shift
	disk_attach "$disk_file" "$@"
}

# disk_config DEVICE [LINE…]: a machine config for that disk alone, with these lines below provisioning; sets $config.
disk_config() {
	config=$T/machine-${1##*/}.yaml
	{
		printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\nprovisioning:\n'
		printf '  diskSelector: {match: disk.dev_path == "%s"}\n' "$1"
		shift
		[ $# = 0 ] || printf '  %s\n' "$@"
	} >"$config"
}

# image_config [LINE…]: the same for image files.
image_config() {
	config=$T/machine-image.yaml
	{
		printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\nprovisioning:\n  diskSelector: {match: "false"}\n'
		[ $# = 0 ] || printf '  %s\n' "$@"
	} >"$config"
}

# volume_start: larder volume with $config and a run directory of the test's own, which is unmounted at the end.
volume_start() {
	run_dir=$T/run
	mkdir "$run_dir"
	cleanup umount "$run_dir/volume"
}
volume() { # WORD [OPTION…]
	local word=$1
	shift
	larder volume "$word" --config "$config" --run-dir "$run_dir" "$@"
}
unmount() { umount "$run_dir/volume"; }
field() { jq -r "$1" "$T/stdout"; }

# range_hash FILE FIRST COUNT: what is in these sectors of 512 bytes.
range_hash() { dd if="$1" bs=512 skip="$2" count="$3" status=none | sha256sum | cut -d' ' -f1; }

# Both ends of a disk: every byte of its partition table.
table_bytes() {
	local sectors
	if [ -b "$1" ]; then sectors=$(blockdev --getsz "$1"); else sectors=$(($(stat -c %s "$1") / 512)); fi
	echo "$(range_hash "$1" 0 2048) $(range_hash "$1" $((sectors - 2048)) 2048)"
}
