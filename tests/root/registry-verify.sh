#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Verified serving: hashing a large blob holds up nobody else, what was verified outlives larderd, what changed is looked at anew.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires curl strace python3 mksquashfs unsquashfs busybox
in_namespaces "$@"

check "a store is made" small_store "$T/tree"
blob=$(cd "$T/tree/blob" && find . -type f -printf '%s %f\n' | sort -n | tail -1 | cut -d' ' -f2)
blob_path=/v2/x/blobs/sha256:${blob#sha256-}
# 1 GiB of zeros, without room on the disk.
zeros=49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14
truncate -s 1G "$T/tree/blob/sha256-$zeros"
# One thread hashes for requests, and nothing is hashed ahead of them.
serve() { start_larderd "$1" --cache "$T/tree" --record "$T/record" --workers 1 --no-verify-ahead; }
check "larderd starts" serve one

# Client A waits for the hash of 1 GiB; client B asks for a manifest and for blobs that must be hashed, too.
cat >"$T/two.py" <<'PYTHON'
import http.client, sys, threading
address, large, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
status = []

def client_a():
    c = http.client.HTTPConnection(address, timeout=600)
    c.request("HEAD", large)
    status.append(c.getresponse().status)

a = threading.Thread(target=client_a)
a.start()
b, beside, failed = http.client.HTTPConnection(address, timeout=600), 0, 0
while a.is_alive():
    for path in paths:
        b.request("GET", path)
        answer = b.getresponse()
        answer.read()
        failed += answer.status != 200
    beside += a.is_alive()
a.join()
print(status[0], failed, "many" if beside >= 10 else beside)
PYTHON
check_equal "a manifest and a blob are served many times while 1 GiB is hashed" \
	"$(python3 "$T/two.py" "$address" "/v2/x/blobs/sha256:$zeros" /v2/library/busybox/manifests/1.36 "$blob_path" 2>&1)" "200 0 many"
check_equal "both were hashed once" "$(metric larder_verified_total)" 2
check_equal "with all their bytes" "$(metric larder_verified_bytes_total)" $((1073741824 + $(stat -c %s "$T/tree/blob/$blob")))
# Many clients that want the same wait for the same hash.
check "larderd ends" stop_larderd
rm "$T/record"
check "it starts without a record" serve two
seq 20 | xargs -P 20 -I{} curl -s -o /dev/null -w '%{http_code}\n' -I "$url/v2/x/blobs/sha256:$zeros" >"$T/statuses"
check_equal "twenty clients wait for one hash" "$(sort "$T/statuses" | uniq -c | tr -s ' ') $(metric larder_verified_total)" " 20 200 1"
check_http 200 "the other blob is served as well" "$url$blob_path"
check "larderd ends" stop_larderd

check "it starts again" serve three
check_http 200 "what was verified is served" -I "$url/v2/x/blobs/sha256:$zeros"
check_http 200 "all of it" "$url$blob_path"
check_equal "without hashing anything" "$(metric larder_verified_total)" 0
check "larderd ends" stop_larderd

# The record of another boot says nothing; what was verified in this one replaces it, and is nothing to the first one, either.
boot_id=/proc/sys/kernel/random/boot_id
sed 's/^......../01234567/' $boot_id >"$T/boot_id"
mount --bind "$T/boot_id" $boot_id
check "it starts in another boot" serve other-boot
check_http 200 "a blob is served" "$url$blob_path"
check_equal "after it was hashed again" "$(metric larder_verified_total)" 1
check "larderd ends" stop_larderd
check "it starts again in that boot" serve other-boot-again
check_http 200 "the blob is served" "$url$blob_path"
check_equal "without hashing anything" "$(metric larder_verified_total)" 0
check "larderd ends" stop_larderd
umount $boot_id
check "it starts in the first boot" serve first-boot
check_http 200 "the blob is served" "$url$blob_path"
check_equal "after it was hashed again" "$(metric larder_verified_total)" 1
check "larderd ends" stop_larderd

# One byte is changed while larderd is down; size and modification time stay as they were.
cp -p "$T/tree/blob/$blob" "$T/sound"
cp "$T/sound" "$T/sound-blob"
printf x | dd of="$T/tree/blob/$blob" bs=1 conv=notrunc status=none
touch -r "$T/sound" "$T/tree/blob/$blob"
check "it starts once more" serve four
check_http 404 "what changed meanwhile is not served" "$url$blob_path"
check_http 404 "nor offered" "$url/v2/library/busybox/manifests/1.36"
# Asked for a thousand times, it is one line.
cat >"$T/ask.py" <<'PYTHON'
import collections, http.client, sys
c, statuses = http.client.HTTPConnection(sys.argv[1], timeout=60), collections.Counter()
for _ in range(1000):
    c.request("GET", sys.argv[2])
    answer = c.getresponse()
    answer.read()
    statuses[answer.status] += 1
print(dict(statuses))
PYTHON
before=$(wc -l <"$T/four.log")
check_equal "a thousand requests are a thousand 404" "$(python3 "$T/ask.py" "$address" "$blob_path")" "{404: 1000}"
check_equal "and the journal has no more lines for that" "$(wc -l <"$T/four.log")" "$before"
check_equal "but one, which names the blob" "$(grep -c "the blob sha256:${blob#sha256-} has other bytes" "$T/four.log")" 1
check_equal "and the metric counts one" "$(metric larder_verification_failures_total)" 1
cp -p "$T/sound" "$T/tree/blob/$blob"
check_http 200 "the right bytes are served again, without a restart" "$url$blob_path"
check "byte for byte" cmp "$T/body" "$T/sound"

# A medium that was sound and fails while bytes are sent. What was found out about the blob before counts no more.
fails_to() { # CALL: from here on it is an I/O error
	rm -f "$T/attached"
	strace -f -o "$T/strace" -e "inject=$1:error=EIO" -p "$larderd_pid" 2>"$T/attached" &
	tracer=$!
	cleanup kill "$tracer"
	until_true 60 grep -q 'attached' "$T/attached" # it says so when it has all threads
}
works_again() {
	kill "$tracer"
	wait "$tracer"
}
check_equal "the right bytes were hashed" "$(metric larder_verified_total)" 1
fails_to sendfile
check_status 18 "a transfer that cannot be read is cut off" curl -s -o "$T/body" "$url$blob_path"
works_again
check "which the journal says" grep -q "the blob sha256:${blob#sha256-} could not be read to its end" "$T/four.log"
check_http 200 "the next one is served" "$url$blob_path"
check_equal "after it was hashed again" "$(metric larder_verified_total)" 2
before=$(wc -l <"$T/four.log")
fails_to sendfile,pread64
check_status 18 "on a medium that stays broken a transfer is cut off" curl -s -o "$T/body" "$url$blob_path"
check_http 404 "and what cannot be read is not there any more" "$url$blob_path"
check_equal "a thousand times" "$(python3 "$T/ask.py" "$address" "$blob_path")" "{404: 1000}"
works_again
check_equal "with two lines in the journal" "$(($(wc -l <"$T/four.log") - before))" 2
check_equal "of which one says why" "$(grep -c "$T/tree: the blob sha256:${blob#sha256-} cannot be read: Input/output error; it is not served from there" "$T/four.log")" 1
check "larderd ends" stop_larderd

# Files that are written to while larderd has them open: a blob of 40 MB, in a tree, in an OCI layout, and in images of that tree, stored and
# compressed. Wrong bytes never make a whole answer, neither a new one nor one that has begun.
mkdir -p "$T/w/blob" "$T/layout/blobs/sha256"
python3 -c 'import random, sys
for n in range(40): sys.stdout.buffer.write(random.Random(n).randbytes(500000) + bytes(500000))' >"$T/large"
large=$(sha256sum "$T/large" | cut -d' ' -f1)
large_url=/v2/x/blobs/sha256:$large
cp "$T/large" "$T/w/blob/sha256-$large"
cp "$T/large" "$T/layout/blobs/sha256/$large"
printf '{"imageLayoutVersion": "1.0.0"}' >"$T/layout/oci-layout"
printf '{"schemaVersion": 2, "manifests": []}' >"$T/layout/index.json"
mksquashfs "$T/w" "$T/stored.sqsh" -quiet -no-progress -noI -noD -noF -no-fragments -b 1M >"$T/out" 2>&1
mksquashfs "$T/w" "$T/compressed.sqsh" -quiet -no-progress -comp zstd -b 1M >"$T/out" 2>&1
# Four bytes of the blob at 10 MB and something, or whatever is in that place of an image; the file has the time of its last change again.
cat >"$T/write-over" <<'SCRIPT'
#!/bin/sh
# FILE BYTES
cp --attributes-only -p "$1" "$1.time"
printf %s "$2" | dd of="$1" bs=1 seek=10100000 conv=notrunc status=none
touch -r "$1.time" "$1"
rm "$1.time"
SCRIPT
chmod +x "$T/write-over"
slow() { "$LARDER_SOURCE/tests/lib/slow-client.py" "$address" "$large_url" "$@"; }
large_is_right() { [ "$(sha256sum <"$T/body" | cut -d' ' -f1)" = "$large" ]; }
check_writes() { # WHAT CACHE FILE
	cp "$3" "$T/sound"
	check "larderd starts on $1" start_larderd "write-$1" --cache "$2" --no-verify-ahead
	check_http 200 "$1: a blob is served" "$url$large_url"
	check "$1: it is right" large_is_right
	check_equal "$1: a slow client gets it whole" "$(slow true)" "200 whole"
	check_equal "$1: written to further on meanwhile, it is cut off" "$(slow "$T/write-over" "$3" EVIL)" "200 cut"
	check "$1: which the journal says" grep -q "sha256:$large was cut off: its file was written to while it was sent" "$T/write-$1.log"
	check_http 404 "$1: it is not there any more" "$url$large_url"
	cat "$T/sound" >"$3"
	check_http 200 "$1: written back, it is" "$url$large_url"
	check "$1: and right" large_is_right
	"$T/write-over" "$3" EVIL
	check_http 404 "$1: written to between two requests, it is not there" "$url$large_url"
	cat "$T/sound" >"$3"
	check_http 200 "$1: written back, it is" "$url$large_url"
	check "$1: and right" large_is_right
	check_equal "$1: deleted meanwhile, it is sent to its end" "$(slow rm "$3")" "200 whole"
	check "larderd ends" stop_larderd
}
check_writes tree "$T/w" "$T/w/blob/sha256-$large"
check_writes layout "$T/layout" "$T/layout/blobs/sha256/$large"
check_writes stored "$T/stored.sqsh" "$T/stored.sqsh"
check_writes compressed "$T/compressed.sqsh" "$T/compressed.sqsh"

# Another image in the same file is what is served from then on.
cp "$T/layer.sqsh" "$T/changing.sqsh"
mksquashfs "$T/layout/blobs" "$T/other.sqsh" -quiet -no-progress >"$T/out" 2>&1
check "larderd starts on an image" start_larderd image --cache "$T/changing.sqsh"
check_http 200 "a manifest" "$url/v2/library/busybox/manifests/1.36"
check_http 200 "a blob" "$url$blob_path"
cat "$T/other.sqsh" >"$T/changing.sqsh"
check_http 404 "an image that became another one has no such blob" "$url$blob_path"
check_http 404 "nor the manifest" "$url/v2/library/busybox/manifests/1.36"
: >"$T/changing.sqsh"
check_http 404 "what is no image has none" "$url$blob_path"
cat "$T/layer.sqsh" >"$T/changing.sqsh"
check_http 200 "the first image again" "$url$blob_path"
check "with its bytes" cmp "$T/body" "$T/sound-blob"
check_http 200 "and its manifest" "$url/v2/library/busybox/manifests/1.36"
check "larderd ends" stop_larderd
done_testing
