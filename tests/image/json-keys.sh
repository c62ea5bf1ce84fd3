#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# JSON keys that larder makes are small letters and "_" (larder(1)); disk fields are those of selectors, which are the same. Each is in
# the manual page of its command.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
requires jq mkfs.ext4 busybox
mkdir -p "$T/root/etc/larder" "$T/root/usr/bin"
touch "$T/root/usr/bin/containerd"
cp "$LARDER_SOURCE/examples/machine.yaml" "$T/root/etc/larder/"
truncate -s 700M "$T/disk.img"
printf 'machine: {features: {imageCache: {localEnabled: true}}}\n' >"$T/one.yaml"

# A layer whose image is there, an image that is needed and is not, and disks of a captured machine.
L=$T/layers M=$T/sata
mkdir -p "$L/usr/lib/larder/layers" "$L/etc/containers/systemd" "$M"
make_image "$T/app" 1 app >/dev/null
echo "a.example/app:1=oci:$T/app:1" >"$T/images.txt"
check "a layer" larder build --images "$T/images.txt" --output "$L/usr/lib/larder/layers/000-site-1.0.0.sqsh"
printf '[Container]\nImage=a.example/other:1\n' >"$L/etc/containers/systemd/other.container"
check "a machine" unpack-tree "$LARDER_SOURCE/tests/machines/sata.tree" "$M"
of="--root $L --run-dir $T/run"

keys() { jq -r '[paths | .[] | select(type == "string")] | unique | .[]' "$T/stdout" | grep -vE '^[a-z][a-z0-9_]*$' | xargs; }
for command in "config show --root $T/root" "config check --root $T/root" "disks" "runtime status --root $T/root" \
	"runtime configure --dry-run --root $T/root" "runtime status docker.io/a/b --root $T/root" "images default --root $T/root" \
	"volume plan --image $T/disk.img --config $T/one.yaml" "volume provision --image $T/disk.img --config $T/one.yaml" \
	"volume status --image $T/disk.img --config $T/one.yaml" "layers --root $T/root" "images --root $T/root" "images missing --root $T/root" \
	"layers $of" "layers check $of" "layers verify $of" "images $of" "images missing $of" "images default $of" "images verify $of" \
	"disks --root $M --match disk.symlinks[0]==disk.wwid" "disks sda --root $M --match disk.rotational"; do
	# shellcheck disable=SC2086
	run larder $command --output json
	check_equal "larder ${command//$T/…}" "$(jq -e . "$T/stdout" >/dev/null && keys)" ""
	page=$LARDER_SOURCE/man/larder-${command%% *}.1
	check_equal "and ${page##*/} has every key" "$(jq -r '[paths | .[] | select(type == "string")] | unique | .[]' "$T/stdout" |
		while read -r key; do grep -E '^\.(It )?Va ' "$page" | grep -qw -- "$key" || echo "$key"; done | xargs)" ""
	jq -e . "$T/stdout" >/dev/null
	verdict $? "and it is JSON"
	[ "$command" != "${command%"$of"}" ] && cat "$T/stdout" >>"$T/of"
done
check_equal "layers and images were there to have keys" "$(jq -r '[paths | .[] | select(type == "string")] | .[]' "$T/of" | sort -u | grep -xE 'digest|in_place|needed_by|size_text|who' | xargs)" \
	"digest in_place needed_by size_text who"
check "volume status is 0 where the volume is" larder volume status --image "$T/disk.img" --config "$T/one.yaml"
truncate -s 700M "$T/blank.img"
check_status 1 "and 1 where it is not" larder volume status --image "$T/blank.img" --config "$T/one.yaml"
done_testing
