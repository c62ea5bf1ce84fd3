#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Progress on a terminal: what, how many bytes, how fast, how long still. Reads are slowed down, so that there is something to see.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
in_namespaces "$@"
requires mksquashfs mkfs.ext4 jq strace script
layers_start
layers_config
list=$T/list
: >"$list"
for name in one two three four; do
	head -c 3000000 /dev/urandom >"$T/extra.bin"
	mkdir "$T/$name"
	IMAGE_EXTRA=$T/extra.bin make_image "$T/$name" 1 "$name" riscv64 >/dev/null
	echo "registry.example.org/a-name-that-is-long/$name:1=oci:$T/$name:1" >>"$list"
done
# slow CMD…: on a terminal, each read of a file delayed; what was drawn, one state a line.
slow() {
	script --quiet --return --command "strace -f -qq -o /dev/null -e trace=pread64 -e inject=pread64:delay_enter=120000 $*" /dev/null </dev/null |
		tr '\r' '\n' | sed 's/\x1b\[K//g' >"$T/out"
}
figures='[0-9.]+ [KM]iB of [0-9.]+ [KM]iB, [0-9]+ %, [0-9.]+ ([KM]i)?B/s, [0-9]+ s left$'
slow larder build --images "$list" --output "$T/p-1.sqsh"
check_output "build tells image, bytes, rate and time left" "^writing …?[a-z./-]*long/(one|two|three|four):1: $figures"
check "and ends well" test -s "$T/p-1.sqsh"
check_equal "no line is longer than a terminal" "$(grep '^writing' "$T/out" | awk 'length($0) > 110' | wc -l)" 0
slow larder layers add "$T/p-1.sqsh" --config "$T/machine.yaml" --run-dir "$T/run" --root "$T/root"
check_output "add tells file, bytes, rate and time left" "^copying p-1.sqsh: $figures"
check_equal "and ends well" "$(state p)" active
slow larder layers verify --config "$T/machine.yaml" --run-dir "$T/run" --root "$T/root"
check_output "layers verify tells digest, bytes, rate and time left" "^verifying …?[0-9a-f]+: $figures"
check_output "and ends well" "1 layer is whole"
slow larder images verify --config "$T/machine.yaml" --run-dir "$T/run" --root "$T/root"
check_output "images verify, too" "^verifying …?[0-9a-f]+: $figures"
check_output "and ends well" "4 images verified"
run larder images verify --config "$T/machine.yaml" --run-dir "$T/run" --root "$T/root"
check_equal "without a terminal nothing is drawn" "$(cat "$T/stderr")" ""
done_testing
