#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Layers where the kernel has no squashfs, no loop devices, or mounting is not allowed: read in place, by every command and by larderd, end to
# end; alone, and among layers that are mounted.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
in_namespaces "$@"
requires curl jq python3 mksquashfs unsquashfs setpriv skopeo
mount --make-rshared /
layers_start
unprivileged_larderd "$T/record"
D=$T/run/volume/layers
serve() { start_larderd "$1" --run-dir "$T/run" --record "$T/record/verified"; }
# W CALLS COMMAND…: larder where these system calls fail.
W() {
	local calls=$1
	shift
	without-syscalls "$calls" larder "$@" --config "$T/machine.yaml" --run-dir "$T/run" --root "$T/root"
}
ALL=fsopen,fsconfig,fsmount,move_mount,mount
mounts() { grep -c " $T/run/\(layers\|gen\)/" /proc/self/mounts; }
tag() { curl -s "$url/v2/$1/manifests/$2?ns=ghcr.io" | sha256sum | cut -d' ' -f1; }
where() { jq -r --arg n "$1" '.layers[] | select(.name == $n and .state == "active") | "\(.mounted) \(.in_place)"' "$T/list.json"; }

# Three layers; c is on top of b, and gives one of its tags another digest.
layer "$D/1-a-1.sqsh" ghcr.io/acme/a:1=a >"$T/out"
layer "$D/2-b-1.sqsh" ghcr.io/acme/b:1=b ghcr.io/acme/both:1=of-b >"$T/out"
layer "$D/3-c-1.sqsh" ghcr.io/acme/c:1=c ghcr.io/acme/both:1=of-c >"$T/out"
both=$(unsquashfs -cat "$D/3-c-1.sqsh" manifests/ghcr.io/acme/both/reference/1 | sha256sum | cut -d' ' -f1)
layers_config

# Each way in which it cannot be mounted.
for calls in $ALL "${ALL//,/=EPERM,}=EPERM" fsopen=ENODEV "fsopen,mount=EPERM" loop=ENXIO loop=EPERM move_mount=EPERM; do
	check "sync, with $calls" W "$calls" layers sync
	check_equal "no layer is mounted" "$(mounts)" 0
	W "$calls" layers --output json >"$T/list.json"
	check_equal "each is read in place" "$(where a) $(where b) $(where c)" "null true null true null true"
	check_status 1 "check finds the conflict" W "$calls" layers check
	check_equal "and no drift" "$(wc -l <"$T/out")" 1
	link=$(readlink "$T/run/cache")
	check "again" W "$calls" layers sync
	check_equal "changes nothing" "$(readlink "$T/run/cache")" "$link"
	check "taken down" larder stop --run-dir "$T/run" --root "$T/root"
	check_equal "nothing is left" "$(find "$T/run/layers" -mindepth 1) $(readlink "$T/run/cache")" " "
	mkdir -p "$D" && echo 1 >"$T/run/volume/format"
done

# Served, unprivileged, and seen by every command.
check "sync" W $ALL layers sync
check_output "says nothing is wrong but the conflict" "b and c give ghcr.io/acme/both:1 different digests"
check "larderd starts, unprivileged" serve one
check_http 200 "an image" "$url/v2/acme/a/manifests/1?ns=ghcr.io"
check_equal "the layer on top counts" "$(tag acme/both 1)" "$both"
check "skopeo copies it" skopeo copy --quiet --all --src-tls-verify=false --override-arch riscv64 "docker://$address/ghcr.io/acme/both:1" "dir:$T/copy"
check_equal "as it is" "$(sha256sum <"$T/copy/manifest.json" | cut -d' ' -f1)" "$both"
check "all is verified ahead" until_true 30 sh -c "curl -s '$url/metrics' | grep -q '^larder_verified_total 10$'"
check "the table" W $ALL layers
check_output "says so" "^a +1 +active +volume .* read in place, not mounted: "
check "images" W $ALL images
check_output "are listed" "ghcr.io/acme/both:1 .* c$"
check "none is missing" W $ALL images missing
check "all verify" W $ALL images verify
check_output "and are counted" "5 images verified"
check "layers verify" W $ALL layers verify

# A new layer under a running download; the file of an old one is deleted, and its space comes back when the last reader ends.
head -c 30000000 /dev/urandom >"$T/extra.bin"
mkdir "$T/big"
IMAGE_EXTRA=$T/extra.bin make_image "$T/big" tag big >/dev/null
echo "ghcr.io/acme/big:1=oci:$T/big:tag" | larder build --images - --name big --version 1 --output "$T/9-big-1.sqsh" >"$T/out"
check "a layer is added" W $ALL layers add "$T/9-big-1.sqsh"
check_output "and is active" "big 1 is active: read in place, not mounted"
big=$(unsquashfs -lln "$D/9-big-1.sqsh" blob | awk '/sha256-/ { print $3, $6 }' | sort -n | tail -1 | sed 's|.*sha256-|sha256:|')
mkfifo "$T/go"
curl -s --limit-rate 20M "$url/v2/x/blobs/$big" 2>/dev/null | { head -c 1000 >"$T/begun"; read -r <"$T/go"; cat "$T/begun" -; } |
	sha256sum | cut -d' ' -f1 >"$T/sum" &
download=$!
check "a download has begun" until_true 60 test -s "$T/begun"
layer "$T/9-big-2.sqsh" ghcr.io/acme/big:2=two >"$T/out"
sed -i 's/keep: 1/keep: 0/' "$T/machine.yaml"
mv "$T/9-big-2.sqsh" "$T/big-2.sqsh"
check "its next version is added while it is downloaded" W $ALL layers add "$T/big-2.sqsh"
check "the old one is pruned" W $ALL layers prune
check_equal "and gone" "$(find "$D" -name '9-big-1*')" ""
check_http 404 "it is not served to others" "$url/v2/x/blobs/$big"
check_http 200 "the new one is" "$url/v2/acme/big/manifests/2?ns=ghcr.io"
echo >"$T/go"
wait "$download"
check_equal "the download ended well" "sha256:$(cat "$T/sum")" "$big"
check_equal "no old generation is left" "$(find "$T/run/gen" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' | wc -l)" 1
check_equal "the number of links is that of active layers" "$(find "$T/run/layers" -name '*.sqsh' | wc -l)" 4

# Written to: as for layers that are mounted.
at=$(grep -abo '"architecture"' "$D/1-a-1.sqsh" | head -1 | cut -d: -f1)
blob=$(curl -s "$url/v2/acme/a/manifests/1?ns=ghcr.io" | jq -r .config.digest)
check_http 200 "a blob" "$url/v2/x/blobs/$blob"
printf X | dd of="$D/1-a-1.sqsh" bs=1 seek=$((at + 1)) conv=notrunc status=none
check_http 404 "is not served when its file was written to" "$url/v2/x/blobs/$blob"
check_equal "which is told once" "$(grep -c "1-a-1.sqsh was written to while it was in use" "$T/one.log")" 1
check_http 200 "the others are served" "$url/v2/acme/b/manifests/1?ns=ghcr.io"
check_status 1 "check calls it drift" W $ALL layers check
check_output "and names it" "a 1: .*what is in its file now is not served"
printf a | dd of="$D/1-a-1.sqsh" bs=1 seek=$((at + 1)) conv=notrunc status=none
check_http 200 "written back, it is served" "$url/v2/x/blobs/$blob"
mv "$D/3-c-1.sqsh" "$T/c.sqsh"
check_http 200 "without its file, a layer is gone, and what is below it is seen" "$url/v2/acme/both/manifests/1?ns=ghcr.io"
[ "$(tag acme/both 1)" != "$both" ]
verdict $? "with its own digest"
mv "$T/c.sqsh" "$D/3-c-1.sqsh"
check_equal "and with its file it is back" "$(tag acme/both 1)" "$both"
check "larderd ends" stop_larderd
check "taken down" larder stop --run-dir "$T/run" --root "$T/root"
rm -f "$D"/*

# Among layers that are mounted, in their order.
layer "$D/1-a-1.sqsh" ghcr.io/acme/a:1=a >"$T/out"
layer "$D/3-c-1.sqsh" ghcr.io/acme/c:1=c ghcr.io/acme/both:1=of-c >"$T/out"
echo 1 >"$T/run/volume/format"
check "two layers are mounted" L layers sync
check_equal "and merged" "$(mounts)" 3
check "larderd starts" serve two
layer "$T/2-b-1.sqsh" ghcr.io/acme/b:1=b ghcr.io/acme/both:1=of-b >"$T/out"
check "one between them finds no loop device" W loop=ENXIO layers add "$T/2-b-1.sqsh"
check_output "and is read in place" "b 1 is active: read in place, not mounted: no loop device for it: No such device or address"
check_equal "the others stay mounted" "$(mounts)" 2
check_http 200 "its image is served" "$url/v2/acme/b/manifests/1?ns=ghcr.io"
check_equal "but what is above it counts" "$(tag acme/both 1)" "$both"
layer "$T/4-e-1.sqsh" ghcr.io/acme/both:1=of-e >"$T/out"
check "another on top" W loop=ENXIO layers add "$T/4-e-1.sqsh"
[ "$(tag acme/both 1)" != "$both" ]
verdict $? "counts"
check_http 200 "what is at the bottom is served" "$url/v2/acme/a/manifests/1?ns=ghcr.io"
check "skopeo copies it" skopeo copy --quiet --all --src-tls-verify=false --override-arch riscv64 "docker://$address/ghcr.io/acme/a:1" "dir:$T/copy2"
check "the rest is hashed ahead of need" until_true 60 resting
hashed=$(metric larder_verified_total)
check "when loop devices are there again" L layers sync
check_equal "all are mounted and merged" "$(mounts)" 5
check_http 200 "and served" "$url/v2/acme/b/manifests/1?ns=ghcr.io"
check "it has looked at all" until_true 20 sh -c "curl -s '$url/metrics' | grep -q '^larder_store_images 4$'"
check_equal "without hashing anything again" "$(metric larder_verified_total)" "$hashed"

# The whole pipeline, where nothing can be mounted.
check "larderd ends" stop_larderd
check "taken down" larder stop --run-dir "$T/run" --root "$T/root"
mkdir -p "$T/root/usr/lib/larder/layers"
layer "$T/root/usr/lib/larder/layers/f-1.sqsh" ghcr.io/acme/f:1=f >"$T/out"
printf -- '---\napiVersion: v1alpha1\nkind: ImageCacheConfig\nlocal: {enabled: true}\n---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\nprovisioning: {diskSelector: {match: "false"}, waitTimeout: 0s}\n' >>"$T/machine.yaml"
check "larder boot" W $ALL boot
check_equal "the layer is in the status" "$(jq -r '.layers[] | select(.name == "f") | "\(.state) \(.in_place) \(.reason | startswith("read in place, not mounted"))"' "$T/run/status.json")" "active true true"
check "larderd starts" serve three
check_http 200 "and serves it" "$url/v2/acme/f/manifests/1?ns=ghcr.io"
printf X | dd of="$T/root/usr/lib/larder/layers/f-1.sqsh" bs=1 seek=200 conv=notrunc status=none
check_status 1 "larder status" larder status --run-dir "$T/run"
check_output "names a file that was written to" "layers: .*/f-1.sqsh was written to while it was in use"
check "larderd ends" stop_larderd
check "larder stop" larder stop --run-dir "$T/run" --root "$T/root"
check_equal "leaves nothing" "$(find "$T/run/layers" -mindepth 1) $(mounts)" " 0"
done_testing
