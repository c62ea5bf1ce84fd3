#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# dm-verity as far as it can be decided without device-mapper: trees and root hashes are built, copied, deleted along; what the config
# wants and cannot be had is broken; what only lies beside the file is said. The real thing is tests/vm/verity.sh.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
in_namespaces "$@"
requires mksquashfs mkfs.ext4 jq veritysetup
layers_start
real_root
has_dm=$([ -e /sys/class/misc/device-mapper ] && echo yes)
files() { (cd "$1" && echo *); }
root_of() { cat "$1.roothash"; }
notes() { L layers --output json | jq -r '.notes[]'; }

# Built: the tree and the root hash, which veritysetup takes; the same input, the same bytes.
LAYER_OPTIONS=(--verity)
check "a layer is built with a hash tree" layer "$T/one/k8s-1.0.sqsh" registry.k8s.io/pause:3.10=pause
check_output "its root hash is said" "root hash: $(root_of "$T/one/k8s-1.0.sqsh")"
check "veritysetup takes it" veritysetup verify "$T/one/k8s-1.0.sqsh" "$T/one/k8s-1.0.sqsh.verity" "$(root_of "$T/one/k8s-1.0.sqsh")"
mkdir "$T/two"
check "it is built again" larder build --images "$T/layer.txt" --output "$T/two/k8s-1.0.sqsh" --verity --json
check_equal "the root hash is in the JSON" "$(jq -r .verity "$T/stdout")" "$(root_of "$T/one/k8s-1.0.sqsh")"
for suffix in "" .verity .roothash; do
	check "byte for byte, ${suffix:-the image}" cmp "$T/one/k8s-1.0.sqsh$suffix" "$T/two/k8s-1.0.sqsh$suffix"
done
check "and again without" larder build --images "$T/layer.txt" --output "$T/two/k8s-1.0.sqsh"
check_equal "then the old tree is gone" "$(files "$T/two")" "k8s-1.0.sqsh k8s-1.0.sqsh.sha256"

# Copied and deleted along.
mkdir -p "$T/medium/larder"
cp "$T/one/"* "$T/medium/larder/"
device=$(medium LARDER_1 "$T/medium") && cleanup losetup --detach "$device"
layers_config "volume.dev_path == \"$device\""
check "sync copies the layer" L layers sync
check_equal "and all that lies beside it" "$(files "$T/run/volume/layers")" "k8s-1.0.sqsh k8s-1.0.sqsh.roothash k8s-1.0.sqsh.sha256 k8s-1.0.sqsh.verity"
check "the tree byte for byte" cmp "$T/one/k8s-1.0.sqsh.verity" "$T/run/volume/layers/k8s-1.0.sqsh.verity"
check_equal "nothing else is left" "$(ls -A "$T/run/volume/.tmp")" ""
check_equal "it is active" "$(state k8s | grep -c active)" 1
if [ -z "$has_dm" ]; then
	check_equal "without device-mapper it is mounted without dm-verity, and that is said" \
		"$(notes | grep 'run/volume')" "$T/run/volume/layers/k8s-1.0.sqsh: mounted without dm-verity: this kernel has no device-mapper (dm-verity)"
	check_equal "and shown" "$(L layers --output json | jq -c '[.layers[] | select(.state == "active").verity]')" "[null]"
fi
LAYER_OPTIONS=()
layer "$T/k8s-1.1.sqsh" registry.k8s.io/pause:3.11=pause >"$T/out"
layers_config false 'keep: 0'
ROOT=(--root "$T/root")
check "a new version" L layers add "$T/k8s-1.1.sqsh"
check "prune" L layers prune
check_equal "takes all of the old one" "$(files "$T/run/volume/layers")" "k8s-1.1.sqsh k8s-1.1.sqsh.sha256"

# A file of that name is replaced by one without a tree: the old root hash must not stay beside the new image.
check "the old version is added" L layers add "$T/one/k8s-1.0.sqsh"
layer "$T/k8s-1.0.sqsh" registry.k8s.io/pause:3.10=other >"$T/out"
check "and replaced" L layers add "$T/k8s-1.0.sqsh"
check_equal "then nothing of it stays" "$(files "$T/run/volume/layers")" "k8s-1.0.sqsh k8s-1.0.sqsh.sha256 k8s-1.1.sqsh k8s-1.1.sqsh.sha256"
check "and the other way" L layers add "$T/one/k8s-1.0.sqsh"
check "the root hash is that of the image" veritysetup verify "$T/run/volume/layers/k8s-1.0.sqsh" "$T/run/volume/layers/k8s-1.0.sqsh.verity" "$(root_of "$T/run/volume/layers/k8s-1.0.sqsh")"
rm "$T/run/volume/layers/"*

# What the config says is authoritative.
right=$(root_of "$T/one/k8s-1.0.sqsh") wrong=$(printf 'ab%.0s' {1..32})
D=$T/root/var/lib/larder/layers
mkdir -p "$D"
cp "$T/one/"* "$D/"
layer "$D/other-1.sqsh" ghcr.io/acme/other:1=other >"$T/out"
pin() { layers_config false "layers: [{name: k8s, version: '1.0', rootHash: $1}, {name: other}]"; }
pin "$wrong"
check "a root hash in the config that is not the one beside the layer" L layers sync
check_equal "is broken" "$(state k8s)" broken
check_equal "with the reason" "$(reason k8s)" "its root hash is ${wrong:0:16}… by CacheLayerConfig and ${right:0:16}… by the file beside it"
check_equal "the rest is served" "$(state other)" active
check_status 1 "it is drift" L layers check
rm "$D/k8s-1.0.sqsh.verity"
pin "$right"
check "a root hash in the config and no tree" L layers sync
check_equal "is broken" "$(state k8s)" broken
check_equal "with the reason" "$(reason k8s)" "CacheLayerConfig wants it through dm-verity with the root hash ${right:0:16}…, and no .verity file lies beside it"
cp "$T/one/"*.verity "$D/"
if [ -z "$has_dm" ]; then
	check "a root hash in the config and no device-mapper" L layers sync
	check_equal "is broken, never mounted without" "$(state k8s)" broken
	check_equal "with the reason" "$(reason k8s)" "CacheLayerConfig wants it through dm-verity with the root hash ${right:0:16}…, and this kernel has no device-mapper (dm-verity)"
	check_equal "nothing of it is mounted" "$(grep -c " $T/run/layers/k8s-" /proc/self/mounts)" 0
	check_status 1 "nor is it added" L layers add "$T/one/k8s-1.0.sqsh"
	check_output "with the same reason" "k8s-1.0.sqsh: CacheLayerConfig wants it through dm-verity"
	check_equal "the rest is served" "$(state other)" active
	# The file name hides which layer it is.
	rm "$D/"k8s*
	cp "$T/one/k8s-1.0.sqsh" "$D/innocent-1.sqsh"
	check "a layer that its file name does not name" L layers sync
	check_equal "is broken" "$(reason innocent)" "it is k8s 1.0, which CacheLayerConfig wants through dm-verity, and its file name does not say so"
	check_equal "nothing of it is mounted" "$(grep -c " $T/run/layers/k8s-" /proc/self/mounts)" 0
	rm "$D/"innocent*
fi

# Another version than the configured one needs no root hash, and is superseded as ever.
rm -f "$D/"k8s*
layer "$D/k8s-0.9.sqsh" registry.k8s.io/pause:3.9=pause >"$T/out"
check "another version" L layers sync
check_equal "is superseded" "$(state k8s 0.9)" superseded

# What lies beside it may be anything.
layers_config
cp "$T/one/"* "$D/"
hostile() { # NAME REASON: what .roothash or .verity was made of
	check "$1: others are served" L layers sync
	check_equal "$1 is broken" "$(state k8s 1.0)" broken
	check_equal "$1: the reason" "$(reason k8s 1.0)" "$2"
	rm -rf "$D/"k8s-1.0.sqsh.{roothash,verity}
	cp "$T/one/"* "$D/"
}
echo "rm -rf /" >"$D/k8s-1.0.sqsh.roothash"
hostile "a root hash that is none" "what lies beside it in .roothash is no root hash: 64 or 128 hex digits"
: >"$D/k8s-1.0.sqsh.roothash"
hostile "an empty root hash" "what lies beside it in .roothash is no root hash: 64 or 128 hex digits"
rm "$D/k8s-1.0.sqsh.roothash"; mkfifo "$D/k8s-1.0.sqsh.roothash"
hostile "a pipe for a root hash" "what lies beside it in .roothash is no root hash: 64 or 128 hex digits"
head -c 100000 /dev/zero >"$D/k8s-1.0.sqsh.roothash"
hostile "a large root hash" ".roothash beside it cannot be read: File too large"
rm "$D/k8s-1.0.sqsh.verity"; mkdir "$D/k8s-1.0.sqsh.verity"
hostile "a directory for a tree" ".verity beside it cannot be read: it is no regular file"
pin abc
check_status 2 "a root hash in the config that is none" L layers
check_output "is refused with its place" "must be 64 or 128 hex digits"
done_testing
