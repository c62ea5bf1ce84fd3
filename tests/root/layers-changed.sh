#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Files of layers that are written to, renamed and deleted under a running larderd: what was verified before counts no more, wrong bytes
# never go out, and what did not change is not hashed again, whatever the generation.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
in_namespaces "$@"
requires curl jq python3 strace mksquashfs unsquashfs setpriv skopeo
mount --make-rshared /
layers_start
unprivileged_larderd "$T/record"
D=$T/run/volume/layers
serve() { start_larderd "$1" --run-dir "$T/run" --record "$T/record/verified"; }

# An image with a layer of 3 MB, in a cache layer of its own.
large_layer() { # FILE REFERENCE SEED [BYTES]
	local layout
	layout=$(mktemp -d "$T/layout.XXXXXX")/image
	mkdir "$layout"
	python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(sys.argv[1]).randbytes(int(sys.argv[2])))' "$3" "${4:-3000000}" >"$T/extra.bin"
	IMAGE_EXTRA=$T/extra.bin make_image "$layout" tag "$3" >/dev/null
	echo "$2=oci:$layout:tag" | larder build --images - --output "$1" >"$T/out"
}
# The blob that holds the seed's bytes, and how a byte in the middle of it is flipped in a file.
blob_of() { # FILE.sqsh: the largest blob
	unsquashfs -lln "$1" blob | awk '/sha256-/ { print $3, $6 }' | sort -n | tail -1 | sed 's|.*sha256-|sha256:|'
}
flip() { # FILE.sqsh SEED: the file has the time of its last change again
	python3 - "$@" <<-'END'
		import os, random, sys
		bytes = random.Random(sys.argv[2]).randbytes(3000000)[1000000:1000064]
		before = os.stat(sys.argv[1])
		with open(sys.argv[1], "r+b") as f:
		    data = f.read()
		    at = data.index(bytes[1:]) - 1
		    f.seek(at)
		    f.write(bytes[:1] if data[at] != bytes[0] else b"%c" % (bytes[0] ^ 1))
		    f.flush()
		    os.utime(f.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))
	END
}
blob_url() { echo "$url/v2/x/blobs/$1"; }
sound() { [ "sha256:$(sha256sum <"$T/body" | cut -d' ' -f1)" = "$1" ]; }
slow() { "$LARDER_SOURCE/tests/lib/slow-client.py" "$address" "/v2/x/blobs/$1" "${@:2}"; }
settled() { curl -s "$url/metrics" | grep -q "^larder_verified_total $1$"; }
lines() { grep -c "$1" "$T/$log.log"; }

# The first one also holds an OCI image layout, which must not make a layout of all layers.
large_layer "$T/a-1.sqsh" ghcr.io/acme/a:1 a
unsquashfs -quiet -no-progress -d "$T/a" "$T/a-1.sqsh" >"$T/out"
mkdir "$T/hidden"
make_image "$T/hidden" ghcr.io/acme/hidden:1 hidden >"$T/out"
cp -r "$T/hidden/oci-layout" "$T/hidden/index.json" "$T/hidden/blobs" "$T/a/"
mksquashfs "$T/a" "$D/a-1.sqsh" -quiet -no-progress -no-xattrs -noI -noD -no-fragments -b 1M >"$T/out" 2>&1
large_layer "$D/b-1.sqsh" ghcr.io/acme/b:1 b
a=$(blob_of "$D/a-1.sqsh") b=$(blob_of "$D/b-1.sqsh")
layers_config
check "two layers" L layers sync
check_equal "each has a link to its file beside its mount" "$(readlink "$T"/run/layers/a-1-*.sqsh) $(readlink "$T"/run/layers/b-1-*.sqsh)" "$D/a-1.sqsh $D/b-1.sqsh"

# What cannot be read is named with its layer's file, and why.
log=unread
check "larderd starts, and hashes nothing ahead of need" start_larderd unread --run-dir "$T/run" --record "$T/record/unread" --no-verify-ahead
strace -f -o "$T/strace" -e inject=pread64:error=EIO -p "$larderd_pid" 2>"$T/attached" &
tracer=$!
cleanup kill "$tracer"
until_true 60 grep -q attached "$T/attached"
check_http 404 "a blob that cannot be read is not there" "$(blob_url "$a")"
check_equal "the journal says in which layer, and why" "$(lines "$D/a-1.sqsh: the blob $a cannot be read: Input/output error")" 1
kill "$tracer"
wait "$tracer"
check_http 200 "the other layer's is" "$(blob_url "$b")"
check "larderd ends" stop_larderd

log=one
check "larderd starts, unprivileged" serve one
check_http 200 "a blob" "$(blob_url "$a")"
check_http 404 "what no layer manifest lists is not there" "$url/v2/acme/hidden/manifests/1?ns=ghcr.io"
check "everything is verified" until_true 30 settled 6
bytes=$(metric larder_verified_bytes_total)

# Another generation: what is in the old layers is not hashed again.
large_layer "$T/c-1.sqsh" ghcr.io/acme/c:1 c
check "a layer is added" L layers add "$T/c-1.sqsh"
check "the new one is verified" until_true 30 settled 9
check_equal "and only that" "$(($(metric larder_verified_bytes_total) - bytes))" "$((bytes / 2))"
for digest in "$a" "$b"; do
	check_http 200 "a blob of an old layer" "$(blob_url "$digest")"
	check "has its bytes" sound "$digest"
done
check_equal "still nothing was hashed twice" "$(metric larder_verified_total)" 9

# The same after a restart, into a generation that was not there before.
check "larderd ends" stop_larderd
check "the old layer is taken away" rm "$D/c-1.sqsh"
check "and the generation is another" L layers sync
log=two
check "larderd starts again" serve two
check_http 200 "a blob" "$(blob_url "$a")"
check_http 200 "another" "$(blob_url "$b")"
check "it has counted" until_true 20 sh -c "curl -s '$url/metrics' | grep -q '^larder_store_images 2$'"
check_equal "without hashing anything" "$(metric larder_verified_total)" 0

# One bit of a blob that was verified and served.
check_equal "nothing differs" "$(L layers check 2>&1)" "every configured layer is active, and nothing else"
times=$(stat -c '%y' "$D/a-1.sqsh")
flip "$D/a-1.sqsh" a
check_equal "a file that was written to may have its old time" "$(stat -c '%y' "$D/a-1.sqsh")" "$times"
check_http 404 "a blob whose file was written to is not served" "$(blob_url "$a")"
check_http 404 "nor is its image offered" "$url/v2/acme/a/manifests/1?ns=ghcr.io"
check_http 404 "also not the second time" "$(blob_url "$a")"
check_equal "the journal says so once" "$(lines "the blob $a has other bytes")" 1
check_equal "and that the file was written to" "$(lines "$D/a-1.sqsh was written to while it was in use")" 1
check_http 200 "the other layer is served" "$(blob_url "$b")"
check "byte for byte" sound "$b"
check_status 1 "check calls it drift" L layers check
check_output "and names it" "a 1: changed: its file was written to since it was mounted"
check "the table" L layers
check_output "has the same word" "^a +1 +changed .*its file was written to since it was mounted"

# Written back: it is verified again, and served, though the mount may still show anything.
flip "$D/a-1.sqsh" a
check_http 200 "with its own bytes again" "$(blob_url "$a")"
check "it is served" sound "$a"
check_http 200 "and so is its image" "$url/v2/acme/a/manifests/1?ns=ghcr.io"
check "skopeo copies it" skopeo copy --quiet --src-tls-verify=false "docker://$address/ghcr.io/acme/a:1" "dir:$T/copy"
check "the rest is hashed ahead of need" until_true 60 resting
before=$(metric larder_verified_bytes_total)
check "sync mounts it anew" L layers sync
check "nothing differs" L layers check
check_http 200 "it is served from the new mount" "$(blob_url "$a")"
check_equal "where what was verified in the file counts" "$(metric larder_verified_bytes_total)" "$before"

# An answer that has begun is cut off when the layer's file is written to under its mount; one that was renamed is another matter.
large_layer "$D/w-1.sqsh" ghcr.io/acme/w:1 w 24000000
w=$(blob_of "$D/w-1.sqsh")
check "a layer with a larger blob, more than sockets hold" L layers sync
check_equal "a slow client gets it whole" "$(slow "$w" true)" "200 whole"
check_equal "also when its file is renamed meanwhile" "$(slow "$w" mv "$D/w-1.sqsh" "$T/renamed.sqsh")" "200 whole"
mv "$T/renamed.sqsh" "$D/w-1.sqsh"
check "it is taken anew" L layers sync
check_equal "written to meanwhile, it is cut off" "$(slow "$w" touch "$D/w-1.sqsh")" "200 cut"
check_equal "which the journal says" "$(lines "the blob $w was cut off: its file was written to while it was sent")" 1
rm "$D/w-1.sqsh"
check "it is taken out" L layers sync

# A sound copy in another layer is used.
large_layer "$D/z-1.sqsh" ghcr.io/acme/z:1 z
unsquashfs -quiet -no-progress -d "$T/z" "$D/z-1.sqsh" >"$T/out"
cp "$T/z/larder/layers/z.yaml" "$T/z/larder/layers/y.yaml" && rm "$T/z/larder/layers/z.yaml"
sed -i 's/^name: .*/name: y/; s|acme/z:1|acme/z:2|' "$T/z/larder/layers/y.yaml"
mv "$T/z/manifests/ghcr.io/acme/z/reference/1" "$T/z/manifests/ghcr.io/acme/z/reference/2"
mksquashfs "$T/z" "$D/y-1.sqsh" -quiet -no-progress -no-xattrs -noD -no-fragments >"$T/out"
z=$(blob_of "$D/z-1.sqsh")
check "two layers with the same blob" L layers sync
check_http 200 "it is served" "$(blob_url "$z")"
flip "$D/z-1.sqsh" z
check_http 200 "and from the other layer when one is damaged" "$(blob_url "$z")"
check "byte for byte" sound "$z"
flip "$D/y-1.sqsh" z
check_http 404 "when both are, it is not there" "$(blob_url "$z")"
check_equal "each copy has its line" "$(lines "the blob $z has other bytes")" 2
rm "$D/z-1.sqsh" "$D/y-1.sqsh"
check "they are taken out" L layers sync

# So is another copy of the same layer, which is not active.
mkdir -p "$T/root/usr/lib/larder/layers"
cp "$D/b-1.sqsh" "$T/root/usr/lib/larder/layers/"
check "a second copy of a layer" L layers sync
check_equal "is superseded" "$(state b)" superseded,active
check_http 200 "the blob is served" "$(blob_url "$b")"
flip "$D/b-1.sqsh" b
check_http 200 "and from the copy when it is damaged" "$(blob_url "$b")"
check "byte for byte" sound "$b"
check_equal "the journal names the damaged one" "$(lines "$D/b-1.sqsh: the blob $b has other bytes")" 1
check_http 200 "its image is offered" "$url/v2/acme/b/manifests/1?ns=ghcr.io"
rm "$T/root/usr/lib/larder/layers/b-1.sqsh"
check_http 404 "without the copy it is not there" "$(blob_url "$b")"
flip "$D/b-1.sqsh" b
check "it is taken anew" L layers sync

# Renamed, deleted, replaced: the mount holds the old file.
check "the rest is hashed ahead of need" until_true 60 resting
before=$(metric larder_verified_bytes_total)
mv "$D/b-1.sqsh" "$T/elsewhere.sqsh"
check_http 200 "a layer whose file was renamed" "$(blob_url "$b")"
check "is served" sound "$b"
large_layer "$T/other.sqsh" ghcr.io/acme/other:1 other
mv "$T/other.sqsh" "$D/b-1.sqsh"
check_http 200 "a layer whose file was replaced" "$(blob_url "$b")"
check "is served" sound "$b"
check_http 404 "what replaced it is not, before larder looked at it" "$url/v2/acme/other/manifests/1?ns=ghcr.io"
check_equal "nothing was hashed for it" "$(metric larder_verified_bytes_total)" "$before"
check_status 1 "a file that was replaced is drift" L layers check
check_output "of the old one" "b 1: gone: its file $D/b-1.sqsh was replaced"
check_output "and the new one" "other: not in use: what is in its file now is not served"

# Written over with another layer, as cp(1) does: that is nobody's choice, and not served; the rest is.
large_layer "$T/other.sqsh" ghcr.io/acme/a:1 other
kill -STOP "$larderd_pid" # or it might look at it half written, and have another reason
cat "$T/other.sqsh" >"$D/a-1.sqsh"
kill -CONT "$larderd_pid"
check_http 404 "a layer that became another one" "$(blob_url "$a")"
check_http 404 "does not bring its tags in" "$url/v2/acme/a/manifests/1?ns=ghcr.io"
check_equal "and the journal says so once" "$(lines "$D/a-1.sqsh is not used any more: .*its layer manifest is another one")" 1
check_http 200 "the other layer is served" "$(blob_url "$b")"
: >"$D/a-1.sqsh"
check_http 404 "a file that was cut to nothing" "$(blob_url "$a")"
check_http 200 "the other layer is served" "$(blob_url "$b")"

# The loose tree is above all of them, and letting go works as ever.
touch "$T/run/stopping"
unmount_all() {
	local point
	for point in "$T/run/$(readlink "$T/run/cache")" "$T"/run/layers/*[0-9a-f]; do
		! mountpoint -q "$point" || umount "$point" || return
	done
}
check "all can be unmounted" until_true 60 unmount_all
rm "$T/run/stopping"
check "larderd ends" stop_larderd
done_testing
