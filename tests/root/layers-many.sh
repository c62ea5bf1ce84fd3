#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# 400 layers in one generation, by the new mount calls and by the old one; more than an overlay takes; all of it taken down.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
in_namespaces "$@"
requires mksquashfs jq prlimit strace
layers_start
D=$T/root/usr/lib/larder/layers
mkdir -p "$D"

# Layers of one tag each that share their image: only names differ, so they are made without building 503 images.
layer "$T/base.sqsh" ghcr.io/acme/base:1=base >"$T/out"
unsquashfs -quiet -no-progress -d "$T/base" "$T/base.sqsh" >"$T/out"
mv "$T/base/larder/layers/base.yaml" "$T/base.yaml"
make_layers() { # FROM TO
	local i repository=$T/base/manifests/ghcr.io/acme/base
	for ((i = $1; i <= $2; i++)); do
		rm -rf "$T/base/larder/layers"/* "$repository/reference"/*
		sed "s/^name: .*/name: n$i/; s|ghcr.io/acme/base:1|ghcr.io/acme/base:t$i|" "$T/base.yaml" >"$T/base/larder/layers/n$i.yaml"
		cp "$repository/digest/"* "$repository/reference/t$i"
		mksquashfs "$T/base" "$D/n$i-1.sqsh" -noappend -quiet -no-progress -no-xattrs -comp zstd >"$T/out" 2>&1
	done
}
count() { grep -c " $T/run/$1" /proc/self/mounts; }
tags() { ls "$T/run/cache/manifests/ghcr.io/acme/base/reference" | wc -l; }

make_layers 1 400
layers_config
few() { prlimit --nofile=100 larder layers --config "$T/machine.yaml" --run-dir "$T/run" --root "$T/root" --output json | jq -c '[.layers[] | [.name, .state]]'; }
check_equal "with too few descriptors, the same layers are broken each time" "$(for _ in 1 2 3 4; do few; done | sort -u | wc -l)" 1
check_equal "and some are, of all" "$(few | jq -c '[length, any(.[]; .[1] == "broken")]')" "[400,true]"
check "400 layers" L layers sync
check_equal "each is mounted once" "$(count layers/)" 400
check_loops "on a loop device of its own" 400 "$D/"
check_equal "and all are in one overlay" "$(tags)" 400
check "check finds no drift" L layers check
check "taken down" larder stop --run-dir "$T/run" --root "$T/root"
check_equal "nothing is mounted" "$(count '')" 0
check_loops "no loop device is left" 0 "$D/"

# Where the kernel has the new calls, they are used.
calls() { grep -c "$1" "$T/trace"; }
for of in kernel none; do
	call=(larder layers sync --config "$T/machine.yaml" --run-dir "$T/run2" --root "$T/root2")
	mkdir -p "$T/root2/usr/lib/larder/layers" && cp "$D/"n{1,2}-1.sqsh "$T/root2/usr/lib/larder/layers/"
	[ $of = kernel ] || call=(without-syscalls "fsopen,fsconfig,fsmount,move_mount" "${call[@]}")
	check "two layers, $of" env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -e trace=mount,fsopen,fsmount,move_mount "${call[@]}"
	if [ $of = kernel ]; then check_equal "three by the new calls, none by the old one" "$(calls 'move_mount(.*) = 0') $(calls ' mount(.*squashfs')" "3 0"
	else check_equal "none by the new calls, all by the old one" "$(calls 'move_mount(.*) = 0') $(($(calls ' mount(.*\(squashfs\|overlay\).* = 0') >= 3))" "0 1"; fi
	check "taken down" larder stop --run-dir "$T/run2" --root "$T/root2"
done

# A kernel without the new mount calls; and one that has them, but no lowerdir+.
old() { without-syscalls fsopen,fsconfig,fsmount,move_mount larder "$@" --config "$T/machine.yaml" --run-dir "$T/run" --root "$T/root"; }
check "400 layers by mount(2)" old layers sync
check_equal "each is mounted once" "$(count layers/)" 400
check_equal "and all are in one overlay" "$(tags)" 400
check_equal "nothing else is below layers" "$(find "$T/run/layers" -mindepth 1 -maxdepth 1 ! -regex '.*/n[0-9]*-[0-9a-f]*\(\.sqsh\)?')" ""
link=$(readlink "$T/run/cache")
check "again" old layers sync
check_equal "changes nothing" "$(readlink "$T/run/cache") $(count layers/)" "$link 400"
check "the new calls adopt what the old ones mounted" L layers sync
check_equal "and change nothing" "$(readlink "$T/run/cache") $(count layers/)" "$link 400"
check "taken down" larder stop --run-dir "$T/run" --root "$T/root"
check_loops "no loop device is left" 0 "$D/"

make_layers 401 502
check "502 layers" L layers sync
check_equal "as many as one overlay takes are active" "$(tags)" 499
check_equal "the others are broken" "$(L layers --output json | jq '[.layers[] | select(.state == "broken")] | length')" 3
check_equal "and say why" "$(reason n502)" "499 layers are active already, and one overlay takes no more"
check "taken down" larder stop --run-dir "$T/run" --root "$T/root"
check_loops "no loop device is left" 0 "$D/"
done_testing
