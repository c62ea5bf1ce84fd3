#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The disks of this very machine: the one behind "/" is the system disk, in another mount namespace too; a loop device is a disk like
# any other; what cannot be opened is a row with the reason, not a failure.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires_root
requires jq losetup findmnt lsblk setpriv unshare

truncate -s 24M "$T/disk"
device=$(attach_loop "$T/disk") || { fail "losetup"; done_testing; }
cleanup losetup -d "$device"

check_status 0 "the disks of this machine" larder disks
check_output "with the loop device" "^$device +25 MB +"
check_status 0 "one of them with all its fields" larder disks "$device" --output json
check_equal "its fields" "$(jq -c '[.dev_path, .size, .sector_size, .readonly, .cdrom, .bus_path, .sub_system, .transport, .system_disk]' "$T/stdout")" \
	"[\"$device\",25165824,512,false,false,\"/virtual\",\"/sys/class/block\",\"\",false]"

# lsblk walks down from the device of "/" by its own means.
root=$(findmnt -nvo SOURCE / | sed 's/\[.*//')
if [ -b "$root" ] || [ -e "/sys/class/block/${root#/dev/}" ]; then
	expected=$(lsblk -nrspo NAME,TYPE "$root" 2>/dev/null | awk '$2 == "disk" { print $1 }' | sort -u)
	[ -n "$expected" ] || expected=$root
	system='[.disks[] | select(.system_disk) | .dev_path] | sort | .[]'
	for where in "" "unshare --mount --propagation private"; do
		check_status 0 "asked ${where:-here}" $where larder disks --output json
		missing=$(comm -23 <(echo "$expected") <(jq -r "$system" "$T/stdout"))
		check_equal "the disk behind / is the system disk" "$missing" ""
		check_equal "and the loop device is not" "$(jq -r "$system" "$T/stdout" | grep -x "$device")" ""
	done
	check_status 0 "the selector system_disk" larder disks --match system_disk --output json
	check_equal "does not match the loop device" \
		"$(jq -r --arg d "$device" '.disks[] | select(.dev_path == $d) | .match' "$T/stdout")" no
else
	echo "ok $((++tap_count)) - the system disk # SKIP / is on no block device here ($root)"
fi

# A user who may not open disks sees them all the same. The program and its build may be out of reach for that user: copy it.
cp "$(command -v larder)" "$T/larder"
chmod 755 "$T" "$T/larder"
check_status 0 "disks for a user who may not open them" setpriv --reuid 65534 --regid 65534 --clear-groups "$T/larder" disks --match true
check_output "each a row with the reason" "^$device .*cannot be opened: Permission denied$"

# A new disk while one is looking: the list is complete again each time.
losetup -d "$device"
check_loops "the loop device is detached" 0 "$T/disk"
check_status 0 "without the loop device" larder disks
check_no_output "it is gone" "^$device "
done_testing
