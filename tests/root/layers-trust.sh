#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An attacker with a stick: another label, a higher version, the same tags, a valid squashfs, an old signed layer played back.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
in_namespaces "$@"
requires mksquashfs unsquashfs mkfs.ext4 jq openssl strace
layers_start
real_root
pause=registry.k8s.io/pause:3.10
for name in site evil; do
	openssl genpkey -algorithm ed25519 -out "$T/$name.key" 2>"$T/out"
	openssl pkey -in "$T/$name.key" -pubout -out "$T/$name.pub"
done
mkdir -p "$T/root/keys"
cp "$T/site.pub" "$T/root/keys/site.pub"

stick() { # LABEL: a medium of what is in $T/medium; the only one in the drive
	[ -z "${device-}" ] || losetup --detach "$device"
	device=$(medium "$1" "$T/medium")
	cleanup losetup --detach "$device"
	rm -f "$T/medium/larder/"*
}
match() { echo "volume.label == \"LARDER_SITE\" && volume.dev_path == \"$device\""; }
# The medium is released afterwards: what became of its layers is in what sync says.
sync() { L layers sync --output json >"$T/sync.json"; }
state() { jq -r --arg n "$1" --arg v "${2-}" '.layers[] | select(.name == $n and ($v == "" or .version == $v)) | .state' "$T/sync.json" | paste -sd,; }
reason() { jq -r --arg n "$1" '.layers[] | select(.name == $n) | .reason' "$T/sync.json" | paste -sd,; }
served() { tag_digest registry.k8s.io pause 3.10; }

layer "$T/root/usr/lib/larder/layers/k8s-1.0.sqsh" $pause=good >"$T/out"
layers_config
check "the machine's own layer" sync
good=$(served)

layer "$T/medium/larder/k8s-9.0.sqsh" $pause=evil >"$T/out"
stick OTHER
layers_config "$(match)"
check "a stick with another label" sync
check_equal "is not mounted" "$(grep -c " $T/run/media/" /proc/self/mounts)" 0
check_equal "is listed as untrusted" "$(L layers --output json | jq -r --arg d "$device" '.media[] | select(.device == $d).reason' | cut -d: -f1)" untrusted
check_equal "and changes nothing" "$(served)" "$good"

layer "$T/medium/larder/k8s-9.0.sqsh" $pause=evil >"$T/out"
layer "$T/medium/larder/zzz-1.0.sqsh" $pause=evil registry.k8s.io/new:1=new >"$T/out"
layer "$T/medium/larder/more-1.0.sqsh" registry.k8s.io/more:1=more >"$T/out"
stick LARDER_SITE
check "a stick with the right label" sync
check_equal "a higher version with the same tag is refused" "$(state k8s 9.0)" refused
check_equal "another layer with the same tag is refused" "$(state zzz)" refused
check_equal "and why" "$(reason zzz)" "it would replace $pause, which k8s 1.0 holds; if that is meant, \"larder layers add\" it"
check_equal "one that only adds is used, from its copy" "$(state more)" superseded,active
check_equal "the tag means what it meant" "$(served)" "$good"
check "what was refused is not copied" test ! -e "$T/run/volume/layers/k8s-9.0.sqsh"

layers_config "$(match)" 'layers: [{name: k8s, version: "9.0"}, {name: more}]'
check "pinned, it is meant" sync
check_equal "and active" "$(state k8s 9.0)" superseded,active
rm -f "$T/run/volume/layers/k8s-9.0.sqsh"*

# With keys: signed before higher; required: nothing else.
keys="keep: 1
trust: {keys: [$T/root/keys/site.pub], required: false}"
required="${keys/false/true}"
LAYER_OPTIONS=(--sign "$T/site.key")
layer "$T/medium/larder/k8s-2.0.sqsh" $pause=two >"$T/out"
LAYER_OPTIONS=(--sign "$T/evil.key")
layer "$T/medium/larder/k8s-8.0.sqsh" $pause=evil >"$T/out"
LAYER_OPTIONS=()
layer "$T/medium/larder/k8s-9.0.sqsh" registry.k8s.io/harmless:1=evil >"$T/out"
stick LARDER_SITE
layers_config "$(match)" "$keys"
check "with trust keys" sync
check_equal "the signed one is active, from its copy" "$(state k8s 2.0)" superseded,active
check_equal "a higher one signed by another key is not" "$(state k8s 8.0)" superseded
check_equal "a higher one that is not signed is superseded" "$(state k8s 9.0)" superseded
two=$(served)
check_equal "a signed one may give a tag another meaning" "$([ "$two" != "$good" ] && echo yes)" yes
check "the signature was copied" cmp "$T/run/volume/layers/k8s-2.0.sqsh.sig" <(cat "$T/run/volume/layers/k8s-2.0.sqsh.sig")
check_equal "and holds there" "$(L layers --output json | jq '[.layers[] | select(.name == "k8s" and .version == "2.0" and .origin == "volume").signed]' -c)" "[true]"

layers_config "$(match)" "$required"
check "with required signatures" sync
check_equal "an unsigned layer is refused" "$(state more)" refused
check_equal "and an unsigned built-in one" "$(state k8s 1.0)" refused
check_equal "the signed one is active" "$(state k8s 2.0 | grep -c active)" 1
check_equal "nothing else is merged" "$(grep -c " $T/run/layers/" /proc/self/mounts)" 1

# By hand, too: what would be refused does not get to the volume.
layer "$T/unsigned-1.sqsh" ghcr.io/acme/unsigned:1=unsigned >"$T/out"
LAYER_OPTIONS=(--sign "$T/evil.key")
layer "$T/foreign-1.sqsh" ghcr.io/acme/foreign:1=foreign >"$T/out"
LAYER_OPTIONS=(--sign "$T/site.key")
layer "$T/trusted-1.sqsh" ghcr.io/acme/trusted:1=trusted >"$T/out"
LAYER_OPTIONS=()
for name in unsigned foreign; do
	check_status 1 "an added layer that is $name" L layers add "$T/$name-1.sqsh"
	check_output "is refused" "$name-1.sqsh: it is not signed by a trusted key, which trust.required"
	check_equal "nothing of it is on the volume" "$(find "$T/run/volume" -name "*$name*")" ""
done
check "one that is signed" L layers add "$T/trusted-1.sqsh"
check_output "is added" "trusted 1 is active"
rm "$T/run/volume/layers/trusted-1.sqsh"*

# An old layer of ours, played back; and a good signature beside other content.
LAYER_OPTIONS=(--sign "$T/site.key")
layer "$T/medium/larder/k8s-1.5.sqsh" $pause=vulnerable >"$T/out"
layer "$T/medium/larder/forged-1.0.sqsh" $pause=honest >"$T/out"
LAYER_OPTIONS=()
layer "$T/forged/forged-1.0.sqsh" $pause=forged >"$T/out"
cp "$T/forged/"forged-1.0.sqsh{,.sha256} "$T/medium/larder/"
stick LARDER_SITE
layers_config "$(match)" "$required"
check "an old signed layer" sync
check_equal "is superseded" "$(state k8s 1.5)" superseded
check_equal "a signature of other content is refused" "$(state forged)" refused
check_equal "and says why" "$(reason forged)" "it is not signed by a trusted key"
check_equal "the tag means what it meant" "$(served)" "$two"

# What lies beside a layer leads out of the medium, or nowhere.
echo "a secret of this machine" >"$T/secret"
for name in sum sig root tree pipe; do layer "$T/medium/larder/$name-1.sqsh" "ghcr.io/acme/$name:1=$name" >"$T/out"; done
(cd "$T/medium/larder" && ln -sf "$T/secret" sum-1.sqsh.sha256 && ln -s "$T/secret" sig-1.sqsh.sig && ln -s "$T/secret" root-1.sqsh.roothash &&
	ln -s "$T/secret" tree-1.sqsh.verity && rm pipe-1.sqsh.sha256 && mkfifo pipe-1.sqsh.sha256)
stick LARDER_SITE
layers_config "$(match)"
check_status 1 "symlinks and pipes beside layers" sync
check_output "a sum that is a symlink" "sum-1.sqsh was not copied: .*sum-1.sqsh.sha256: Too many levels of symbolic links"
check_output "a signature that is one" "sig-1.sqsh was not copied: .*sig-1.sqsh.sig: it is a symlink"
check_output "a sum that is a pipe" "pipe-1.sqsh was not copied: .*pipe-1.sqsh.sha256: it does not begin with a SHA-256 sum"
check_equal "a root hash that is one is broken" "$(state root)" broken
check_equal "a tree that is one is broken" "$(state tree)" broken
check_equal "nothing of the machine gets to the volume" "$(grep -rl "a secret" "$T/run/volume")" ""
check_equal "and nothing half" "$(find "$T/run/volume/layers" -regex '.*/\(sum\|sig\|root\|tree\|pipe\)-.*')" ""
rm -f "$T/run/volume/layers/"{sum,sig,root,tree,pipe}-*

layers_config "$(match)" "keep: 1
trust: {keys: [$T/root/keys/none.pub, $T/root/keys/pipe.pub, $T/root/keys/site.pub], required: true}"
mkfifo "$T/root/keys/pipe.pub"
check "a key that is not there, and a pipe" sync
check_equal "which is no key" "$(jq -r '.notes[]' "$T/sync.json" | grep -c "trust key .*/keys/pipe.pub: it is no Ed25519 public key")" 1
check_equal "is said" "$(jq -r '.notes[]' "$T/sync.json" | grep -c "trust key .*/keys/none.pub: No such file")" 1
check_equal "and the others count" "$(state k8s 2.0 | grep -c active)" 1
layers_config "$(match)" "keep: 1
trust: {keys: [$T/root/keys/none.pub], required: true}"
check "no key that could be read" sync
check_equal "is said once" "$(jq -r '.notes[]' "$T/sync.json" | grep -c "trust key")" 1
check_equal "what is signed is refused" "$(state k8s 2.0 | tr , '\n' | sort -u)" refused
check_equal "since it cannot be checked" "$(jq -r '.layers[] | select(.name == "k8s" and .version == "2.0") | .reason' "$T/sync.json" | sort -u)" \
	"its signature cannot be checked: a trust key could not be read"
check_equal "what is not signed is not" "$(reason more | tr , '\n' | sort -u)" "it is not signed by a trusted key"
check_status 1 "nor can one that is added" L layers add "$T/foreign-1.sqsh"
check_output "which says why" "its signature cannot be checked, which trust.required of CacheLayerConfig wants, and it is not copied; trust key .*none.pub: No such file"
layers_config "$(match)" "keep: 1
trust: {keys: [/keys/site.pub], required: true}"
check "a key below the config root" L layers add "$T/trusted-1.sqsh" --config-root "$T/root"
check_output "counts for what is added, too" "trusted 1 is active"
rm "$T/run/volume/layers/trusted-1.sqsh"*
for file in trusted-1.sqsh{,.sig}; do ln -s "$T/$file" "$T/root/var/lib/larder/layers/$file"; done
layers_config "$(match)" "$required"
check "a built-in layer and its signature may be symlinks" sync
check_equal "and are used" "$(state trusted)" active
rm "$T/root/var/lib/larder/layers/trusted-1.sqsh"*

# The medium that the system was booted from needs no line in the configuration; another beside it does.
layer "$T/medium/larder/live-1.sqsh" registry.k8s.io/live:1=live >"$T/out"
stick NOTHING_SPECIAL
layers_config
check "a medium that nothing selects" sync
check_equal "is not used" "$(state live)" ""
mkdir -p /run/live/medium && mount -o ro "$device" /run/live/medium
check "the same, when the system was booted from it" sync
check_equal "is trusted" "$(jq -r --arg d "$device" '.media[] | select(.device == $d).trusted' "$T/sync.json")" true
check_equal "and its layer is active, from its copy" "$(state live)" superseded,active
umount /run/live/medium
rm "$T/run/volume/layers/live-1.sqsh"*

# One layer clears the way for another: a higher version of k8s without the tag, and the tag in a layer of another name or in a cache
# tree. Also when it comes again, when the first is on the volume already, and when there is no room and old versions go.
fresh() {
	larder stop --run-dir "$T/run" >"$T/out" 2>&1
	mkdir -p "$T/run/volume/layers" "$T/run/volume/.tmp" && echo 1 >"$T/run/volume/format"
	rm -rf "$T/run/volume/layers/"* "$T/run/volume/"{blob,manifests} "$T/root/usr/lib/larder/layers/"* "$T/medium/imagecache"
}
twice() { # DESCRIPTION EXPECTED-DIGEST
	local i
	for i in first second; do
		check "$1: the $i sync" sync
		check_equal "$1: the tag means what it meant, or nothing" \
			"$([ ! -e "$T/run/cache/manifests/registry.k8s.io/pause/reference/3.10" ] || served)" "$2"
		check_equal "$1: nothing in the loose tree gives it" "$(find "$T/run/volume" -path "*pause/reference*")" ""
	done
}
fresh
layer "$T/run/volume/layers/k8s-1.0.sqsh" $pause=good >"$T/out"
layers_config
check "a machine without keys" sync
good=$(served)
layer "$T/medium/larder/k8s-9.0.sqsh" registry.k8s.io/harmless:1=h >"$T/out"
layer "$T/medium/larder/evil-1.0.sqsh" $pause=evil >"$T/out"
layer "$T/tree-1.0.sqsh" $pause=evil registry.k8s.io/other:1=other >"$T/out"
unsquashfs -quiet -no-progress -f -d "$T/medium/imagecache" "$T/tree-1.0.sqsh" >"$T/out"
rm -rf "$T/medium/imagecache/larder"
stick LARDER_SITE
layers_config "$(match)"
twice "a stick that clears the way" ""
check_equal "what adds is taken" "$(state k8s 9.0 | grep -c active)" 1
check_equal "the other layer is refused" "$(state evil)" refused
check_equal "it is not copied" "$(cd "$T/run/volume/layers" && echo *.sqsh)" "k8s-1.0.sqsh k8s-9.0.sqsh"
check_equal "nor is the cache tree" "$(state imagecache:LARDER_SITE)" refused
check_equal "and why" "$(reason imagecache:LARDER_SITE)" "it would replace $pause, which k8s 1.0 holds; if that is meant, delete that layer"
rm "$T/run/volume/layers/k8s-9.0.sqsh"*
layer "$T/run/volume/layers/k8s-0.9.sqsh" registry.k8s.io/harmless:0=h >"$T/out"
layers_config "$(match)" "keep: 0"
check "a sync that finds no room at first" env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -e trace=pwrite64 -e inject=pwrite64:error=ENOSPC:when=1 \
	larder layers sync --config "$T/machine.yaml" --run-dir "$T/run"
check "was told so" grep -q INJECTED "$T/trace"
check_equal "deletes what is superseded, and not what holds the tag" "$(cd "$T/run/volume/layers" && echo *.sqsh)" "k8s-1.0.sqsh k8s-9.0.sqsh"
layer "$T/evil-1.0.sqsh" $pause=evil >"$T/out"
check "the administrator may" L layers add "$T/evil-1.0.sqsh"
check_equal "replace it" "$([ "$(served)" != "$good" ] && echo yes)" yes

# An old signed layer of another name, played back where signatures are required.
fresh
LAYER_OPTIONS=(--sign "$T/site.key")
layer "$T/run/volume/layers/k8s-2.0.sqsh" $pause=two >"$T/out"
layer "$T/medium/larder/zz-old-1.0.sqsh" $pause=vulnerable >"$T/out"
LAYER_OPTIONS=()
stick LARDER_SITE
for pins in 'layers: [{name: k8s, version: "2.0"}, {name: zz-old}]' 'layers: [{name: k8s, version: "2.0"}, {name: zz-old, version: "1.0"}]' ""; do
	layers_config "$(match)" "$required
$pins"
	twice "an old signed layer of another name (${pins:-no pins})" "$two"
	check_equal "it is refused" "$(state zz-old)" refused
	check "and not copied" test ! -e "$T/run/volume/layers/zz-old-1.0.sqsh"
done
done_testing
