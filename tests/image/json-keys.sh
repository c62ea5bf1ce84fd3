#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# JSON keys that larder makes are small letters and "_" (larder(1)); disk fields are those of selectors, which are the same.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires jq mkfs.ext4
mkdir -p "$T/root/etc/larder" "$T/root/usr/bin"
touch "$T/root/usr/bin/containerd"
cp "$LARDER_SOURCE/examples/machine.yaml" "$T/root/etc/larder/"
truncate -s 700M "$T/disk.img"
printf 'machine: {features: {imageCache: {localEnabled: true}}}\n' >"$T/one.yaml"

keys() { jq -r '[paths | .[] | select(type == "string")] | unique | .[]' "$T/stdout" | grep -vE '^[a-z][a-z0-9_]*$' | xargs; }
for command in "config show --root $T/root" "config check --root $T/root" "disks" "runtime status --root $T/root" \
	"runtime configure --dry-run --root $T/root" "runtime status docker.io/a/b --root $T/root" "images default --root $T/root" \
	"volume plan --image $T/disk.img --config $T/one.yaml" "volume provision --image $T/disk.img --config $T/one.yaml" \
	"volume status --image $T/disk.img --config $T/one.yaml" "layers --root $T/root" "images --root $T/root" "images missing --root $T/root"; do
	# shellcheck disable=SC2086
	run larder $command --output json
	check_equal "larder ${command//$T/…}" "$(jq -e . "$T/stdout" >/dev/null && keys)" ""
	case $command in
	volume* | config* | runtime*)
		page=$LARDER_SOURCE/man/larder-${command%% *}.1
		check_equal "and ${page##*/} has every key" "$(jq -r '[paths | .[] | select(type == "string")] | unique | .[]' "$T/stdout" |
			while read -r key; do grep -E '^\.Va ' "$page" | grep -qw -- "$key" || echo "$key"; done | xargs)" ""
		;;
	esac
	jq -e . "$T/stdout" >/dev/null
	verdict $? "and it is JSON"
done
check "volume status is 0 where the volume is" larder volume status --image "$T/disk.img" --config "$T/one.yaml"
truncate -s 700M "$T/blank.img"
check_status 1 "and 1 where it is not" larder volume status --image "$T/blank.img" --config "$T/one.yaml"
done_testing
