#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larder status in each state: one screen, what is degraded and what to do, the registry's hits and misses, JSON that larder-status.json(5)
# documents; and a registry that is down, no larderd, or slow.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
in_namespaces "$@"
requires mksquashfs jq skopeo busybox curl python3

R=$T/root
mkdir -p "$R/etc/larder" "$R/usr/lib/larder/layers" "$R/sys/block" "$R/dev" "$R/proc/self" "$R/usr/bin"
: >"$R/proc/cmdline"
: >"$R/proc/self/mountinfo"
S() { larder status --run-dir "$T/run" "$@"; }
boot() { larder boot --root "$R" --run-dir "$T/run" >"$T/boot.log" 2>&1; }
cleanup "larder stop --root '$R' --run-dir '$T/run'"
# Keys that came out so far, of each state that is asked for them.
keys() { S "$@" --output json | jq -r '[paths | map(select(type == "string"))[-1]] | unique | .[] | values' >>"$T/keys"; }
screen() { [ "$(wc -l <"$T/stdout")" -le 24 ] && [ "$(wc -L <"$T/stdout")" -le 200 ]; }

check_status 1 "before any boot" S
check_output "it says so" "larder boot has not run"
check_status 1 "before any boot, as JSON" S --output json
check_equal "there is none" "$(cat "$T/stdout")" ""
check_output "and it says so" "larder boot has not run"

boot
check "without a machine config: disabled is no failure" S
check_output "the state" "^larder: disabled$"
check_output "and what to do" "there is no machine config: write /etc/larder/machine.yaml"
echo 'machine: {}' >"$R/etc/larder/machine.yaml"
boot
check "not enabled" S
check_output "and what to do then" "does not enable the cache: set machine.features.imageCache.localEnabled"
check_equal "the same in JSON" "$(S --output json | jq -r '.advice | length')" 1

printf 'machine:\n  features: {imageCache: {localEnabled: true}}\n---\nkind: VolumeConfi\napiVersion: v1alpha1\n' >"$R/etc/larder/machine.yaml"
boot
check_status 1 "an invalid config is a failure" S
check_output "the state" "^larder: failed$"
check_output "the place" "machine.yaml:4:7: .*VolumeConfig"
check_output "and what to do" '"larder config check" says where'

echo 'machine: {features: {imageCache: {localEnabled: true}}}' >"$R/etc/larder/machine.yaml"
make_image "$T/app" 1 app >/dev/null
echo "a.example/app:1=oci:$T/app:1" >"$T/images.txt"
larder build --images "$T/images.txt" --output "$R/usr/lib/larder/layers/000-site-1.0.0.sqsh" >/dev/null
boot
check_status 1 "no disk matches: degraded" S
screen
verdict $? "on one screen"
check_output "the state" "^larder: degraded$"
check_output "the volume" "^  volume +missing"
check_output "the layer is served all the same" "^  layers +active +site 1.0.0, 1 image:"
check_output "there is nothing to copy to" "^  copy +no volume"
check_output "the registry is down" "^  registry +down +the registry at 127.0.0.1:3172 does not answer"
check_output "problems have a heading" "^Problems:$"
check_output "and advice has one" "^What to do:$"
check_output "for the volume" "larder volume plan"
keys
check_output "for the registry" "systemctl status larder.socket larderd.service"

larderd --run-dir "$T/run" --listen 127.0.0.1:3172 >"$T/larderd.log" 2>&1 &
larderd=$!
cleanup kill $larderd
until_true 20 curl -sf http://127.0.0.1:3172/readyz
for n in 1 2 3; do curl -so /dev/null "http://127.0.0.1:3172/v2/app/manifests/1?ns=a.example"; done
curl -so /dev/null "http://127.0.0.1:3172/v2/app/manifests/2?ns=a.example"
curl -so /dev/null "http://127.0.0.1:3172/v2/x/manifests/2?ns=b.example"
run S
check_output "hits and misses" "^  registry +ready +.*; 3 hits, 2 misses since it started$"
check_equal "as numbers in JSON" "$(S --output json | jq -c '.registry | [.state, .hits, .misses, .images, .corrupt]')" '["ready",3,2,1,0]'
check_equal "YAML is the same" "$(S --output yaml | sed -n 's/^  hits: //p')" 3

# A healthy machine: the volume is what larderd sees; here its part of the file is written as a boot with a disk writes it.
jq '.state = "ready" | .problems = [] | .volume.phase = "ready"' "$T/run/status.json" >"$T/new" && cp "$T/new" "$T/run/status.json"
check "ready" S
check_output "the state" "^larder: ready$"
check_no_output "no advice" "What to do"
jq '.layers[0].origin = "medium" | .volume.mounted = "/run/larder/volume"' "$T/new" >"$T/run/status.json"
check "layers that are still on a medium" S
check_output "are named" "^  copy +pending +still on media: site$"
check_output "and that the medium is needed" "leave those in until"
jq '.media = [{device: "/dev/sdz", label: "STICK", filesystem: "ext4", trusted: false, mounted: null, reason: "untrusted: nothing selects it"}]' "$T/new" >"$T/run/status.json"
run S
keys
check_output "a medium that is not used is called so once" "untrusted +/dev/sdz STICK nothing selects it$"
jq '.media = [{device: "/dev/sdz", label: null, trusted: true, mounted: "/m", reason: null}] | .layers[0].version = null' "$T/new" >"$T/run/status.json"
run S
check_output "a medium without a label" "^  media +used +/dev/sdz$"
check_output "a layer without a version" "^  layers +active +site, 1 image: "
check_no_output "no line ends with blanks" " $"
jq '.layers[0].origin = "medium" | .volume.mounted = "/run/larder/volume"' "$T/new" >"$T/run/status.json"
mkdir "$T/small" && mount -t tmpfs -o size=1m tmpfs "$T/small"
cleanup "umount '$T/small'"
jq --arg at "$T/small" '.volume.mounted = $at | .volume.free = 1 | .layers[0].size = 700000' "$T/run/status.json" >"$T/medium" && cp "$T/medium" "$T/run/status.json"
keys
check_equal "free space is that of now" "$(S --output json | jq -c '[.volume.size, .volume.free]')" '[1048576,1048576]'
run S
check_output "room for the layer: only the medium is needed" "leave those in until"
head -c 600000 /dev/zero >"$T/small/file"
run S
check_output "without room, that is what to do" "the volume has [0-9.]+ KiB free for layers of [0-9.]+ KiB that are still read from media: .*larder layers prune"
cp "$T/new" "$T/run/status.json"

# Every key that comes out is documented, and every key that is documented comes out somewhere: the page is the contract.
page=$LARDER_SOURCE/man/larder-status.json.5
sed -n 's/^\.It Va \([a-z_]*\).*/\1/p' "$page" | sort -u >"$T/documented"
keys
# Disks that are there, and none of which is meant; a runtime with a file to look at.
mkdir "$T/sata"
unpack-tree "$LARDER_SOURCE/tests/machines/sata.tree" "$T/sata" || fail "the machine unpacks"
mkdir -p "$T/sata/etc/larder" "$T/sata/etc/containerd" "$T/sata/usr/bin"
touch "$T/sata/usr/bin/containerd"
printf '[plugins.cri]\nregistry.headers.X = ["y"]\n' >"$T/sata/etc/containerd/config.toml"
echo "machine: {features: {imageCache: {localEnabled: true}}}" >"$T/sata/etc/larder/machine.yaml"
larder boot --root "$T/sata" --run-dir "$T/run-sata" >"$T/boot.log" 2>&1
cleanup "larder stop --root '$T/sata' --run-dir '$T/run-sata'"
keys --run-dir "$T/run-sata"
sort -u "$T/keys" >"$T/printed"
check_equal "every key is in larder-status.json(5)" "$(comm -13 "$T/documented" "$T/printed" | xargs)" ""
check_equal "and every one that is there comes out" "$(comm -23 "$T/documented" "$T/printed" | xargs)" ""

kill $larderd && wait $larderd
# Somebody else on the port: no HTTP, one byte a second for ever, nothing at all.
cat >"$T/other.py" <<'PYTHON'
import socket, sys, time, threading
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 3172)); s.listen(8)
def serve(c):
    try:
        if sys.argv[1] == "text": c.sendall(b"SSH-2.0-x\r\n")
        elif sys.argv[1] == "lies": c.recv(4096); c.sendall(b"HTTP/1.1 200 OK\r\n\r\nlarder_cache_hits_total{a=\"}\"} 99999999999999999999\nlarder_store_images -4\n\xff\xfe")
        elif sys.argv[1] == "drip":
            while True: c.sendall(b"x"); time.sleep(0.2)
        else: time.sleep(600)
        c.close()
    except OSError: pass
while True:
    c, _ = s.accept(); threading.Thread(target=serve, args=(c,), daemon=True).start()
PYTHON
for kind in text lies drip silent; do
	python3 "$T/other.py" $kind &
	other=$!
	until_true 10 bash -c 'exec 3<>/dev/tcp/127.0.0.1/3172'
	run timeout 60 larder status --run-dir "$T/run"
	[ "$status" != 124 ]
	verdict $? "$kind on the port ends in bounded time"
	check_output "$kind: the rest is shown" "^  layers +active"
	run timeout 60 larder status --run-dir "$T/run" --output json
	check_equal "$kind: JSON without invented numbers" "$(jq -c '.registry | [.hits, .images] | map(select(. != null and . != 0))' "$T/stdout")" "[]"
	kill $other; wait $other 2>/dev/null
done

printf '{"format": 1, "state": "ready", "problems": [{"part": 1}], "layers": {"a": 1}, "media": [[]], "volume": "x"}' >"$T/run/status.json"
run S
check_output "a status of strange shape is shown as far as it goes" "^larder: ready$"
printf '{"format": 1, "state": "rea\\u001bdy", "problems": [{"part": "vol\\u007fume", "message": "a\\u001b[2Jb\\nWhat to do:\\n  c\\td"}],
 "config": {"state": "o\\u0007k", "files": ["/x\\u001b"]}, "runtimes": [{"name": "r\\u001b", "state": "s", "detail": "d\\nlarder: ready"}]}' >"$T/run/status.json"
run S
check_equal "control characters are shown as those of other tables are" "$(grep -c '[^[:print:]]' "$T/stdout")" 0
check_output "of the state" '^larder: rea\\x1bdy$'
check_output "of a part" '^  config +o\\x07k +/x\\x1b$'
check_output "and no value makes a line" '^  runtimes +s +r\\x1b: d\\x0alarder: ready$'
check_output "but lines of a message stay lines" '^  vol\\x7fume: a\\x1b\[2Jb$'
check_output "that stand for nothing else" '^    What to do:$'
check_output "whatever is in them" '^      c\\x09d$'
rm "$T/run/status.json"
mkfifo "$T/run/status.json"
check_status 1 "a pipe in its place" timeout 20 larder status --run-dir "$T/run"
check_output "is named" "cannot read $T/run/status.json: it is no regular file"
rm "$T/run/status.json"

# Who may read it: everybody, larderd first of all, whatever the umask of who ran the boot is.
echo 'machine: {}' >"$R/etc/larder/machine.yaml"
chmod 755 "$T"
cp "$(command -v larder)" "$T/larder"
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$T/larder" "$@"; }
(umask 077 && larder boot --root "$R" --run-dir "$T/run-closed" >"$T/boot.log" 2>&1)
check "a boot with umask 077 is for all to see" nobody status --run-dir "$T/run-closed"
check_output "with its state" "^larder: disabled$"
chmod 700 "$T/run-closed"
check_status 1 "a directory that somebody closed" nobody status --run-dir "$T/run-closed"
check_output "is named with what to do" "cannot read $T/run-closed/status.json: Permission denied; run this as root$"
chmod 600 "$R/etc/larder/machine.yaml"
check_status 1 "a machine config that is closed" nobody config check --root "$R"
check_output "too" "etc/larder/machine.yaml: cannot read the file: Permission denied; run this as root$"
done_testing
