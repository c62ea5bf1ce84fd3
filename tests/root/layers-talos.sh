#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Talos's ISO carries a cache tree in imagecache/: served at once, copied into the volume's loose tree image by image, released;
# full volumes, wrong bytes, kills, and attackers.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
in_namespaces "$@"
requires curl mksquashfs unsquashfs mkfs.ext4 jq openssl strace xorriso
layers_start
real_root
tree=$T/medium/imagecache
V=$T/run/volume
sync() { L layers sync --output json >"$T/sync.json"; }
row() { jq -r ".layers[] | select(.name == \"imagecache:TALOS\").$1" "$T/sync.json"; }
# talos REFERENCE=MESSAGE…: the tree of these images, as Talos lays it out.
talos() {
	rm -rf "$tree"
	rm -f "$T/talos.sqsh"
	layer "$T/talos.sqsh" "$@" >"$T/out" && unsquashfs -quiet -no-progress -f -d "$tree" "$T/talos.sqsh" >"$T/out"
	rm -rf "$tree/larder"
}
insert() { # the medium is put in the drive
	[ -z "${device-}" ] || losetup --detach "$device"
	device=$(medium "${1:-TALOS}" "$T/medium" 64M)
	cleanup losetup --detach "$device"
	layers_config "volume.dev_path == \"$device\"" "${2:-keep: 1}"
}
empty_volume() {
	larder stop --run-dir "$T/run" >"$T/out" 2>&1
	rm -rf "$V/blob" "$V/manifests" "$V/.tmp" "$V/layers"
	mkdir -p "$V/layers" "$V/.tmp"
	echo 1 >"$V/format"
}
whole() { # every blob of the volume has the digest that it is called by
	(cd "$V/blob" && find . -type f -printf '%f\n' | sed 's/^sha256-\(.*\)/\1  &/' >"$T/sums" && { [ ! -s "$T/sums" ] || sha256sum --quiet --strict --check "$T/sums"; })
}
complete() { # every tag of the volume leads to blobs that are all there
	local tag blob
	while read -r tag; do
		for blob in $(jq -r '.config.digest, .layers[].digest' "$tag"); do
			[ -e "$V/blob/${blob/:/-}" ] || { echo "$tag: $blob is not there" && return 1; }
		done
	done < <(find "$V/manifests" -path '*/reference/*' -type f)
}
tags() { (cd "$V/manifests" 2>/dev/null && find . -path '*/reference/*' -type f | sort | xargs); }

# Copied, byte for byte, and the medium goes. A tag of the machine's own layer, and one that lies loose, keep their meaning.
talos registry.local:5000/acme/app:1=talos ghcr.io/acme/c:1=talos ghcr.io/acme/loose:1=talos
rm "$tree/manifests/registry.local_5000_/acme/app/reference/1" # an image that only a digest names
talos_app=$(ls "$tree/manifests/registry.local_5000_/acme/app/digest")
layer "$T/root/usr/lib/larder/layers/c-1.sqsh" ghcr.io/acme/c:1=own >"$T/out"
mkdir -p "$V/manifests/ghcr.io/acme/loose/reference"
echo '{"own": true}' >"$V/manifests/ghcr.io/acme/loose/reference/1"
insert
check "a cache tree on a medium" sync
check_equal "its images are on the volume" "$(row 'state + ": " + .reason')" "superseded: its images are on the volume"
check_equal "the medium is released" "$(grep -c " $T/run/media/" /proc/self/mounts)" 0
check "what a digest names is copied" cmp "$tree/manifests/registry.local_5000_/acme/app/digest/${talos_app%% *}" "$V/manifests/registry.local_5000_/acme/app/digest/${talos_app%% *}"
check "blobs are whole" whole
check_equal "a tag that an active layer gives is not copied" "$(tags)" "./ghcr.io/acme/loose/reference/1"
check_equal "and one that lies loose is not replaced" "$(cat "$V/manifests/ghcr.io/acme/loose/reference/1")" '{"own": true}'
check "the layer's tag means what it meant" cmp "$T/run/cache/manifests/ghcr.io/acme/c/reference/1" <(unsquashfs -cat "$T/root/usr/lib/larder/layers/c-1.sqsh" manifests/ghcr.io/acme/c/reference/1)
check_equal "nothing is left over" "$(ls -A "$V/.tmp")" ""
rm -f "$T/root/usr/lib/larder/layers/"*
empty_volume

# With tags; a second run; the medium still in the drive at the next boot.
talos registry.local:5000/acme/app:1=one ghcr.io/acme/c:1=two
insert
check "sync says what it did" L layers sync
check_output "in images" "^2 images copied to the volume; no layer is active$"
check_equal "the tags are there" "$(tags)" "./ghcr.io/acme/c/reference/1 ./registry.local_5000_/acme/app/reference/1"
check "images lists them" L images
check_output "with the port, and no layer" "registry.local:5000/acme/app:1 .* -$"
check "all verify" L images verify
check "larderd starts" start_larderd loose --run-dir "$T/run"
check_http 200 "it serves what lies under the name with a port, by ns" "$url/v2/acme/app/manifests/1?ns=registry.local:5000"
check_equal "byte for byte" "$(sha256sum <"$T/body")" "$(sha256sum <"$tree/manifests/registry.local_5000_/acme/app/reference/1")"
check_http 200 "and by path" "$url/v2/registry.local:5000/acme/app/manifests/1"
check_http 200 "with its blobs" "$url/v2/acme/app/blobs/$(jq -r .config.digest "$T/body")?ns=registry.local:5000"
check_http 404 "and not under the name of its directory" "$url/v2/acme/app/manifests/1?ns=registry.local_5000_"
check "larderd ends" stop_larderd
before=$(find "$V/blob" "$V/manifests" -type f -printf '%p %i %T@\n' | sort)
check "a second sync" L layers sync
check_output "copies nothing" "^nothing to copy; no layer is active$"
check_equal "and leaves the files alone" "$(find "$V/blob" "$V/manifests" -type f -printf '%p %i %T@\n' | sort)" "$before"
check "nothing differs from what is configured" L layers check
empty_volume

# An image that is not whole on the medium is named, the others are copied, the medium stays.
talos ghcr.io/acme/good:1=good ghcr.io/acme/gone:1=gone ghcr.io/acme/rot:1=rot ghcr.io/acme/link:1=link ghcr.io/acme/text:1=text
blob_of() { # REPOSITORY: path of its config in the tree
	local config
	config=$(jq -r .config.digest "$tree/manifests/ghcr.io/acme/$1/reference/1")
	echo "$tree/blob/${config/:/-}"
}
rm "$(blob_of gone)"
sed -i 's/architecture/Architecture/' "$(blob_of rot)"
secret=$T/secret
cp "$(blob_of link)" "$secret"
ln -sf "$secret" "$(blob_of link)"
echo "no manifest" >"$tree/manifests/ghcr.io/acme/text/reference/1"
insert
check_status 1 "a tree that is not whole" sync
check_output "says how many" "4 of 5 images could not be copied"
check_output "a blob that is not there" "ghcr.io/acme/gone:1 was not copied: blob sha256:[0-9a-f]{64}: it is not there"
check_output "a blob with other bytes" "ghcr.io/acme/rot:1 was not copied: .*the content's digest is"
check_output "a symlink" "ghcr.io/acme/link:1 was not copied: blob sha256:[0-9a-f]{64}: Too many levels of symbolic links"
check_output "a manifest that is none" "ghcr.io/acme/text:1 was not copied:"
check_equal "the whole one is on the volume" "$(tags)" "./ghcr.io/acme/good/reference/1"
check "blobs are whole" whole
check_equal "the medium stays" "$(grep -c " $T/run/media/" /proc/self/mounts)" 1
check_equal "its tree is active" "$(row state)" active
check_equal "nothing is left over" "$(ls -A "$V/.tmp")" ""
empty_volume

# Only what is trusted.
talos ghcr.io/acme/evil:1=evil
insert TALOS
layers_config "false"
check "a medium that nothing selects" sync
check_equal "is not copied" "$(tags)" ""
openssl genpkey -algorithm ed25519 -out "$T/site.key" 2>"$T/out"
mkdir -p "$T/root/keys"
openssl pkey -in "$T/site.key" -pubout -out "$T/root/keys/site.pub"
insert TALOS "trust: {keys: [$T/root/keys/site.pub], required: true}"
check "a tree, where signatures are required" sync
check_equal "is refused" "$(row 'state + ": " + .reason')" "refused: it is not signed by a trusted key"
check_equal "and not copied" "$(tags)" ""
empty_volume

# A volume that takes two of three; then one with more room.
head -c 6000000 /dev/urandom >"$T/six.bin"
: >"$T/list"
for name in a b c; do
	mkdir -p "$T/big.$name"
	IMAGE_EXTRA=$T/six.bin make_image "$T/big.$name" tag "$name" riscv64 >/dev/null
	head -c 6000000 /dev/urandom >"$T/six.bin"
	echo "ghcr.io/acme/$name:1=oci:$T/big.$name:tag" >>"$T/list"
done
rm -rf "$tree" "$T/talos.sqsh"
larder build --images "$T/list" --output "$T/talos.sqsh" >"$T/out"
unsquashfs -quiet -no-progress -f -d "$tree" "$T/talos.sqsh" >"$T/out"
rm -rf "$tree/larder"
truncate -s 16M "$T/volume.img"
mkfs.ext4 -q -m 0 -O ^has_journal "$T/volume.img"
mount -o loop "$T/volume.img" "$V"
mkdir -p "$V/layers" "$V/.tmp"
echo 1 >"$V/format"
insert
check_status 1 "a volume that is too small" sync
check_output "the message says so" "the volume is full: 2 of 3 images were copied"
check_output "and how much is missing" "ghcr.io/acme/c:1 was not copied: it does not fit: .* are needed, .* are free"
check_output "and which image is not there" "not on the volume: ghcr.io/acme/c:1"
check_equal "two are on the volume" "$(tags)" "./ghcr.io/acme/a/reference/1 ./ghcr.io/acme/b/reference/1"
check "blobs are whole" whole
check_equal "nothing half is left" "$(ls -A "$V/.tmp")" ""
check "the third is served from the medium" test -s "$T/run/cache/manifests/ghcr.io/acme/c/reference/1"
larder stop --run-dir "$T/run" >"$T/out" 2>&1
mountpoint -q "$V" && umount "$V"
empty_volume

# Killed at directories that it makes, at pieces that it writes, at names that it gives, the more often the earlier: what has a name is
# whole, and the end is the same.
kills=0 torn=
for call in mkdirat write fsync renameat; do
	for n in 1 2 3 4 5 7 9 12 16 21 27 35 45 60 80 120 200 400 1000; do
		rm -rf "$V/blob" "$V/manifests" # but not what earlier ones left in .tmp
		ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null -e trace=$call -e "inject=$call:signal=KILL:when=$n" \
			larder layers sync --config "$T/machine.yaml" --run-dir "$T/run" >"$T/out" 2>&1 && break
		kills=$((kills + 1))
		[ ! -d "$V/blob" ] || { whole && complete; } >"$T/whole" 2>&1 || torn+="$call $n: $(tail -1 "$T/whole"); "
	done
	check "killed at $call until it does not come to that" test $n -gt 3 -a $n -lt 1000
	note "until the $n. $call"
done 2>"$T/shell"
note "$kills kills"
check_equal "what a kill leaves is whole" "$torn" ""
rm -rf "$V/blob" "$V/manifests"
# Killed once more, past the first image; what is there then is not written again.
ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null -e trace=renameat -e inject=renameat:signal=KILL:when=8 \
	larder layers sync --config "$T/machine.yaml" --run-dir "$T/run" >"$T/out" 2>&1
there=$(find "$V/blob" -type f -printf '%p %i %T@ %C@\n' | sort)
check "a kill that leaves some blobs" test "$(grep -c . <<<"$there")" -ge 1
check "a run to the end" sync
check_equal "writes none of them again" "$(find "$V/blob" -type f -printf '%p %i %T@ %C@\n' | sort | comm -23 <(echo "$there") -)" ""
check_equal "has all images" "$(tags)" "./ghcr.io/acme/a/reference/1 ./ghcr.io/acme/b/reference/1 ./ghcr.io/acme/c/reference/1"
check "blobs are whole" whole
check_equal "the medium is released" "$(grep -c " $T/run/media/" /proc/self/mounts)" 0
check_equal "what kills left in .tmp is gone" "$(ls -A "$V/.tmp")" ""

# An OCI layout in the place of the cache tree is not used, and not passed over in silence.
losetup --detach "$device"
mkdir -p "$T/layout"
make_image "$T/layout/imagecache" docker.io/library/one:1 one riscv64 >"$T/out"
device=$(medium LAYOUT "$T/layout") && cleanup losetup --detach "$device"
layers_config "volume.dev_path == \"$device\""
check "an OCI layout on a medium is no failure of the others" L layers sync
check_equal "it is listed as broken" "$(state imagecache:LAYOUT)" broken
check_equal "and why" "$(reason imagecache:LAYOUT)" \
	"it is an OCI image layout, and only a cache tree is used from a medium; \"larder build\" makes a layer of it (oci:DIR)"
check_status 1 "check names it" L layers check
check_output "by its reason" "it is an OCI image layout"
losetup --detach "$device"

# An ISO, as Talos's own: the same tree, in an iso9660.
empty_volume
talos registry.local:5000/acme/app:1=one ghcr.io/acme/c:1=two
check "an ISO is made" xorriso -as mkisofs -quiet -V TALOS_ISO -r -o "$T/talos.iso" "$T/medium"
device=$(losetup --find --show --read-only "$T/talos.iso")
cleanup losetup --detach "$device"
listed() { jq -r --arg d "$device" ".media[] | select(.device == \$d) | $1" "$T/sync.json"; }
layers_config "false"
check "an ISO that nothing selects" sync
check_equal "is listed as untrusted" "$(listed '[.label, .filesystem, .trusted, .mounted, (.reason | split(":")[0])] | map(tostring) | join(" ")')" \
	"TALOS_ISO iso9660 false null untrusted"
check_equal "and not copied" "$(tags)" ""
layers_config "volume.dev_path == \"$device\" && volume.name == \"iso9660\" && volume.label == \"TALOS_ISO\""
if grep -qw iso9660 /proc/filesystems || modprobe -q iso9660 2>"$T/modprobe"; then
	check "an ISO that is selected" sync
	check_equal "its images are on the volume" "$(tags)" "./ghcr.io/acme/c/reference/1 ./registry.local_5000_/acme/app/reference/1"
	check "blobs are whole" whole
	check_equal "the medium is released" "$(grep -c " $T/run/media/" /proc/self/mounts)" 0
else
	L layers sync --output json >"$T/sync.json" 2>"$T/out"
	check_equal "an ISO that is selected, and a kernel that cannot mount it: the medium is listed as trusted" "$(listed .trusted)" true
	check_equal "with the reason" "$(listed .reason | grep -c "iso9660")" 1
	check_equal "and nothing is copied" "$(tags)" ""
fi
losetup --detach "$device"
done_testing
