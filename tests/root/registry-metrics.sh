#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# /metrics tells the truth: what it counts is what a client got, and what the store holds.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires python3 curl mksquashfs unsquashfs busybox
in_namespaces "$@"

# Two caches that have some things in common, and each something of its own.
check "a store is made" small_store "$T/tree"
cp -r "$T/tree" "$T/other"
rm -r "$T/other/manifests/docker.io"
cp "$T/tree/manifests/ghcr.io/acme/app/reference/v1" "$T/other/manifests/ghcr.io/acme/app/reference/v2"
head -c 5000000 /dev/urandom >"$T/large"
large=sha256-$(sha256sum <"$T/large" | cut -d' ' -f1)
mv "$T/large" "$T/other/blob/$large"
check "larderd starts" start_larderd one --cache "$T/tree" --cache "$T/other" --record "$T/record"
# As files: each tag and manifest by its name, each blob by its digest.
names() { find "$T/tree/$1" "$T/other/$1" -path "*/$2" -type f -printf '%P\n' | sort -u | wc -l; }
bytes() { find "$T/tree/blob" "$T/other/blob" -type f -printf '%f %s\n' | sort -u | awk '{ n += $2 } END { print n }'; }
verified() { [ "$(metric larder_verified_total)" = "$1" ]; }
check "everything is verified" until_true 60 verified "$(find "$T/tree/blob" "$T/other/blob" -type f | wc -l)"
check_equal "all bytes were hashed" "$(metric larder_verified_bytes_total)" "$(cat "$T/tree/blob/"* "$T/other/blob/"* | wc -c)"
check_equal "images, manifests, blobs and their bytes are those that are stored" \
	"$(metric larder_store_images) $(metric larder_store_manifests) $(metric larder_store_blobs) $(metric larder_store_blob_bytes)" \
	"$(names manifests reference/*) $(names manifests digest/*) $(names blob '*') $(bytes)"
check_equal "which are three images" "$(metric larder_store_images)" 3
check_equal "nothing failed" "$(metric larder_verification_failures_total)" 0
check "larderd ends" stop_larderd

check "it starts anew" start_larderd two --cache "$T/tree" --cache "$T/other" --record "$T/record"
check "and has counted" until_true 60 eval '[ "$(metric larder_store_images)" = 3 ]'
blob=$(cd "$T/tree/blob" && find . -type f -printf '%s %f\n' | sort -n | tail -1 | cut -d' ' -f2)
cat >"$T/series.py" <<'PYTHON'
import re, socket, sys, time
sys.path.insert(0, sys.argv[1])
import fetch

address, blob, large, digest = sys.argv[2:]
client = fetch.Client(address)


got = 0  # bytes of bodies


def samples():
    """All of them. Each reading is counted after it was made, and told by the next one."""
    global got
    text = client.text("/metrics")
    got += len(text)
    return {m[1]: float(m[2]) for line in text.splitlines() if (m := re.fullmatch(r"([a-z_]+(?:\{.*\})?) (\S+)", line))}


def changed(before, after, prefix):
    return {name[len(prefix):]: int(value - before.get(name, 0)) for name, value in after.items()
            if name.startswith(prefix) and value != before.get(name, 0)}


def equal(what, found, expected):
    fetch.report(found == expected, what, f"{found}\n# expected {expected}")


# What is asked, and the handler, method and code that it counts for. Nobody has asked before for what is of ghcr.io here: a registry that
# the store has is counted by its name from its first miss on.
series = [
    ("GET", "/v2/acme/app/manifests/nothing?ns=ghcr.io", "manifests", 404),
    ("GET", "/v2/library/busybox/manifests/1.36", "manifests", 200),
    ("HEAD", "/v2/library/busybox/manifests/1.36?ns=docker.io", "manifests", 200),
    ("GET", "/v2/docker.io/library/busybox/manifests/1.36", "manifests", 200),
    ("GET", f"/v2/acme/app/manifests/{digest}?ns=ghcr.io", "manifests", 200),
    ("GET", "/v2/library/busybox/manifests/9?ns=docker.io", "manifests", 404),
    ("HEAD", "/v2/library/none/manifests/1?ns=docker.io", "manifests", 404),
    ("GET", "/v2/some/where/manifests/1?ns=nowhere.example", "manifests", 404),
    ("GET", "/v2/some/where/manifests/1", "manifests", 404),
    ("GET", "/v2/some/where/tags/list", "tags", 404),
    ("GET", f"/v2/x/blobs/{blob}", "blobs", 200),
    ("GET", f"/v2/x/blobs/{large}", "blobs", 200),
    ("HEAD", f"/v2/x/blobs/{large}", "blobs", 200),
    ("RANGE", f"/v2/x/blobs/{large}", "blobs", 206),
    ("BEYOND", f"/v2/x/blobs/{large}", "blobs", 416),
    ("GET", "/v2/x/blobs/sha256:" + "0" * 64, "blobs", 404),
    ("GET", "/v2/library/busybox/tags/list", "tags", 200),
    ("GET", "/v2/_catalog", "catalog", 200),
    ("GET", f"/v2/acme/app/referrers/{digest}", "referrers", 200),
    ("GET", "/v2/", "base", 200),
    ("GET", "/healthz", "healthz", 200),
    ("GET", "/readyz", "readyz", 200),
    ("GET", "/nothing", "other", 404),
    ("DELETE", f"/v2/acme/app/manifests/{digest}", "manifests", 405),
]
before = samples()
got, counted, statuses = 0, {}, []
for _ in range(3):
    for method, path, handler, code in series:
        fields = {"RANGE": {"Range": "bytes=1000-2999"}, "BEYOND": {"Range": "bytes=9000000-"}}.get(method, {})
        sent = {"RANGE": "GET", "BEYOND": "GET"}.get(method, method)
        status, size = client.get(path, sent, **fields)
        statuses.append(status)
        got += size
        label = f'{{handler="{handler}",method="{sent if sent in ("GET", "HEAD") else "other"}",code="{code}"}}'
        counted[label] = counted.get(label, 0) + 1
    # And what is no request.
    with fetch.connect(address) as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    got += len(answer.split(b"\r\n\r\n", 1)[1])
    counted['{handler="other",method="other",code="400"}'] = counted.get('{handler="other",method="other",code="400"}', 0) + 1
equal("a series of requests has the answers it should have", statuses, [s[3] for s in series] * 3)
# The reading that came before the series is counted after it was made.
counted['{handler="metrics",method="GET",code="200"}'] = 1
after = samples()
equal("they are counted by handler, method and code", changed(before, after, "larder_http_requests_total"), counted)
equal("hits are counted by registry", changed(before, after, "larder_cache_hits_total"), {'{registry="docker.io"}': 9, '{registry="ghcr.io"}': 3})
equal("and misses", changed(before, after, "larder_cache_misses_total"),
      {'{registry="docker.io"}': 6, '{registry="ghcr.io"}': 3, '{registry="other"}': 6})
name = "larder_http_request_duration_seconds"
by_handler = {}
for label, n in counted.items():
    handler = label.split('"')[1]
    by_handler[handler] = by_handler.get(handler, 0) + n
equal("each has its duration", {k.split('"')[1]: v for k, v in changed(before, after, name + "_count").items()}, by_handler)
sound = all(after[f'{name}_sum{{handler="{h}"}}'] > 0 for h in by_handler)
for h in by_handler:
    values = [v for k, v in after.items() if k.startswith(f'{name}_bucket{{handler="{h}",')]
    bounds = [float(k.split('le="')[1].split('"')[0]) for k in after if k.startswith(f'{name}_bucket{{handler="{h}",')]
    all_of_it = sum(v for k, v in after.items() if k.startswith(f'larder_http_requests_total{{handler="{h}",'))
    sound = sound and values == sorted(values) and bounds == sorted(bounds) and bounds[-1] == float("inf")
    sound = sound and values[-1] == after[f'{name}_count{{handler="{h}"}}'] == all_of_it
fetch.report(sound, "its buckets are cumulative, and end with all requests of the handler", after)

# Bytes, between two readings, of which the second one tells of the first one, too.
got = 0
one = samples()
for path in (f"/v2/x/blobs/{large}", "/v2/library/busybox/manifests/1.36", "/nothing", "/v2/_catalog"):
    got += client.get(path)[1]
got += client.get(f"/v2/x/blobs/{large}", Range="bytes=5-1004")[1]
client.get(f"/v2/x/blobs/{large}", "HEAD")
expected = got
two = samples()
equal("bytes sent are those that the client got", int(two["larder_http_response_bytes_total"] - one["larder_http_response_bytes_total"]), expected)
equal("no answer was incomplete", two["larder_http_responses_incomplete_total"], 0)

# A client that goes away in the middle of a blob that no socket holds.
many = [fetch.connect(address) for _ in range(37)]


def until(name, value):
    end = time.monotonic() + 60
    while (found := samples()[name]) != value and time.monotonic() < end:
        time.sleep(0.05)
    equal(f"{name} is {value}", found, value)


until("larder_http_connections", 38)
for s in many[:20]:
    s.close()
until("larder_http_connections", 18)
for s in many[20:]:
    s.close()
until("larder_http_connections", 1)
s = fetch.connect(address, 4096)
s.sendall(f"GET /v2/x/blobs/{large} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
s.recv(1000)
s.close()
until("larder_http_responses_incomplete_total", 1)
PYTHON
app=$(cd "$T/tree/manifests/ghcr.io/acme/app/digest" && ls)
tap_from python3 "$T/series.py" "$LARDER_SOURCE/tests/lib" "$address" "${blob/-/:}" "${large/-/:}" "${app/-/:}"

# A corrupt blob is one failure, however often it is asked for.
printf x | dd of="$T/other/blob/$large" bs=1 seek=1000 conv=notrunc status=none
for i in 1 2 3; do check_http 404 "a corrupt blob is not there" "$url/v2/x/blobs/${large/-/:}"; done
check_equal "which is one failure" "$(metric larder_verification_failures_total)" 1
check_equal "with its line in the journal" "$(grep -c "$T/other: the blob ${large/-/:} has other bytes" "$T/two.log")" 1
printf x | dd of="$T/tree/manifests/ghcr.io/acme/app/digest/$app" bs=1 conv=notrunc status=none
check_http 200 "a corrupt manifest, of which there is another copy" "$url/v2/acme/app/manifests/${app/-/:}?ns=ghcr.io"
check_equal "is one more" "$(metric larder_verification_failures_total)" 2
check "larderd ends" stop_larderd
done_testing
