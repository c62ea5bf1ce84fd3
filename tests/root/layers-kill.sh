#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Layers are added, and larder is killed at any moment of it, while clients download: they get the right bytes or a clean 404, the
# old set or the new one; and whatever is left over goes with the next run. Two at once; a full volume; a deleted file.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
in_namespaces "$@"
requires curl jq python3 mksquashfs mkfs.ext4 setpriv
mount --make-rshared /
layers_start
unprivileged_larderd "$T/record"
truncate -s 64M "$T/volume.img"
mkfs.ext4 -q -m 0 -O ^has_journal "$T/volume.img"
mount -o loop "$T/volume.img" "$T/run/volume"
mkdir -p "$T/run/volume/layers" "$T/run/volume/.tmp"
echo 1 >"$T/run/volume/format"
D=$T/run/volume/layers

# Versions of one layer, each with an image of 4 MB under its version and under "current"; and a layer that never changes.
versions="1.0.0 1.1.0 1.2.0 1.3.0"
for version in $versions; do
	head -c 4000000 /dev/urandom >"$T/extra.bin"
	mkdir -p "$T/images/app-$version"
	IMAGE_EXTRA=$T/extra.bin make_image "$T/images/app-$version" tag "$version" >/dev/null
	printf '%s\n' "ghcr.io/acme/app:$version=oci:$T/images/app-$version:tag" "ghcr.io/acme/app:current=oci:$T/images/app-$version:tag" |
		larder build --images - --name app --version "$version" --output "$T/app-$version.sqsh" >"$T/out"
done
layer "$D/base-1.sqsh" ghcr.io/acme/base:1=base >"$T/out"
layers_config
check "the first version" L layers add "$T/app-1.0.0.sqsh"
check "larderd starts, unprivileged" start_larderd one --run-dir "$T/run" --record "$T/record/verified"

# A client that pulls "current" over and over: manifest, then every blob, each checked. A blob may be gone when the set was switched in
# between; then, as a runtime does, it begins again with the manifest.
cat >"$T/client.py" <<'PYTHON'
import hashlib, http.client, json, os, sys
address, stop = sys.argv[1:]
pulls, again, bad = 0, 0, []
connection = http.client.HTTPConnection(address, timeout=60)
def get(path):
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()
def blob(digest):
    status, body = get("/v2/x/blobs/" + digest)
    if status == 200 and "sha256:" + hashlib.sha256(body).hexdigest() != digest:
        bad.append("wrong bytes of " + digest)
    return status
while not os.path.exists(stop):
    status, body = get("/v2/acme/base/manifests/1?ns=ghcr.io")
    if status != 200:
        bad.append("base: %d %s" % (status, body[:200]))
    status, body = get("/v2/acme/app/manifests/current?ns=ghcr.io")
    if status != 200:
        bad.append("current: %d %s" % (status, body[:200]))
        continue
    m = json.loads(body)
    got = [blob(d["digest"]) for d in [m["config"]] + m["layers"]]
    if set(got) - {200, 404}:
        bad.append("blobs: %s" % got)
    pulls += 404 not in got
    again += 404 in got
print(pulls, again, len(bad), bad[:3])
PYTHON
for i in 1 2; do
	python3 "$T/client.py" "$address" "$T/stop" >"$T/result.$i" 2>&1 &
	clients[i]=$!
done

# 30 kills, spread over the time that it takes here.
took=0
for version in 1.1.0 1.0.0; do
	rm -f "$D/app-$version.sqsh"*
	begun=$(date +%s%N)
	L layers add "$T/app-$version.sqsh" >"$T/out" || fail "layers add, not killed"
	took=$((($(date +%s%N) - begun) / 1000000))
done
half=0 finished=0
for round in $(seq 30); do
	set -- $versions
	shift $((round % 3))
	rm -f "$D/app-$2.sqsh"*
	larder layers add "$T/app-$2.sqsh" --config "$T/machine.yaml" --run-dir "$T/run" --root "$T/root" >"$T/out" 2>&1 &
	pid=$!
	sleep "$(printf %d.%03d $((round * took / 30 / 1000)) $((round * took / 30 % 1000)))"
	if kill -KILL "$pid" 2>/dev/null; then half=$((half + 1)); else finished=$((finished + 1)); fi
	wait "$pid" 2>/dev/null
	[ -d "$T/run/cache/manifests/ghcr.io/acme/app/reference" ] || fail "after kill $round the generation is whole"
	[ $((round % 5)) != 0 ] || run L layers sync
done
note "$took ms when not killed; $half killed, $finished finished before"
[ $half -gt 3 ]
verdict $? "some were killed in the middle"
check "the next run puts everything right" L layers add "$T/app-1.3.0.sqsh"
check "the highest version is active" test "$(state app 1.3.0)" = active

# Two at once: one after the other, and both are there.
layer "$T/x-1.sqsh" ghcr.io/acme/x:1=x >"$T/out"
layer "$T/y-1.sqsh" ghcr.io/acme/y:1=y >"$T/out"
L layers add "$T/x-1.sqsh" >"$T/x.out" 2>&1 &
x=$!
L layers add "$T/y-1.sqsh" >"$T/y.out" 2>&1 &
y=$!
check "two at once" wait $x
check "do not disturb each other" wait $y
check "both are listed" L layers
check_output "one is active" "^x +1 +active"
check_output "and the other" "^y +1 +active"
check_http 200 "one is served" "$url/v2/acme/x/manifests/1?ns=ghcr.io"
check_http 200 "and the other" "$url/v2/acme/y/manifests/1?ns=ghcr.io"

# A volume without room changes nothing.
head -c 60000000 /dev/urandom >"$T/extra.bin"
mkdir -p "$T/images/large"
IMAGE_EXTRA=$T/extra.bin make_image "$T/images/large" tag large >/dev/null
echo "ghcr.io/acme/large:1=oci:$T/images/large:tag" | larder build --images - --output "$T/large-1.sqsh" >"$T/out"
before=$(readlink "$T/run/cache")
check_status 1 "a layer that does not fit" L layers add "$T/large-1.sqsh"
check_output "is said not to" "No space|does not fit|full"
check_equal "nothing is left of it" "$(find "$T/run/volume/.tmp" "$D" -name 'large*')" ""
check_equal "and the generation is what it was" "$(readlink "$T/run/cache")" "$before"

# A symlink in the place of a layer is none, and what it leads to is left alone.
cp "$T/x-1.sqsh" "$T/outside-1.sqsh"
ln -s "$T/outside-1.sqsh" "$D/outside-1.sqsh"
check "a symlink on the volume" L layers sync
check_equal "is broken" "$(state outside)" broken
rm "$D/outside-1.sqsh"

touch "$T/stop"
for i in 1 2; do check "client $i ended by itself, without an error" wait "${clients[i]}"; done
check_equal "and told of all it did" "$(cat "$T"/result.* | grep -cE '^[0-9]+ [0-9]+ [0-9]+ ')" 2
check_equal "no client got anything wrong" "$(awk '{ n += $3 } END { print n + 0 }' "$T"/result.*)" 0
[ "$(awk '{ n += $1 } END { print (n > 10) }' "$T"/result.*)" = 1 ]
verdict $? "and they pulled many times"
note "$(cat "$T"/result.*)"
check_equal "one generation is mounted" "$(grep -c " $T/run/gen/" /proc/self/mounts)" 1
check_equal "four layers are" "$(grep -c " $T/run/layers/" /proc/self/mounts)" 4
check_equal "each with its link, and nothing else" "$(find "$T/run/layers" -mindepth 1 -maxdepth 1 | wc -l)" 8
check_equal "nothing else is left of what was killed" "$(find "$T/run" -xdev -name '.*.tmp')$(find "$T/run/volume/.tmp" -type f)" ""
check_loops "no loop device is left over" 4 "$D/"
check "larderd ends" stop_larderd
check "taken down" larder stop --run-dir "$T/run" --root "$T/root"
check_loops "no loop device is left" 0 "$D/"
done_testing
