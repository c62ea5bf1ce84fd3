#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bad input: each gives one clear message with file and line where there is one, the right exit status, and no disk has changed.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/machine.sh"
. "$LARDER_SOURCE/tests/lib/disks.sh"
in_namespaces "$@"
requires mkfs.ext4 busybox jq
mkdir -p "$T/run"
export M=$T/machine
machine_start # with an /etc of its own: a boot writes settings of container runtimes
trap 'machine_end; run_cleanups' EXIT

truncate -s 2G "$T/disk.img"
disk_attach "$T/disk.img"
config() { # [SELECTOR]: a good one, from which each case departs
	cat <<-YAML
		apiVersion: v1alpha1
		kind: ImageCacheConfig
		local: {enabled: true}
		---
		apiVersion: v1alpha1
		kind: VolumeConfig
		name: IMAGECACHE
		provisioning:
		  waitTimeout: 0s
		  diskSelector: {match: '${1:-disk.dev_path == "$disk"}'}
	YAML
}
boot() { larder boot --config "$T/machine.yaml" --run-dir "$T/run" "$@"; }
untouched() { # DESCRIPTION
	check "$1: the disk is still blank" cmp -n $((2 << 30)) "$T/disk.img" /dev/zero
	check_equal "$1: nothing is mounted" "$(grep -c " $T/run/" /proc/self/mounts)" 0
}
refused() { # STATUS REGEX DESCRIPTION [ARGUMENTS…]
	local expected=$1 regex=$2 description=$3
	shift 3
	check_status "$expected" "$description: status $expected" boot "$@"
	check_output "$description: says why" "$regex"
	check_equal "$description: in one message" "$(grep -c '^larder: ' "$T/stderr")" 1
	untouched "$description"
}

printf 'kind: VolumeConfig\n  name: [unclosed\n' >"$T/machine.yaml"
refused 2 "machine.yaml:[0-9]+:[0-9]+: " "broken YAML"

config | sed 's/provisioning:/provisoning:/' >"$T/machine.yaml"
refused 2 "machine.yaml:8:[0-9]+: .*provisoning.*provisioning" "an unknown key"

config 'disk.sise > 10u' >"$T/machine.yaml"
refused 2 "machine.yaml:10:[0-9]+: .*sise.*size" "a selector that does not compile"

config 'disk.size > 10' >"$T/machine.yaml"
refused 2 "machine.yaml:10:[0-9]+: .*10u" "a selector with the wrong type"

rm "$T/machine.yaml"
refused 2 "machine.yaml: there is no such file" "a missing config file"

# A selector of true matches the machine's own root disk, which is in use. Only that disk and ours are to be seen here.
config true >"$T/machine.yaml"
mkfs.ext4 -q -F "$T/disk.img"
before=$(sha256sum <"$T/disk.img")
root=$(findmnt -nvo SOURCE /)
[ -b "$root" ] || skip_all "the root file system is not on a block device"
root_disk=/dev/$(lsblk -ndo PKNAME "$root" | grep . || basename "$root")
only_disks "$root_disk" "$disk"
check "disks" larder disks --output json
check_equal "only two disks are to be seen" "$(jq -r '.disks[].dev_path' "$T/stdout" | sort | xargs)" "$(printf '%s\n' "$root_disk" "$disk" | sort | xargs)"
[ $tap_failed = 0 ] || done_testing
# Where a table would be. Some sandboxes let nobody open their root disk: then there is nothing to compare, and nothing to fear.
beginning() { dd if="$root_disk" bs=4096 count=1 iflag=direct 2>/dev/null | sha256sum; }
table=$(beginning) partitions=$(lsblk -nro NAME "$root_disk")
check_status 1 "a selector of true: the boot is degraded" boot --strict
check_output "and says why the root disk is refused" "$(basename "$root_disk"): .*(mounted|in use|cannot be opened)"
check_equal "the root disk has not got a partition table" "$(beginning)" "$table"
check_equal "nor a partition" "$(lsblk -nro NAME "$root_disk")" "$partitions"
check_output "and says what was found on the other disk" "$(basename "$disk").*ext4"
check_equal "a foreign ext4 compares equal" "$(sha256sum <"$T/disk.img")" "$before"
check_status 0 "without --strict the boot goes on" boot
larder stop --run-dir "$T/run" 2>/dev/null
done_testing
