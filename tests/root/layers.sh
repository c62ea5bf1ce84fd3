#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Layers from a medium to the volume; versions; add, keep, prune, check, verify; images.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
in_namespaces "$@"
requires mksquashfs unsquashfs mkfs.ext4 jq skopeo
layers_start
real_root

# The case that made larder compare names: two versions of one layer, both on the volume.
layer "$T/root/usr/lib/larder/layers/000-iscsi-tools-v0.1.1.sqsh" ghcr.io/siderolabs/iscsi-tools:v0.1.1=old >"$T/out"
layer "$T/root/usr/lib/larder/layers/001-iscsi-tools-v0.1.4.sqsh" ghcr.io/siderolabs/iscsi-tools:v0.1.4=new >"$T/out"
layers_config
check "layers before any boot" L layers
check_output "are not in use, and it is said what changes that" "^iscsi-tools +v0.1.4 +not in use .*no layer is served now; \"larder boot\", or a start of larder-boot.service, changes that"
check "built-in layers are mounted" L layers sync
check_equal "the higher version is active" "$(state iscsi-tools v0.1.4)" active
check_equal "the other is superseded" "$(state iscsi-tools v0.1.1)" superseded
check_equal "and says by which" "$(reason iscsi-tools v0.1.1)" "version v0.1.4 is active"
check_equal "only the active one is in the generation" "$(ls "$T/run/cache/manifests/ghcr.io/siderolabs/iscsi-tools/reference")" v0.1.4
check "nothing differs from what is configured" L layers check

layers_config false 'layers: [{name: iscsi-tools, version: v0.1.1}, {name: k8s}]'
check "a pinned version" L layers sync
check_equal "a pinned version is active" "$(state iscsi-tools v0.1.1)" active
check_equal "and the higher one is not" "$(state iscsi-tools v0.1.4)" superseded
check_equal "a configured layer that is nowhere is missing" "$(state k8s)" missing
check_status 1 "drift is an exit status" L layers check
check_output "and is named" "k8s: missing"

# A medium, copied to the volume and released.
layer "$T/medium/larder/010-k8s-1.34.2.sqsh" registry.k8s.io/pause:3.10=pause registry.k8s.io/etcd:3.6=etcd >"$T/out"
device=$(medium LARDER_1 "$T/medium") && cleanup losetup --detach "$device"
layers_config "volume.dev_path == \"$device\""
check "sync copies the layer" L layers sync
check_output "and says so" "1 layer copied"
check "byte for byte" cmp "$T/medium/larder/010-k8s-1.34.2.sqsh" "$T/run/volume/layers/010-k8s-1.34.2.sqsh"
check "its sum lies beside it" bash -c "cd '$T/run/volume/layers' && sha256sum --quiet --check ./*.sha256"
check_equal "the medium is released" "$(grep -c " $T/run/media/" /proc/self/mounts)" 0
check_loops "its loop device has no other user" 0 "$T/run/media"
check_equal "it is active from the volume" "$(L layers --output json | jq -r '.layers[] | select(.name == "k8s" and .state == "active").origin')" volume
before=$(stat -c '%i %Y' "$T/run/volume/layers/"*) link=$(readlink "$T/run/cache")
check "a second sync" L layers sync
check_output "copies nothing" "nothing to copy"
check_equal "and leaves the files alone" "$(stat -c '%i %Y' "$T/run/volume/layers/"*)" "$before"
check_equal "and the generation" "$(readlink "$T/run/cache")" "$link"

# A new version while the old generation is being read.
exec 7<"$T/run/cache/manifests/registry.k8s.io/pause/reference/3.10"
old=$(readlink "$T/run/cache")
layer "$T/k8s-1.35.0.sqsh" registry.k8s.io/pause:3.10=pause registry.k8s.io/etcd:3.7=etcd7 >"$T/out"
check "a layer is added" L layers add "$T/k8s-1.35.0.sqsh"
check_output "and is active" "k8s 1.35.0 is active"
check_equal "there is a new generation" "$([ "$(readlink "$T/run/cache")" != "$old" ] && echo yes)" yes
check "a reader of the old one reads on" bash -c 'grep -q schemaVersion <&7'
exec 7<&-
check_equal "it is unmounted" "$(grep -c " $T/run/$old " /proc/self/mounts)" 0
check_equal "the old version is superseded, and its medium released" "$(state k8s 1.34.2)" superseded
check_equal "one generation is mounted" "$(grep -c " $T/run/gen/" /proc/self/mounts)" 1
check_equal "one k8s is mounted" "$(grep -c " $T/run/layers/k8s-" /proc/self/mounts)" 1

ln -s k8s-1.35.0.sqsh "$T/k8s-1.35.1.sqsh"
check_status 1 "a symlink is not added" L layers add "$T/k8s-1.35.1.sqsh"
check_output "and that is said" "k8s-1.35.1.sqsh: it is a symlink, which is not followed"
head -c 50 "$T/k8s-1.35.0.sqsh" >"$T/k8s-1.35.2.sqsh"
check_status 1 "nor is a layer that was cut short" L layers add "$T/k8s-1.35.2.sqsh"
{ head -c 3000 "$T/k8s-1.35.0.sqsh"; head -c 3000 /dev/zero; tail -c +6001 "$T/k8s-1.35.0.sqsh"; } >"$T/k8s-1.35.3.sqsh"
check_status 1 "nor a damaged one" L layers add "$T/k8s-1.35.3.sqsh"
check_status 2 "a name that is no layer's is wrong usage" L layers add "$T/machine.yaml"

for version in 1.36.0 1.37.0; do
	layer "$T/k8s-$version.sqsh" "registry.k8s.io/pause:$version=$version" >"$T/out"
	check "k8s $version is added" L layers add "$T/k8s-$version.sqsh"
done
check "prune" L layers prune
check_output "deletes the oldest" "010-k8s-1.34.2.sqsh was deleted"
check_equal "and keeps as many as configured" "$(cd "$T/run/volume/layers" && echo *.sqsh)" "k8s-1.36.0.sqsh k8s-1.37.0.sqsh"
check_equal "with their sums" "$(cd "$T/run/volume/layers" && echo *.sha256)" "k8s-1.36.0.sqsh.sha256 k8s-1.37.0.sqsh.sha256"
check "prune again" L layers prune
check_output "has nothing to do" "nothing to prune"
check "prune with nothing to do, for programs" L layers prune --output json
check_equal "says so" "$(jq -c .deleted "$T/stdout")" "[]"
cp "$T/run/volume/layers/k8s-1.36.0.sqsh" "$T/run/volume/layers/k8s-1.35.5.sqsh"
jq -n --arg of "$T/run/volume/layers" '{format: 1, state: "ready", problems: [], layers: [{path: "\($of)/k8s-1.35.5.sqsh"}, {path: "\($of)/k8s-1.37.0.sqsh"}, {path: null}]}' \
	>"$T/run/status.json"
check "a copy of a superseded layer is pruned" L layers prune --output json
check_equal "its file is named" "$(jq -c '.deleted | map(split("/")[-1])' "$T/stdout")" '["k8s-1.35.5.sqsh"]'
check_equal "and is no layer any more" "$(jq -c '[.layers[].path | select(endswith("k8s-1.35.5.sqsh"))]' "$T/stdout")" "[]"
check_equal "nor in the status file" "$(jq -c '.layers | map(.path)' "$T/run/status.json")" "[\"$T/run/volume/layers/k8s-1.37.0.sqsh\",null]"
rm "$T/run/status.json"
volume=$T/run/volume/layers
touch "$volume/gone-1.sqsh".{sig,verity,roothash,sha256} "$volume/gone-1.sqsh.asc" "$volume/gone.sha256" "$volume/k8s-1.37.0.sqsh.sig"
mkdir "$volume/gone-2.sqsh.sig" "$T/run/volume/elsewhere"
touch "$T/run/volume/elsewhere/gone-1.sqsh.sig"
check "what lies beside a layer that is gone is pruned" L layers prune
check_equal "each is named" "$(grep -c '^gone-1.sqsh.* was deleted: there is no layer beside it$' "$T/stdout")" 4
check_equal "and nothing else went" "$(cd "$volume" && echo -- *gone* *.sig)" "-- gone-1.sqsh.asc gone-2.sqsh.sig gone.sha256 gone-2.sqsh.sig k8s-1.37.0.sqsh.sig"
check "nor from elsewhere" test -e "$T/run/volume/elsewhere/gone-1.sqsh.sig"
rm -r "$volume"/gone* "$volume/k8s-1.37.0.sqsh.sig" "$T/run/volume/elsewhere"
# Parts of copies that were interrupted: of a layer that no medium offers, and one that no copy goes on with.
touch "$T/run/volume/.tmp/0123456789abcdef-gone-1.sqsh.part" "$T/run/volume/.tmp/unsummed-k8s-1.37.0.sqsh.part"
check "while a medium is not mounted, nobody knows what it offers" L layers prune
check_equal "and only what is never gone on with is pruned" "$(find "$T/run/volume/.tmp" -name '*.part' -printf '%f')" 0123456789abcdef-gone-1.sqsh.part
touch "$T/run/volume/.tmp/unsummed-k8s-1.37.0.sqsh.part"
layers_config
check "parts that nothing will complete are pruned" L layers prune
layers_config "volume.dev_path == \"$device\""
check_equal "each is named" "$(grep -c '\.part was deleted: it is part of a copy that was interrupted$' "$T/stdout")" 2
check_equal "and gone" "$(find "$T/run/volume/.tmp" -name '*.part')" ""
# What is no directory of the volume's own is neither written to nor cleaned.
mkdir "$T/elsewhere"
touch "$T/elsewhere/gone-1.sqsh.sig" "$T/elsewhere/0123456789abcdef-gone-1.sqsh.part"
for of in layers .tmp; do
	mv "$T/run/volume/$of" "$T/kept"
	ln -s "$T/elsewhere" "$T/run/volume/$of"
	for command in prune sync "add $T/k8s-1.37.0.sqsh"; do
		# shellcheck disable=SC2086
		check_status 1 "${command%% *}, where $of is a symlink" L layers $command
		check_output "says so" "run/volume/$of is a symlink; it must be a directory"
	done
	rm "$T/run/volume/$of"
	mv "$T/kept" "$T/run/volume/$of"
done
check_equal "what it leads to is as it was" "$(find "$T/elsewhere" -type f | wc -l)" 2
chmod 755 "$T"
cp "$LARDER_BUILD/src/larder/larder" "$T/larder" # a user who cannot look into the build
check_status 1 "for another user" setpriv --reuid=65534 --clear-groups "$T/larder" layers --run-dir "$T/run"
check_output "it is said who may" "Permission denied.*: run this as root"
check "check, for programs" L layers check --output json
check_equal "no drift" "$(jq -c '[.drift, .layers, .conflicts]' "$T/stdout")" '[false,[],[]]'
check "layers verify, for programs" L layers verify --output json
check_equal "all are whole" "$(jq -c . "$T/stdout")" "{\"whole\":$(L layers --output json | jq '.layers | length'),\"broken\":[]}"
check "images verify, for programs" L images verify --output json
check_equal "nothing is broken" "$(jq -c . "$T/stdout")" '{"images":2,"incomplete":0,"broken":[]}'
check "images missing, for programs" L images missing --root "$T/root" --output json
check_equal "is an empty list" "$(jq -c . "$T/stdout")" '[]'
check "sync, for programs" L layers sync --output json
check_equal "has copied nothing" "$(jq -c '[.copied, .copied_images, .deleted]' "$T/stdout")" '[0,0,[]]'
check "add, for programs" L layers add --output json "$T/k8s-1.37.0.sqsh"
check_equal "has copied one" "$(jq -c '[.copied, .layers[0].state]' "$T/stdout" | cut -c1-2)" '[1'
check_status 1 "add of a file that is there and one that is not" L layers add --output json "$T/k8s-1.37.0.sqsh" "$T/none-1.sqsh"
check_equal "prints what was done all the same" "$(jq -c '[.copied, (.layers | length > 0)]' "$T/stdout")" '[1,true]'
check_output "and what was not" "none-1.sqsh: cannot open it"
check_status 1 "in words" L layers add "$T/k8s-1.37.0.sqsh" "$T/none-1.sqsh"
check_output "too" "^k8s 1.37.0 is active"
check "YAML has the same" L layers check --output yaml
check_output "in its own words" "^drift: false"

check "the table of layers" L layers
check_output "has its columns" "^LAYER +VERSION +STATE +FROM +SIZE +IMAGES +WHERE OR WHY$"
check_output "and where a layer is mounted" "^k8s +1.37.0 +active +volume +[0-9.]+ [KM]iB +1 +$T/run/layers/k8s-1.37.0-[0-9a-f]{8}$"
check_output "and why another is not" "^iscsi-tools +v0.1.1 .*built-in"
check "images" L images
check_output "has its columns" "^REFERENCE +DIGEST +SIZE +PLATFORMS +LEFT OUT +LAYER$"
check_output "has digest and layer" 'registry.k8s.io/pause:1.37.0 +sha256:[0-9a-f]{64} .*linux/riscv64.* k8s$'
check "nothing is missing" L images missing --root "$T/root"
list=$(ls "$T/run/gen/"*.list | tail -1)
mv "$list" "$T/list" && mkfifo "$list"
timeout 60 larder layers --config "$T/machine.yaml" --run-dir "$T/run" --root "$T/root" >"$T/out" 2>&1
[ $? != 124 ]
verdict $? "a pipe in the place of a generation's list does not hang it"
rm "$list" && mv "$T/list" "$list"
check "all images verify" L images verify
check_output "and are counted" "2 images verified"
check "all layers verify" L layers verify

# The file of an active layer is written over with a copy of another active one, then it is deleted.
layer "$T/run/volume/layers/extra-1.sqsh" ghcr.io/acme/extra:1=extra >"$T/out"
check_status 1 "a file that is new" L layers check
check_output "is not used before sync" "extra 1: not in use: what is in its file now is not served"
check "it is used" L layers sync
check "nothing differs" L layers check
cat "$T/run/volume/layers/k8s-1.37.0.sqsh" >"$T/run/volume/layers/extra-1.sqsh"
check_status 1 "a layer that was written over with another is drift" L layers check
check_output "and named" "extra 1: gone: its file $T/run/volume/layers/extra-1.sqsh was written over with another layer"
check_status 1 "verify does not call it whole" L layers verify
rm "$T/run/volume/layers/extra-1.sqsh"
check_status 1 "so is one whose file was deleted" L layers check
check_output "which is served still" "extra 1: gone: its file .*/extra-1.sqsh is gone, and it is served still"
check_equal "the list says so" "$(state extra)" gone
check_status 1 "for programs, too" L layers check --output json
check_equal "with its name" "$(jq -c '[.drift, (.layers[] | [.name, .version, .state])]' "$T/stdout")" '[true,["extra","1","gone"]]'
check_status 1 "verify does not vouch for it" L layers verify
check_output "and says which" "extra: its file .*/extra-1.sqsh is gone"
rm "$T/run/volume/layers/extra-1.sqsh.sha256"
check "sync goes by what is there" L layers sync
check "and nothing differs" L layers check

# The longest names of repositories that there are: what lies in them has no room for a name of its own.
layer "$T/long-1.sqsh" "x.io/$(printf 'p/%.0s' {1..31})p:1=deep" "x.io/$(head -c 255 /dev/zero | tr '\0' r):1=long" >"$T/out"
check "repositories of 32 parts and of 255 bytes" L layers add "$T/long-1.sqsh"
check_equal "are used" "$(state long)" active
rm "$T/run/volume/layers/long-1.sqsh"*
check "and gone again" L layers sync

# Two layers that give one tag two digests.
layer "$T/root/var/lib/larder/layers/zz-other-1.sqsh" registry.k8s.io/pause:1.37.0=another >"$T/out"
check "a conflict is no failure" L layers sync
check_output "but both are named" "k8s and zz-other give registry.k8s.io/pause:1.37.0 different digests"
check_status 1 "and it is drift" L layers check
check_status 1 "for programs, too" L layers check --output json
check_equal "with the conflict" "$(jq -c '[.drift, (.conflicts | length)]' "$T/stdout")" '[true,1]'
rm "$T/root/var/lib/larder/layers/"zz-other*

# A blob that rots on the volume is found, and named.
python3 - "$T/run/volume/layers/k8s-1.37.0.sqsh" <<-'END'
	import sys
	data = bytearray(open(sys.argv[1], "rb").read())
	at = data.index(b'"architecture"')
	data[at + 1] ^= 1
	open(sys.argv[1], "wb").write(data)
END
check_status 1 "rot is found" L images verify
check_output "and named" "k8s-1.37.0.sqsh: sha256:[0-9a-f]{64}: its bytes are not right"
check_status 1 "also by layers verify" L layers verify k8s
check_status 1 "for programs" L layers verify k8s --output json
check_equal "with its name and the reason" "$(jq -r '.broken[] | .name + " " + .version + " " + .state + " " + .reason' "$T/stdout" | sed 's/[0-9a-f]\{64\}/HEX/')" \
	"k8s 1.37.0 broken k8s-1.37.0.sqsh: sha256:HEX: its bytes are not right"
check_status 1 "and by images verify" L images verify --output json
check_equal "in a list" "$(jq -r '.broken | length' "$T/stdout")" 1
check_status 1 "a name that is no layer's" L layers verify nothing
check_output "is said" 'no layer called "nothing"'

# Two names of one file have one mount, whichever of them is active.
mkdir -p "$T/root2/usr/lib/larder/layers"
D2=$T/root2/usr/lib/larder/layers
layer "$D2/02-two-1.sqsh" ghcr.io/acme/two:1=two >"$T/out"
ln "$D2/02-two-1.sqsh" "$D2/01-two-1.sqsh"
L2() { larder "$@" --config "$T/machine.yaml" --run-dir "$T/run2" --root "$T/root2"; }
states() { L2 layers --output json | jq -c '[.layers[] | [.state, .mounted, .reason]]'; }
for i in 1 2; do
	check "two names of one layer, without a volume" L2 layers sync
	[ $i = 2 ] || first=$(states)
	check_equal "are mounted once" "$(grep -c " $T/run2/layers/two" /proc/self/mounts)" 1
done
check_equal "and listed alike each time" "$(states)" "$first"
check_equal "the active one as mounted" "$(jq -r '.[] | select(.[0] == "active") | .[1] != null' <<<"$first")" true
layer "$T/other.sqsh" ghcr.io/acme/two:1=other >"$T/out"
cat "$T/other.sqsh" >"$D2/02-two-1.sqsh"
check "sync mounts as it is now, also without a volume" L2 layers sync
mkdir -p "$T/run2/gen/1.short" && ln -s /nowhere "$T/run2/gen/1.short/0"
check "taken down" larder stop --run-dir "$T/run2" --root "$T/root2"
check_equal "with what a killed run left" "$(ls -d "$T/run2/gen/"*.short 2>/dev/null)" ""
check_equal "of the generations, one list is left, which keeps the number" "$(find "$T/run2/gen" -mindepth 1 -name '*.*' | wc -l)" 1

check_status 1 "without a volume nothing is copied" larder layers sync --config "$T/machine.yaml" --run-dir "$T/run2"
check_output "and the message says so" "there is no volume"

# The same of the loose tree: a blob, a manifest, a tag.
larder stop --run-dir "$T/run" >"$T/out" 2>&1
mkdir -p "$T/run/volume/layers" && rm -rf "$T/run/volume/layers/"* "$T/run/volume/"{blob,manifests} "$T/root/"{usr,var}/lib/larder/layers/*
echo 1 >"$T/run/volume/format"
layer "$T/loose-1.sqsh" ghcr.io/acme/a:1=a ghcr.io/acme/b:1=b >"$T/out"
unsquashfs -quiet -no-progress -f -d "$T/run/volume" "$T/loose-1.sqsh" >"$T/out"
rm -rf "$T/run/volume/larder"
layers_config
check "a loose tree verifies" L images verify
check_output "and its images are counted" "^2 images verified$"
blob=$(find "$T/run/volume/blob" -type f | head -1)
mv "$blob" "$T/blob"
check "one without all its blobs" L images verify
check_output "is counted by itself" '^2 images verified, of which 1 incomplete: see "larder images missing"$'
check "and for programs" L images verify --output json
check_equal "too" "$(jq -c . "$T/stdout")" '{"images":2,"incomplete":1,"broken":[]}'
mv "$T/blob" "$blob"
rots() { # FILE WHAT REGEX: one file of the loose tree has another byte; and a link to it keeps its own
	cp "$1" "$T/sound" && rm "$1" && sed 's/[a-z]/\x7e/' "$T/sound" >"$1"
	check_status 1 "$2 that rots is found" L images verify
	check_output "and named" "$3"
	check_equal "and nothing else" "$(grep -c "$T/run/volume: " "$T/out")" 1
	cp "$T/sound" "$1"
}
rots "$(find "$T/run/volume/blob" -type f | sort | head -1)" "a blob" "^.*/volume: sha256:[0-9a-f]{64}: its bytes are not right"
rots "$T/run/volume/manifests/ghcr.io/acme/b/reference/1" "a tag" "^.*/volume: ghcr.io/acme/b:1: its bytes are not those of any manifest that is there"
text=$(find "$T/run/volume/manifests/ghcr.io/acme/a/digest" -type f)
check_equal "there is one manifest" "$(wc -l <<<"$text")" 1
rots "$text" "a manifest" "^.*/volume: sha256:${text##*sha256-}: its bytes are not right"
rm "$text"
check_status 1 "a manifest that is gone" L images verify
check_output "is found by its tag" "/volume: ghcr.io/acme/a:1: its bytes are not those of any manifest"
done_testing
