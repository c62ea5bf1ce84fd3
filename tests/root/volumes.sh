#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Volumes as they are found: a filesystem on a whole device, a GPT that the kernel does not parse, partitions that
# it was told of, and what cannot be read.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires_root
requires mkfs.ext4 mksquashfs losetup sfdisk addpart

truncate -s 16M "$T/medium" "$T/blank"
mkfs.ext4 -q -L LARDER_1 -U 11111111-2222-3333-4444-555555555555 "$T/medium"

# A table with three partitions that is not in the order of the disk; the filesystem is in the second by place.
truncate -s 64M "$T/table"
sfdisk -q "$T/table" <<END
label: gpt
label-id: AAAAAAAA-0000-0000-0000-000000000001
start=65536, size=16384, name="later", uuid=AAAAAAAA-0000-0000-0000-000000000002
start=2048, size=8192, name="first", uuid=AAAAAAAA-0000-0000-0000-000000000003
start=16384, size=32768, name="META", uuid=AAAAAAAA-0000-0000-0000-000000000004
END
mkfs.ext4 -q -L inside -E offset=$((16384 * 512)) "$T/table" 16M

for name in medium blank table; do
	device=$(attach_loop "$T/$name") || { fail "losetup"; done_testing; }
	cleanup losetup -d "$device"
	declare "$name=$device"
done

line() { sed -n "s|^$1 ||p" "$T/stdout"; } # DEVICE: its line without the name

check "volumes are listed" list-volumes
check_equal "a filesystem on a whole device is named with its label" \
	"$(line "$medium" | grep -o 'type=.* index')" \
	"type=disk kernel=1 offset=0 size=16777216 parent= name=ext4 label=LARDER_1 uuid=11111111-2222-3333-4444-555555555555 index"
check_equal "nothing on a blank disk is no error" "$(line "$blank" | grep -o 'name=.*')" \
	"name= label= uuid= index=0 plabel= ptype= puuid= path=/sys/devices/virtual/block/${blank#/dev/} error="
check_equal "a table is named" "$(line "$table" | grep -o 'name=[^ ]* ')" "name=gpt "
check_equal "partitions that the kernel was not told of are found, by offset" \
	"$(grep -o "^${table}p.* name=[^ ]* label=[^ ]*" "$T/stdout")" \
	"${table}p2 type=partition kernel=0 offset=1048576 size=4194304 parent=$table name= label=
${table}p3 type=partition kernel=0 offset=8388608 size=16777216 parent=$table name=ext4 label=inside
${table}p1 type=partition kernel=0 offset=33554432 size=8388608 parent=$table name= label="
check_equal "and have their names, types and identities" "$(line "${table}p3" | grep -o 'index=.* path')" \
	"index=3 plabel=META ptype=0fc63daf-8483-4772-8e79-3d69d8477de4 puuid=aaaaaaaa-0000-0000-0000-000000000004 path"

# Detaching alone would leave partitions with the loop device.
cleanup delpart "$table" 3
cleanup delpart "$table" 7
if addpart "$table" 3 16384 32768 && addpart "$table" 7 98304 2048; then
	check "volumes are listed again" list-volumes
	check_equal "a partition that the kernel knows is read through its own device" \
		"$(line "${table}p3" | grep -o '.* name=[^ ]* label=[^ ]*')" \
		"type=partition kernel=1 offset=8388608 size=16777216 parent=$table name=ext4 label=inside"
	check_equal "one that only the kernel knows comes last" \
		"$(grep -o "^${table}p[0-9]* type=partition kernel=[01] offset=[0-9]*" "$T/stdout" | tail -1)" \
		"${table}p7 type=partition kernel=1 offset=50331648"
else
	fail "the kernel takes partitions on loop devices"
fi

# Two signatures at once: libblkid does not choose, and neither do we.
mkfs.ext4 -q -F "$blank"
mksquashfs "$LARDER_SOURCE/tests/root" "$T/squashfs" -quiet >/dev/null
dd if="$T/squashfs" of="$blank" bs=96 count=1 conv=notrunc status=none
check "volumes are listed once more" list-volumes
check_equal "signatures that contradict each other are this volume's error" \
	"$(line "$blank" | grep -o 'name=[^ ]* .*error=.*' | sed 's/ label.*error=/ error=/')" \
	"name= error=signatures that contradict each other"
done_testing
