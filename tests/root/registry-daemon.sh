#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larderd as a service: passed sockets, what it tells its manager, reload, drain, exit statuses.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires curl python3 mksquashfs unsquashfs busybox systemd-socket-activate skopeo
in_namespaces "$@"

# wrong usage and what cannot be served
mkdir "$T/empty"
echo no >"$T/no.sqsh"
check_status 0 "help" larderd --help
check_output "names an option" '--cache DIR\|FILE'
check_status 0 "version" larderd --version
check_status 2 "an unknown option is wrong usage" larderd --frobnicate
check_status 2 "so is an argument" larderd x
check_output "which is named" 'unexpected argument "x"'
check_status 2 "an address that is none" larderd --cache "$T/empty" --listen localhost
check_output "is explained" 'write 127.0.0.1:5000'
check_status 2 "a number that is none" larderd --connections many
check_status 2 "a cache that is not there" larderd --cache "$T/none" --listen 127.0.0.1:0
check_output "is named" 'there is no such cache: cannot open .*/none: No such file'
check_status 2 "nor is one below a file" larderd --cache "$T/no.sqsh/x" --listen 127.0.0.1:0
check_status 2 "a passed descriptor that is no socket" sh -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec larderd --cache "$1" 3</dev/null' sh "$T/empty"
check_output "is named" 'descriptor 3 was passed, and is no listening stream socket'
cat >"$T/pass.py" <<'PYTHON'
import os, socket, sys
a, b = socket.socketpair()
os.dup2(a.fileno(), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execvp("larderd", ["larderd", "--cache", sys.argv[1]])
PYTHON
check_status 2 "nor is one that does not listen taken" python3 "$T/pass.py" "$T/empty"
check_output "which is said" 'descriptor 3 was passed, and is no listening stream socket'
check_status 2 "a file that is no squashfs image" larderd --cache "$T/no.sqsh" --listen 127.0.0.1:0
check_output "is named too" 'no.sqsh: it is no squashfs image'

# An empty directory is a cache tree that somebody may fill.
check "a store is made" small_store "$T/tree"
check "a directory without anything in it is served" start_larderd filled --cache "$T/empty"
check "with a word about it" grep -q "$T/empty is served, but no blobs are in it yet" "$T/filled.log"
check_http 404 "nothing is there" "$url/v2/library/busybox/manifests/1.36"
check_http 503 "it is not ready" "$url/readyz"
check_equal "and says what to do" "$(cat "$T/body")" \
	"not ready: no image is in the caches named by --cache yet; put one there, or name another cache"
cp -r "$T/tree/manifests" "$T/empty"
check_http 503 "with manifests alone it is not ready, either" "$url/readyz"
check_equal "and says what to do" "$(cat "$T/body")" \
	"not ready: no image in the caches named by --cache is whole; ask for the manifest of one to read what is missing of it"
check_http 404 "which" "$url/v2/acme/app/manifests/v1"
check "names it" grep -q 'ghcr.io/acme/app is here, but not whole: sha256:[0-9a-f]* is missing' "$T/body"
# A manifest whose bytes are right, and which is none of today's.
printf '{"schemaVersion":1,"name":"old","fsLayers":[]}' >"$T/old"
mkdir -p "$T/empty/manifests/ghcr.io/acme/old"/{digest,reference}
cp "$T/old" "$T/empty/manifests/ghcr.io/acme/old/digest/sha256-$(sha256sum <"$T/old" | cut -d' ' -f1)"
cp "$T/old" "$T/empty/manifests/ghcr.io/acme/old/reference/1"
check_http 404 "a manifest of an old kind" "$url/v2/acme/old/manifests/1?ns=ghcr.io"
check "is named as that" grep -q 'ghcr.io/acme/old is here, but its manifest is of no kind that is read here' "$T/body"
check_http 404 "also by digest" "$url/v2/acme/old/manifests/sha256:$(sha256sum <"$T/old" | cut -d' ' -f1)?ns=ghcr.io"
check_equal "and not as corrupt" "$(grep -c "has other bytes" "$T/filled.log")" 0
cp -r "$T/tree"/* "$T/empty"
check_http 200 "filled, it has images" "$url/v2/library/busybox/manifests/1.36"
check_http 200 "and is ready" "$url/readyz"
check "it ends" stop_larderd

blob=$(cd "$T/tree/blob" && find . -type f -printf '%s %f\n' | sort -n | tail -1 | cut -d' ' -f2)
blob_path=/v2/library/busybox/blobs/sha256:${blob#sha256-}

second='[::1]:0'
[ -e /proc/net/if_inet6 ] || second=127.0.0.2:0 # a kernel without IPv6
check "it listens on several addresses" start_larderd several --cache "$T/tree" --listen "$second" --listen "unix:$T/sock"
until_true 10 grep -q sock "$T/several.log"
for address in $(sed -n 's/^listening on //p' "$T/several.log"); do
	case $address in
	unix:*) check "$address answers" curl -sf --unix-socket "${address#unix:}" http://x/v2/ ;;
	*) check "$address answers" curl -sf "http://$address/v2/" ;;
	esac
done
address=$(sed -n 's/^listening on //p' "$T/several.log" | head -1)
exec {held}<>"/dev/tcp/127.0.0.1/${address##*:}"
check "a connection within the machine has no pace of the machine's networks" until_true 10 \
	sh -c "ss -Htin state established 'sport = :${address##*:}' | grep -qw reno"
exec {held}>&-
check_status 1 "a port that is taken" larderd --cache "$T/tree" --listen "$address"
check_output "is named with the reason" "cannot listen on $address: Address already in use"
check "it ends" stop_larderd
check "a socket that a dead process left is taken over" start_larderd again --cache "$T/tree" --listen "unix:$T/sock"
check "it ends" stop_larderd

# With nothing but its libraries and the cache: no /etc, no /proc, no /tmp, and nothing that can be written to.
mkdir -p "$T/root"/{usr,cache,bin,proc}
mount --bind /usr "$T/root/usr" && mount --bind "$T/tree" "$T/root/cache" && mount --bind "$(dirname "$(command -v larderd)")" "$T/root/bin"
cleanup umount "$T/root/usr" "$T/root/cache" "$T/root/bin"
# But a sanitizer needs /proc to look for leaks.
if grep -q __asan_init "$(command -v larderd)"; then
	mount --bind /proc "$T/root/proc"
	cleanup umount "$T/root/proc"
fi
cp -r "$T/layer.sqsh" "$T/app" "$T/root/" && chmod -R a+rX "$T/root/app" "$T/root/layer.sqsh"
ln -s usr/lib "$T/root/lib" && ln -s usr/lib64 "$T/root/lib64"
mount --rbind "$T/root" "$T/root" && mount -o remount,bind,ro "$T/root"
cleanup umount -l "$T/root"
LARDERD_AS="chroot --userspec=65534:65534 $T/root"
for cache in layer.sqsh app; do
	check "without root or anything else, it serves $cache" start_larderd "$cache" --cache "/$cache"
	check_equal "whose image is whole" "$(curl -s "$url/readyz")" ready
	check "it ends" stop_larderd
done
check "it runs with nothing but its libraries and a cache tree" start_larderd alone --cache /cache
LARDERD_AS=
check_equal "and serves a blob" "$(curl -s "$url$blob_path" | sha256sum | cut -d' ' -f1)" "${blob#sha256-}"
check_http 200 "and a manifest" "$url/v2/library/busybox/manifests/1.36"

# Metrics, after requests of every kind
for path in / /v2/ /v2/_catalog /v2/x/tags/list /v2/library/busybox/tags/list "$blob_path" /v2/none/manifests/1?ns=ghcr.io /readyz; do
	curl -s -o /dev/null "$url$path"
	curl -s -o /dev/null -I "$url$path"
done
curl -s -o /dev/null -X POST "$url/v2/x/blobs/uploads/"
cat >"$T/lint.py" <<'PYTHON'
import re, sys
kinds, samples, labelled = {}, {}, set()
for line in sys.stdin.read().splitlines():
    if line.startswith("# HELP "):
        assert re.fullmatch(r"# HELP [a-z_]+ [A-Z].*\.", line), line
    elif line.startswith("# TYPE "):
        name, kind = line.split()[2:]
        assert name not in kinds, f"{name} twice"
        kinds[name] = kind
    else:
        found = re.fullmatch(r'([a-z_]+)(\{(?:[a-z]+="[^"]*",?)+\})? ([0-9.e+-]+)', line)
        assert found, line
        name, labels, value = found.groups()
        base = re.sub("_(bucket|sum|count)$", "", name) if kinds.get(re.sub("_(bucket|sum|count)$", "", name)) == "histogram" else name
        assert base in kinds, f"{name} has no type"
        assert (name, labels) not in samples, f"{line} twice"
        assert (kinds[base] == "counter") == name.endswith("_total"), f"{name} is a {kinds[base]}"
        samples[name, labels] = float(value)
for (name, labels), value in samples.items():
    if name.endswith("_count"):
        infinite = samples[name.replace("_count", "_bucket"), labels.replace("}", ',le="+Inf"}')]
        assert infinite == value, f"{name}{labels}"
wanted = ["http_requests_total", "http_response_bytes_total", "http_request_duration_seconds", "cache_hits_total", "cache_misses_total",
          "store_images", "store_blobs", "store_blob_bytes", "verification_failures_total", "http_connections", "build_info"]
missing = [name for name in wanted if "larder_" + name not in kinds]
assert not missing, missing
for labels in ('{handler="blobs",method="HEAD",code="200"}', '{handler="tags",method="GET",code="404"}', '{handler="other",method="GET",code="404"}'):
    assert ("larder_http_requests_total", labels) in samples, labels
assert any(name == "larder_http_requests_total" and 'method="other",code="405"' in labels for name, labels in samples)
assert samples["larder_cache_hits_total", '{registry="docker.io"}'] >= 1
print("sound")
PYTHON
check_equal "metrics are there and follow the conventions of Prometheus" "$(curl -s "$url/metrics" | python3 "$T/lint.py" 2>&1 | tail -1)" "sound"
check "it ends" stop_larderd

# passed sockets, notification, watchdog
"$LARDER_SOURCE/tests/lib/notify-listener.py" "$T/notify" "$T/notified" &
cleanup kill $!
until_true 10 test -S "$T/notify"
# Ports that are free: bound by a process that ends at once.
read -r port second < <(python3 -c 'import socket; s = [socket.create_server(("127.0.0.1", 0)) for _ in "ab"]; print(*[i.getsockname()[1] for i in s])')
NOTIFY_SOCKET=$T/notify WATCHDOG_USEC=100000 systemd-socket-activate -E NOTIFY_SOCKET -E WATCHDOG_USEC -E PATH \
	--listen="127.0.0.1:$port" --listen="$T/passed.sock" --listen="127.0.0.1:$second" --listen="$T/other.sock" "$(command -v larderd)" --cache "$T/tree" >"$T/activated.log" 2>&1 &
larderd_pid=$!
cleanup kill $larderd_pid
url=http://127.0.0.1:$port
until_true 10 sh -c "ss -Hltn 'sport = :$port' | grep -q ."
check "the first request, by TCP, is answered" curl -sf --retry 5 --retry-connrefused "$url/v2/"
exec {held}<>"/dev/tcp/127.0.0.1/$second"
check "a passed socket's connections have no pace, either" until_true 10 sh -c "ss -Htin state established 'sport = :$second' | grep -qw reno"
exec {held}>&-
check "one by the second port" curl -sf --max-time 60 "http://127.0.0.1:$second/v2/"
for socket in passed other; do
	check "and one by the unix socket $socket" curl -sf --max-time 60 --unix-socket "$T/$socket.sock" http://x/v2/
done
check_equal "it names all four, in their order, and no other" "$(sed -n 's/^listening on //p' "$T/activated.log" | paste -sd' ')" \
	"127.0.0.1:$port unix:$T/passed.sock 127.0.0.1:$second unix:$T/other.sock"
check "it says that it is ready" until_true 10 grep -q '^READY=1' "$T/notified"
check "it says what it serves" until_true 20 grep -q '^STATUS=Serving 2 images, 6 blobs, .* 6 blobs verified' "$T/notified"
check "it feeds the watchdog" until_true 10 sh -c "[ \$(grep -c '^WATCHDOG=1' '$T/notified') -gt 3 ]"

# reload
kill -HUP "$larderd_pid"
check "it reloads" until_true 10 grep -q reloaded "$T/activated.log"
check "and says so" until_true 10 grep -q '^RELOADING=1' "$T/notified"
mv "$T/tree" "$T/tree.away"
kill -HUP "$larderd_pid"
check "a reload that fails is explained" until_true 10 grep -q 'not reloaded, .*cannot open' "$T/activated.log"
check "and what was served goes on" curl -sf "$url/v2/library/busybox/manifests/1.36"
mv "$T/tree.away" "$T/tree"
# Its manager waits for the second of the two words.
reloads() { grep -x 'RELOADING=1\|READY=1' "$T/notified" | paste -sd' '; }
check "after each reload it is ready, however that went" until_true 10 eval '[ "$(reloads)" = "READY=1 RELOADING=1 READY=1 RELOADING=1 READY=1" ]'
cp "$T/tree/manifests/ghcr.io/acme/app/reference/v1" "$T/tree/manifests/ghcr.io/acme/app/reference/v2"
kill -HUP "$larderd_pid"
check "it says what it serves from then on" until_true 20 grep -q '^STATUS=Serving 3 images, 6 blobs' "$T/notified"

# drain: a transfer that is running ends whole, no new connection is taken
curl -s --limit-rate 400k -o "$T/slow" "$url$blob_path" &
slow=$!
until_true 10 test -s "$T/slow"
kill "$larderd_pid"
check "it says that it stops" until_true 10 grep -q '^STOPPING=1' "$T/notified"
check "and what it still does" grep -q '^STATUS=Finishing running transfers' "$T/notified"
check "the running transfer ends well" wait "$slow"
check "with all its bytes" cmp "$T/slow" "$T/tree/blob/$blob"
wait "$larderd_pid"
check_equal "larderd ended well" $? 0
check_equal "without cutting anything off" "$(grep 'cut off' "$T/activated.log")" ""

# A loop that hangs does not feed the watchdog: looking at a file system that never answers, it waits for ever.
cat >"$T/hung-mount.py" <<'PYTHON'
import ctypes, os, signal, sys
fuse = os.open("/dev/fuse", os.O_RDWR)
options = b"fd=%d,rootmode=40000,user_id=0,group_id=0" % fuse
if ctypes.CDLL(None, use_errno=True).mount(b"hung", sys.argv[1].encode(), b"fuse", 0, options) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
signal.pause()
PYTHON
mkdir -p "$T/run/volume"
: >"$T/notified"
NOTIFY_SOCKET=$T/notify WATCHDOG_USEC=100000 start_larderd hung --run-dir "$T/run" --record "$T/record"
fed() { grep -c '^WATCHDOG=1' "$T/notified"; }
fed_more() { [ "$(fed)" -gt "$1" ]; }
answers() { curl -sf --max-time 2 "$url/healthz"; }
check "the watchdog is fed" until_true 10 fed_more 3
python3 "$T/hung-mount.py" "$T/run/volume" 2>"$T/hung.err" &
hung=$!
cleanup umount -l "$T/run/volume"
cleanup kill "$hung"
# Whoever wants the processor, too, may keep an answer back for a second; but then the watchdog is fed behind it.
hangs() {
	before=$(fed)
	! curl -sf --max-time 1 "$url/healthz" && [ "$(fed)" = "$before" ]
}
check "a file system hangs, and the loop with it" until_true 60 hangs
before=$(fed)
sleep 1
check_equal "the watchdog is not fed any more" "$(fed)" "$before"
kill "$hung"
check "when the file system is gone, larderd answers" until_true 20 answers
check "and feeds the watchdog" until_true 10 fed_more "$before"
check "it ends" stop_larderd

# Larger than what sockets hold, so that it is still running when the time is over.
head -c 67108864 /dev/zero >"$T/zeros"
zeros=$(sha256sum "$T/zeros" | cut -d' ' -f1)
mv "$T/zeros" "$T/tree/blob/sha256-$zeros"
check "larderd starts" start_larderd cut --cache "$T/tree" --drain-timeout 1
{ curl -s "$url/v2/x/blobs/sha256:$zeros"; echo $? >"$T/endless.status"; } | {
	head -c 1000 >"$T/endless"
	until_true 60 test -e "$T/read-on"
	cat >/dev/null
} &
endless=$!
until_true 20 test -s "$T/endless"
check "it ends when the time for it is over" stop_larderd
check "and says what it did" grep -q '1 transfers had not ended after 1 s and were cut off' "$T/cut.log"
touch "$T/read-on"
wait "$endless"
check_equal "the client knows that bytes are missing" "$(cat "$T/endless.status")" 18
done_testing
