#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larderd over a run directory, as an unprivileged user on a read-only file system: what is mounted comes, changes and goes under it.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires_root
requires curl python3 mksquashfs unsquashfs busybox setpriv mkfs.ext4
in_namespaces "$@"
mount --make-rshared /
chmod 755 "$T"

# Half a minute passes meanwhile: see the end.
mkdir "$T/held"
exec 5>"$T/held/lock"
flock 5
larder stop --run-dir "$T/held" >"$T/held.out" 2>&1 5>&- &
held=$!

check "a store is made" small_store "$T/tree"
largest() { (cd "$T/tree/blob" && find . -type f -printf '%s %f\n' | sort -n | tail -1 | cut -d' ' -f2); }
blob=$(largest)
run_dir=$T/run
mkdir -p "$run_dir"/gen "$T/record" "$T/bottom"
chown 65534 "$T/record"
unprivileged_larderd "$T/record"
serve() { start_larderd "$1" --run-dir "$run_dir" --record "$T/record/verified"; }

check "larderd starts, unprivileged, on nothing" serve one
check_equal "it has no capability" "$(grep -h '^Cap\(Eff\|Prm\|Bnd\)' "/proc/$larderd_pid/status" | awk '{ print $2 }' | sort -u)" 0000000000000000
check_http 404 "a manifest is not there" "$url/v2/library/busybox/manifests/1.36?ns=docker.io"
check_http 503 "it is not ready" "$url/readyz"
check_equal "and says why" "$(cat "$T/body")" "not ready: no source holds an image yet; see larder status"
check_http 200 "it is healthy" "$url/healthz"
mkdir "$run_dir/volume"
cp -r "$T/tree/manifests" "$run_dir/volume"
check_http 503 "with manifests alone it is not ready" "$url/readyz"
check_equal "and says why" "$(cat "$T/body")" "not ready: no image here is whole; see larder images missing"
rm -r "$run_dir/volume"

# A generation appears.
mount_layer() { # NAME IMAGE
	mkdir -p "$run_dir/layers/$1"
	mount -o loop,ro -t squashfs "$2" "$run_dir/layers/$1"
	cleanup umount "$run_dir/layers/$1"
}
mount_generation() { # N LOWER…
	local n=$1 lower
	shift
	lower=$(IFS=:; echo "$*")
	mkdir -p "$run_dir/gen/$n"
	mount -t overlay -o "ro,lowerdir=$lower:$T/bottom" overlay "$run_dir/gen/$n"
	cleanup umount "$run_dir/gen/$n"
}
publish() { ln -sfn "gen/$1" "$run_dir/.new" && mv -T "$run_dir/.new" "$run_dir/cache"; }
check "a layer is mounted" mount_layer small-1.0.0-00000000 "$T/layer.sqsh"
check "a generation of it" mount_generation 1 "$run_dir/layers/small-1.0.0-00000000"
publish 1
check_http 200 "it is served without a restart" "$url/v2/library/busybox/manifests/1.36?ns=docker.io"
check_http 200 "larderd is ready" "$url/readyz"
check "everything is verified ahead" until_true 30 sh -c "curl -s '$url/metrics' | grep -q '^larder_verified_total 6$'"
check_equal "and counted" "$(metric larder_store_images) $(metric larder_store_blobs)" "2 6"

# Restart: what was verified in this boot stays so, by the record.
check "larderd ends" stop_larderd
check "and starts again" serve two
check_http 200 "a blob is served" "$url/v2/x/blobs/sha256:${blob#sha256-}"
check "it has counted" until_true 20 sh -c "curl -s '$url/metrics' | grep -q '^larder_store_images 2$'"
check_equal "without hashing anything again" "$(metric larder_verified_total)" 0

# Generations are switched under load: no request fails, and the old one can be unmounted.
check "a second image is built" make_image "$T/new" 2 "three"
printf 'docker.io/library/new:2=oci:%s:2\n' "$T/new" >"$T/images2.txt"
check "and its layer" larder build --images "$T/images2.txt" --name more --version 1.0.0 --output "$T/more.sqsh"
check "it is mounted" mount_layer more-1.0.0-00000000 "$T/more.sqsh"
for i in 1 2 3; do
	"$LARDER_SOURCE/tests/lib/keep-asking.py" "$address" "$T/stop" /v2/library/busybox/manifests/1.36 "/v2/x/blobs/sha256:${blob#sha256-}" >"$T/load.$i" 2>&1 &
	loads[i]=$!
done
switched=0
for n in $(seq 2 9); do
	run mount_generation "$n" "$run_dir/layers/more-1.0.0-00000000" "$run_dir/layers/small-1.0.0-00000000"
	publish "$n"
	until_true 20 umount "$run_dir/gen/$((n - 1))" && switched=$((switched + 1))
	sleep 0.1
done
check_equal "eight generations, the old one let go each time" "$switched" 8
touch "$T/stop"
wait "${loads[@]}"
check_equal "no request failed" "$(awk '{ n += $2 } END { print n + 0 }' "$T"/load.*)" 0
[ "$(awk '{ n += $1 } END { print (n > 20) }' "$T"/load.*)" = 1 ]
verdict $? "and there were many"
[ "$tap_failed" = 0 ] || note "$(cat "$T"/load.*)"
check_http 200 "the new image is served" "$url/v2/library/new/manifests/2?ns=docker.io"

# The loose tree of the volume comes first, and a bad copy in it or on top is passed over for a sound one.
truncate -s 200M "$T/volume.img"
mkfs.ext4 -q "$T/volume.img"
mkdir "$run_dir/volume"
check "a volume is mounted" mount -o loop "$T/volume.img" "$run_dir/volume"
cleanup umount "$run_dir/volume"
mkdir -p "$run_dir/volume/blob" "$run_dir/volume/manifests/quay.io/x/y/digest" "$run_dir/volume/manifests/quay.io/x/y/reference"
one_manifest=$(ls "$T/tree/manifests/ghcr.io/acme/app/digest/")
cp "$T/tree/manifests/ghcr.io/acme/app/digest/$one_manifest" "$run_dir/volume/manifests/quay.io/x/y/digest/"
cp "$T/tree/manifests/ghcr.io/acme/app/digest/$one_manifest" "$run_dir/volume/manifests/quay.io/x/y/reference/1"
check_http 200 "an image of the loose tree with blobs of the generation" "$url/v2/x/y/manifests/1?ns=quay.io"
head -c "$(stat -c %s "$T/tree/blob/$blob")" /dev/zero >"$run_dir/volume/new"
mv "$run_dir/volume/new" "$run_dir/volume/blob/$blob" # whole at once: half of it is corrupt, too, and has a line of its own
check_http 200 "a blob whose copy on the volume is corrupt" "$url/v2/x/blobs/sha256:${blob#sha256-}"
check "has the sound bytes" cmp "$T/body" "$T/tree/blob/$blob"
check_equal "and the journal says it once" "$(grep -c "run/volume: the blob sha256:${blob#sha256-} has other bytes" "$T/two.log")" 1

# A corrupt layer on top of a sound one.
cp -r "$T/tree" "$T/bad"
printf x | dd of="$T/bad/blob/$blob" bs=1 conv=notrunc status=none
mksquashfs "$T/bad" "$T/bad.sqsh" -quiet -no-progress -noI -noD -no-fragments -b 1M >"$T/out" 2>&1
rm "$run_dir/volume/blob/$blob"
check "a corrupt layer is mounted" mount_layer bad-2.0.0-00000000 "$T/bad.sqsh"
check "on top of a sound one" mount_generation 20 "$run_dir/layers/bad-2.0.0-00000000" "$run_dir/layers/small-1.0.0-00000000"
publish 20
check_http 200 "the blob comes from the sound layer" "$url/v2/x/blobs/sha256:${blob#sha256-}"
check "byte for byte" cmp "$T/body" "$T/tree/blob/$blob"
check_http 200 "and its image is offered" "$url/v2/library/busybox/manifests/1.36?ns=docker.io"

# Letting go: with the file "stopping" there, everything can be unmounted under the running daemon.
head -c 67108864 /dev/zero >"$T/zeros"
zeros=$(sha256sum "$T/zeros" | cut -d' ' -f1)
mv "$T/zeros" "$run_dir/volume/blob/sha256-$zeros"
curl -s "$url/v2/x/blobs/sha256:$zeros" | { head -c 1000 >"$T/slow"; until_true 60 test -e "$T/read-on"; } &
slow=$!
until_true 20 test -s "$T/slow"
check_status 32 "a running download keeps the volume busy" umount "$run_dir/volume"
touch "$T/read-on"
wait "$slow"
rm "$T/read-on" "$T/slow"
curl -s "$url/v2/x/blobs/sha256:$zeros" | { head -c 1000 >"$T/slow"; until_true 60 test -e "$T/read-on"; } &
slow=$!
until_true 20 test -s "$T/slow"
touch "$run_dir/stopping"
check "the volume can be unmounted, though a client reads no further" until_true 20 umount "$run_dir/volume"
touch "$T/read-on"
wait "$slow"
rm "$T/read-on" "$T/slow"
check "and the generation" until_true 20 umount "$run_dir/gen/20"
check "and the layer" until_true 20 umount "$run_dir/layers/small-1.0.0-00000000"
check_http 404 "nothing is served meanwhile" "$url/v2/library/busybox/manifests/1.36?ns=docker.io"
rm "$run_dir/stopping"

# A client that still waits for a large blob to be verified when that begins.
check "the volume is mounted again" mount -o loop "$T/volume.img" "$run_dir/volume"
zeros=49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14 # 1 GiB
truncate -s 1G "$run_dir/volume/blob/sha256-$zeros"
curl -s -w '%{http_code}\n' "$url/v2/x/blobs/sha256:$zeros" | { head -c 1000 >"$T/slow"; until_true 60 test -e "$T/read-on"; } &
slow=$!
is_open() { find "/proc/$larderd_pid/fd" -lname "*sha256-$zeros" | grep -q .; }
check "a large blob is being verified" until_true 20 is_open
touch "$run_dir/stopping"
check "the volume can be unmounted all the same" until_true 20 umount "$run_dir/volume"
touch "$T/read-on"
wait "$slow"
check_equal "for the client the blob is not there" "$(grep -c BLOB_UNKNOWN "$T/slow")" 1
rm "$run_dir/stopping"
check "larderd ends" stop_larderd

# Files that were put there for root alone.
cp -r "$T/tree" "$T/closed"
chmod 600 "$T/closed/blob/$blob"
check "larderd starts on a tree with a blob that it may not read" start_larderd closed --cache "$T/closed"
not_offered() { [ "$(http_status "$url/v2/library/busybox/manifests/1.36")" = 404 ]; }
check "its image is not offered" until_true 20 not_offered
check_equal "and why not" "$(grep -o 'not whole: .*is missing' "$T/body")" "not whole: sha256:${blob#sha256-} is missing"
check_http 404 "nor is the blob there" "$url/v2/x/blobs/sha256:${blob#sha256-}"
check_equal "which the journal says once" "$(grep -c "$T/closed: the blob sha256:${blob#sha256-} cannot be read: Permission denied; it is not served from there" "$T/closed.log")" 1
check_http 200 "the other image is offered" "$url/v2/acme/app/manifests/v1"
chmod 644 "$T/closed/blob/$blob"
check_http 200 "once the blob may be read, its image is offered" "$url/v2/library/busybox/manifests/1.36"
check_http 200 "and it is served" "$url/v2/x/blobs/sha256:${blob#sha256-}"
for kind in digest reference; do
	check "larderd ends" stop_larderd
	chmod 600 "$T/closed/manifests/ghcr.io/acme/app/$kind"/*
	check "larderd starts again" start_larderd "closed-$kind" --cache "$T/closed"
	check_http 404 "manifests that it may not read are not there" "$url/v2/acme/app/manifests/v1"
	check_equal "which the answer says" "$(grep -o 'ghcr.io.*denied' "$T/body")" "ghcr.io/acme/app is here, but its manifest cannot be read: Permission denied"
	check_equal "and nothing is called damaged for that" "$(grep -c 'has other bytes' "$T/closed-$kind.log")" 0
done
check "larderd ends" stop_larderd
cp -r "$T/tree" "$T/flipped"
echo >>"$T/flipped/manifests/ghcr.io/acme/app/reference/v1"
check "larderd starts with a damaged tag beside one that it may not read" start_larderd flipped --cache "$T/closed" --cache "$T/flipped"
check_http 404 "neither is offered" "$url/v2/acme/app/manifests/v1"
check_equal "and the damaged one is called so" "$(grep -c "$T/flipped: the manifest .* has other bytes" "$T/flipped.log")" 1
check "larderd ends" stop_larderd

wait "$held"
check_equal "larder stop does not wait for ever for another larder command" "$?" 1
cp "$T/held.out" "$T/out"
check_output "and says what holds it up, and what to do" "another larder command .*since at least 30 s and holds $T/held/lock; end it"
done_testing
