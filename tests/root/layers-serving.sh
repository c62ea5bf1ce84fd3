#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What larderd answers while things happen to its layers: a copy is under way, a medium fails, an overlay cannot be made.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
in_namespaces "$@"
requires mksquashfs mkfs.ext4 jq curl strace
mount --make-rshared /
layers_start
real_root
D=$T/run/volume/layers
mkdir "$T/image"
head -c 12000000 /dev/urandom >"$T/extra.bin"
IMAGE_EXTRA=$T/extra.bin make_image "$T/image" tag message >/dev/null
blob=sha256-$(cd "$T/image/blobs/sha256" && find . -size +8M -printf '%f')
mkdir -p "$T/one/larder" "$T/two/larder"
echo "ghcr.io/acme/big:1=oci:$T/image:tag" | larder build --images - --output "$T/one/larder/big-1.sqsh" >"$T/out"
cp "$T/one/larder/big-1.sqsh" "$T/two/larder"
manifest() { check_http 200 "$1: the manifest is answered" "$url/v2/acme/big/manifests/1?ns=ghcr.io"; }
digest_of_blob() { curl -s "$url/v2/acme/big/blobs/${blob/-/:}?ns=ghcr.io" | sha256sum | cut -d' ' -f1; }
blob_is_right() { check_equal "$1: the blob is answered, byte for byte" "sha256-$(digest_of_blob)" "$blob"; }
# The link to the file of the layer that is mounted.
active() {
	local link
	for link in "$T/run/layers/"*.sqsh; do mountpoint -q "${link%.sqsh}" && echo "$link"; done
}

# sync_stopped: a sync that stops at the third piece it writes, until it is told to go on: $sync; what it does is done by $syncing.
sync_stopped() {
	rm -f "$T/trace"
	ASAN_OPTIONS=detect_leaks=0 strace -f -q -o "$T/trace" -e trace=pwrite64 -e inject=pwrite64:signal=STOP:when=3 \
		larder layers sync --config "$T/machine.yaml" --run-dir "$T/run" >"$T/sync.out" 2>&1 &
	sync=$!
	until_true 60 grep -q "stopped by SIGSTOP" "$T/trace" || { note "$(cat "$T/sync.out" "$T/trace")"; return 1; }
	syncing=$(awk '/stopped by SIGSTOP/ { print $1; exit }' "$T/trace")
	cleanup "kill -KILL $syncing; kill -CONT $syncing"
}
go_on() {
	kill -CONT "$syncing"
	wait "$sync"
}

# A copy from a medium stops in its middle, for as long as we like.
one=$(medium ONE "$T/one" 32M)
cleanup "losetup --detach $one"
layers_config "volume.dev_path == \"$one\""
check "larderd starts" start_larderd one --run-dir "$T/run"
check_http 404 "nothing is there yet" "$url/v2/acme/big/manifests/1?ns=ghcr.io"
check "a copy stops in its middle" sync_stopped
check_equal "nothing on the volume has a name yet" "$(ls "$D")" ""
check "part of it is there" test -n "$(find "$T/run/volume/.tmp" -name '*.part' -size +0)"
manifest "while the copy is under way"
blob_is_right "while the copy is under way"
check_equal "from the medium" "$(readlink -f "$(active)")" "$T/run/media/0/larder/big-1.sqsh"
check "the copy goes on" go_on
manifest "afterwards"
blob_is_right "afterwards"
check_equal "from the volume" "$(readlink -f "$(active)")" "$D/big-1.sqsh"
check_equal "the medium is released" "$(grep -c " $T/run/media/" /proc/self/mounts)" 0

# Two media with the same layer; that which is used fails in the middle of the copy.
check "taken out" rm "$D/big-1.sqsh" "$D/big-1.sqsh.sha256"
check "larderd ends" stop_larderd
check "and all is taken down" larder stop --run-dir "$T/run"
two=$(medium TWO "$T/two" 32M)
cleanup "losetup --detach $two"
layers_config "volume.dev_path in [\"$one\", \"$two\"]"
check "larderd starts" start_larderd two --run-dir "$T/run"
check "a copy stops in its middle" sync_stopped
check "all is hashed ahead of need: what is known to be sound is sent at once" until_true 60 resting
link=$(active)
device=$(awk -v point="$(dirname "$(dirname "$(readlink -f "$link")")")" '$2 == point { print $1 }' /proc/self/mounts)
truncate -s 1M "$(losetup --noheadings --output BACK-FILE "$device")"
echo 3 >/proc/sys/vm/drop_caches
check_status 1 "the medium has failed" cat "$link"
manifest "a medium fails"
# The answer that is on its way then ends early, and cleanly; a runtime goes on where it stopped, which is answered from the other medium.
part=$T/part
get=(curl -s --continue-at - --output "$part" "$url/v2/acme/big/blobs/${blob/-/:}?ns=ghcr.io")
check_status 18 "a medium fails: an answer that was begun from it ends early, without a reset" "${get[@]}"
check "another has the same layer: the client goes on" "${get[@]}"
check_equal "and has the blob, byte for byte" "sha256-$(sha256sum <"$part" | cut -d' ' -f1)" "$blob"
blob_is_right "for whoever begins then"
check_status 1 "the copy says that it failed" go_on
cp "$T/sync.out" "$T/out"
check_output "and where" "big-1.sqsh was not copied: .*cannot read at byte [0-9]+: Input/output error"
check_equal "nothing on the volume has a name" "$(ls "$D")" ""
manifest "after the copy failed"
blob_is_right "after the copy failed"
check "larderd ends" stop_larderd
larder stop --run-dir "$T/run" >"$T/out" 2>&1

# Layers are mounted, and no overlay can be made of them: larderd asks them one by one.
layers_config
cp "$T/one/larder/big-1.sqsh" "$D"
layer "$D/other-1.sqsh" ghcr.io/acme/other:1=other >"$T/out"
check "without overlays" env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -e trace=fsopen,mount -e inject=fsopen:error=ENODEV:when=3+ -e inject=mount:error=ENODEV \
	larder layers sync --config "$T/machine.yaml" --run-dir "$T/run"
check_output "larder says so" "gen/[0-9]+: cannot merge 2 layers by overlay: No such device; the registry asks them one by one"
check_equal "both layers are mounted" "$(grep -c " $T/run/layers/.* squashfs " /proc/self/mounts)" 2
check_equal "and no overlay" "$(grep -c " $T/run/gen/" /proc/self/mounts)" 0
check_equal "the layers are active" "$(state big),$(state other)" active,active
check "larderd starts" start_larderd three --run-dir "$T/run"
manifest "without an overlay"
blob_is_right "without an overlay"
check_http 200 "the other layer is served, too" "$url/v2/acme/other/manifests/1?ns=ghcr.io"
check "where overlays can be made" larder layers sync --config "$T/machine.yaml" --run-dir "$T/run"
check_no_output "nothing is said of it" "one by one"
blob_is_right "then"
check "larderd ends" stop_larderd
check "and all is taken down" larder stop --run-dir "$T/run"

# A layer is replaced while two clients are in the middle of a blob of it: both have it to the end, from the old generation, which nobody
# finds any more; its loop device goes with the last of them.
rm -f "$D/"*
cp "$T/one/larder/big-1.sqsh" "$D"
head -c 12000000 /dev/urandom >"$T/extra.bin"
mkdir "$T/image2"
IMAGE_EXTRA=$T/extra.bin make_image "$T/image2" tag message2 >/dev/null
echo "ghcr.io/acme/big:1=oci:$T/image2:tag" | larder build --images - --output "$T/big-2.sqsh" >"$T/out"
layers_config
check "a layer on the volume" larder layers sync --config "$T/machine.yaml" --run-dir "$T/run"
check "larderd starts" start_larderd four --run-dir "$T/run"
loops_of() { losetup --list --noheadings --output BACK-FILE | grep -c "^$D/$1\( (deleted)\)\?\$"; }
served_manifest() { curl -s "$url/v2/acme/big/manifests/1?ns=ghcr.io" | sha256sum; }
first=$(served_manifest) generation=$(readlink "$T/run/cache")
clients=()
for client in a b; do
	"$LARDER_SOURCE/tests/lib/slow-client.py" "$address" "/v2/x/blobs/${blob/-/:}" sh -c "
		: >'$T/begun.$client'; while [ -d '$T' ] && [ ! -e '$T/go.$client' ]; do sleep 0.1; done" >"$T/slow.$client" 2>&1 &
	clients+=($!)
done
cleanup "touch '$T/go.a' '$T/go.b'"
check "two clients are in the middle of a blob" until_true 60 eval '[ -e "$T/begun.a" ] && [ -e "$T/begun.b" ]'
check "a new version is added" larder layers add "$T/big-2.sqsh" --config "$T/machine.yaml" --run-dir "$T/run"
check_output "and is active" "big 2 is active"
[ "$(readlink "$T/run/cache")" != "$generation" ]
verdict $? "there is a new generation"
check "a new client gets its manifest" until_true 20 eval '[ "$(served_manifest)" != "$first" ]'
check_http 404 "and the old blob is not offered to it" "$url/v2/x/blobs/${blob/-/:}"
check_equal "nobody finds the old generation any more" "$(grep -c " $T/run/$generation " /proc/self/mounts)" 0
check_equal "its layer is still there for the two" "$(loops_of big-1.sqsh)" 1
touch "$T/go.a"
check "the first of them ends" wait "${clients[0]}"
check_equal "with the right bytes" "$(cat "$T/slow.a")" "200 whole"
check_equal "the layer is there for the other" "$(loops_of big-1.sqsh)" 1
touch "$T/go.b"
check "the other ends" wait "${clients[1]}"
check_equal "with the right bytes, too" "$(cat "$T/slow.b")" "200 whole"
check "then nothing holds the old layer" until_true 20 eval '[ "$(loops_of big-1.sqsh)" = 0 ]'
check_equal "the new one is mounted" "$(loops_of big-2.sqsh)" 1
check "larderd ends" stop_larderd
check "and all is taken down" larder stop --run-dir "$T/run"

# A manifest below an index with a flipped byte: who mends it must know which file it is in, and the merged layers are none.
rm -f "$D/"*
layer "$D/other-1.sqsh" ghcr.io/acme/other:1=other >"$T/out"
make_image "$T/bad" 1 bad amd64 arm64 >/dev/null
echo "ghcr.io/acme/bad:1=oci:$T/bad:1" | larder build --images - --platform all --output "$D/bad-1.sqsh" >"$T/out"
sed -i 's/"layers":/"Layers":/g' "$D/bad-1.sqsh"
index=$(jq -r '.manifests[0].digest' "$T/bad/index.json")
damaged=$(jq -r '.manifests[0].digest' "$T/bad/blobs/sha256/${index#sha256:}")
check "a layer with a damaged manifest is merged" larder layers sync --config "$T/machine.yaml" --run-dir "$T/run"
for option in --no-verify-ahead ""; do
	# shellcheck disable=SC2086
	check "larderd starts" start_larderd "five$option" --run-dir "$T/run" $option
	if [ -n "$option" ]; then
		check_http 404 "its manifest is not served" "$url/v2/acme/bad/manifests/$damaged"
		check_http 404 "nor the index" "$url/v2/acme/bad/manifests/1?ns=ghcr.io"
	fi
	check "the layer's file is named" until_true 20 grep -q "$D/bad-1.sqsh: the manifest sha256:.* has other bytes" "$T/five$option.log"
	check_equal "and nothing else" "$(grep 'other bytes' "$T/five$option.log" | grep -vc "$D/bad-1.sqsh:")" 0
	check "larderd ends" stop_larderd
done
check "and all is taken down" larder stop --run-dir "$T/run"
check_equal "no loop device is left" "$(losetup --list --noheadings --output BACK-FILE | grep -c "$D/")" 0
done_testing
