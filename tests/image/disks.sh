#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Disks of captured machines (tests/machines/*.tree): every field and the system disk, compared whole; every selector of
# examples/selectors.md with what it claims to match; and what "larder disks" says when it is used wrongly.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires jq

for tree in "$LARDER_SOURCE"/tests/machines/*.tree; do
	name=$(basename "$tree" .tree)
	mkdir "$T/$name"
	unpack-tree "$tree" "$T/$name" || { fail "$name unpacks"; continue; }
	larder disks --root "$T/$name" --output json >"$T/$name.json" 2>"$T/$name.err"
	check "machine $name: every field, and the system disk" \
		diff -u "$LARDER_SOURCE/tests/expected/disks/$name.json" "$T/$name.json"
	check_equal "machine $name: nothing to complain of" "$(cat "$T/$name.err")" ""
done
for expected in "$LARDER_SOURCE"/tests/expected/disks/*.json; do
	[ -e "$T/$(basename "$expected")" ] || fail "$expected belongs to no machine"
done

# matched MACHINE EXPR: the disks that it matches, in one line.
matched() {
	larder disks --root "$T/$1" --match "$2" --output json 2>"$T/err" |
		jq -r '[.disks[] | select(.match == "yes") | .dev_path] | join(", ")'
}

# A fenced expression, and below it lines "- `machine`: /dev/a, /dev/b" or "- `machine`: nothing".
examples=0 claims=0 expression='' fenced=0
while IFS= read -r line; do
	case $line in
	'```cel') expression='' fenced=1 ;;
	'```') [ $fenced = 1 ] && ((++examples)); fenced=0 ;;
	'- `'*'`: '*)
		machine=${line#'- `'}; machine=${machine%%'`'*}
		claim=${line#*'`: '}; [ "$claim" = nothing ] && claim=''
		((++claims))
		check_equal "examples/selectors.md: $expression on $machine" "$(matched "$machine" "$expression")" "$claim"
		;;
	*) [ $fenced = 1 ] && expression+=${expression:+$'\n'}$line ;;
	esac
done <"$LARDER_SOURCE/examples/selectors.md"
[ $examples -ge 20 ] && [ $claims -ge $examples ]
verdict $? "the examples are at least twenty, and each claims something ($examples, $claims)"

check_status 0 "a table of one machine" larder disks --root "$T/sata"
check_output "names the disk, its size and its serial number" '^/dev/sda +480 GB +flash +sata +INTEL SSDSC2KB48 +BTYF1234567890AB +yes$'
check_no_output "without a column of problems, since there are none" PROBLEM
check_status 0 "an expression that errs on some disks" larder disks --root "$T/sata" \
	--match 'disk.symlinks[0].startsWith("/dev/disk")'
check_output "is answered for the others" '^/dev/sda .*yes$'
check_output "and explained for these" '^/dev/sr0 .* no element 0$'
check_status 0 "one disk, by a name that udev gave" larder disks /dev/disk/by-id/wwn-0x55cd2e4150ab12cd --root "$T/sata"
check_output "every field" '^bus_path +/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0$'
check_status 0 "one disk with a selector, as YAML" larder disks sdb --root "$T/sata" --match 'disk.rotational' -o yaml
check_output "its answer" '^match: .?yes'
check_status 1 "a disk that is not there" larder disks nvme1n3 --root "$T/nvme"
check_output "with the name that was probably meant" 'did you mean "nvme1n[12]"'
check_status 1 "one with a path" larder disks /dev/nvme1n3 --root "$T/nvme"
check_output "the same" 'did you mean "/dev/nvme1n[12]"'
check_status 1 "one that is near to none, but for /dev" larder disks /dev/nope --root "$T/nvme"
check_output "is not guessed at" 'there is no disk "/dev/nope"; "larder disks" lists'
mkdir "$T/nowhere"
check_status 1 "a machine without /sys" larder disks --root "$T/nowhere"
check_output "says so" nowhere
check_status 2 "a selector that does not compile" larder disks --root "$T/sata" --match 'disk.siez > 1u'
check_output "is named with its place" '^(larder: )?--match:1:'
check_output "shown with a caret" '^ *\^'
check_output "and corrected" 'disk\.size|"size"'
check_equal "nothing else was printed" "$(cat "$T/stdout")" ""
check_status 2 "a selector that is no yes or no" larder disks --root "$T/sata" --match 'disk.size'
check_status 2 "two disks" larder disks sda sdb --root "$T/sata"

# The machine config only says which disk is the system disk.
mkdir -p "$T/virtio/etc/larder"
echo 'machine: {install: {diskSelector: {size: ">= 20GB"}}}' >"$T/install.yaml"
check_status 0 "install.diskSelector of a config given by name" larder disks --root "$T/virtio" --config "$T/install.yaml" -o json
check_equal "says which disk is the system disk" "$(jq -r '.disks[] | select(.system_disk) | .dev_path' "$T/stdout")" /dev/vdb
check_output "and why" 'install.diskSelector of the machine config matches /dev/vdb'
check_status 2 "a config by a name that is not there" larder disks --root "$T/virtio" --config "$T/none.yaml"
check_output "is missed" 'none\.yaml'
echo 'machine: [' >"$T/virtio/etc/larder/machine.yaml"
check_status 0 "a broken config in its usual place" larder disks --root "$T/virtio"
check_output "is named" 'without the machine config: .*machine\.yaml:[0-9]+'
check_output "and the disk behind / is the system disk" '^/dev/vda .*yes$'

# What is no file in the place of one is no text, and nothing waits for it.
mkdir "$T/pipes"
unpack-tree "$LARDER_SOURCE/tests/machines/sata.tree" "$T/pipes"
for file in proc/cmdline proc/self/mountinfo run/udev/data/b8:0 sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/model; do
	mkdir -p "$T/pipes/${file%/*}"
	rm -f "$T/pipes/$file" && mkfifo "$T/pipes/$file"
	check "a pipe in the place of $file" timeout 20 larder disks --root "$T/pipes"
	check_output "and the disks are listed" '^/dev/sdb '
done

# Text from a disk never reaches the terminal as it is.
mkdir "$T/evil"
printf '%s\n' '[sys/block]' 'sda -> ../devices/x/block/sda' '[sys/devices/x/block/sda]' 'size: 8' \
	"device/model: a$(printf '\033')[31mb\\nEXTRA LINE" >"$T/evil.tree"
unpack-tree "$T/evil.tree" "$T/evil"
check_status 0 "a model name with control characters" larder disks --root "$T/evil"
check_equal "does not draw a line of its own" "$(wc -l <"$T/stdout")" 2
check_no_output "nor an escape sequence" "$(printf '\033')"
done_testing
