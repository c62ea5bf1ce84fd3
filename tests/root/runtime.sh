#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What larder runtime configure writes, read by the runtimes themselves: containerd and skopeo (for podman and CRI-O) ask the
# cache first, then the mirror of the machine config; and restore brings every byte back.
. "$LARDER_SOURCE/tests/lib/tap.sh"
in_namespaces "$@"
requires containerd ctr skopeo python3 jq

# Two registries that have nothing and write down who was asked for what.
cat >"$T/registry.py" <<'PYTHON'
import http.server, sys
name, port, log = sys.argv[1], int(sys.argv[2]), sys.argv[3]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        with open(log, "a") as f:
            f.write(f"{name} {self.command} {self.path}\n")
        status = 200 if self.path == "/v2/" else 404
        body = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"nothing here"}]}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
    do_GET = do_HEAD = answer
    def log_message(self, *a):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
PYTHON
start_registry() { # NAME PORT
	python3 "$T/registry.py" "$1" "$2" "$T/log" >/dev/null 2>&1 &
	cleanup kill $!
	until_true 10 curl -sf "http://127.0.0.1:$2/v2/"
}
requires curl
start_registry cache 3172
start_registry mirror 2005

R=$T/root
mkdir -p "$R/etc/larder" "$R/etc/containerd" "$R/usr/bin"
touch "$R/usr/bin/containerd" "$R/usr/bin/podman"
[ ! -e /etc/containers ] || cp -a /etc/containers "$R/etc/"
mkdir -p "$R/etc/containers/registries.conf.d"
rm -f "$R/etc/containers/registries.conf.d/zz-larder.conf"
cat >"$R/etc/containerd/config.toml" <<'TOML'
version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
TOML
mkdir -p "$R/etc/containerd/certs.d/quay.io"
printf '# mine\nserver = "https://quay.io"\n[host."http://127.0.0.1:2005"]' >"$R/etc/containerd/certs.d/quay.io/hosts.toml"
chmod 640 "$R/etc/containerd/certs.d/quay.io/hosts.toml"
cat >"$R/etc/larder/machine.yaml" <<'YAML'
machine:
  features: {imageCache: {localEnabled: true}}
  registries:
    mirrors:
      docker.io: {endpoints: ["http://127.0.0.1:2005"], skipFallback: true}
      ghcr.io: {endpoints: ["http://127.0.0.1:2005"]}
YAML
state() { (cd "$R" && find etc -path etc/larder -prune -o -type f -printf '%p %m %U ' -exec sha256sum {} \; | sort); }
before=$(state)

check "the plan changes nothing" larder runtime configure --root "$R" --dry-run
check_output "and is a diff" '^\+\[host\."http://127.0.0.1:3172"\]$'
check_equal "no file was touched" "$(state)" "$before"
check "configure" larder runtime configure --root "$R"
check_output "says which runtime it changed" "containerd: changed"
after=$(state)
check "configure again" larder runtime configure --root "$R" --output json
check_equal "changes nothing" "$(jq -r '[.runtimes[].state] | unique | join(" ")' "$T/stdout" | sed 's/not installed//;s/ //g')" unchanged
check_equal "not one byte" "$(state)" "$after"

check "containerd reads its config.toml" containerd --config "$R/etc/containerd/config.toml" config dump
check_output "and finds config_path" 'config_path = "/etc/containerd/certs.d"'

mkdir -p "$T/c"
containerd --config "$R/etc/containerd/config.toml" --root "$T/c/root" --state "$T/c/state" \
	--address "$T/c/sock" >"$T/c/log" 2>&1 &
cleanup "kill $!; wait $!"
until_true 30 ctr -a "$T/c/sock" version || skip_all "containerd does not start here: $(tail -1 "$T/c/log")"
check "containerd starts with it" ctr -a "$T/c/sock" plugins ls
check_output "and its CRI plugin loads" '^io\.containerd\.grpc\.v1 +cri +.* ok'
asked() { # IMAGE: who was asked, in order, each once
	: >"$T/log"
	timeout 60 ctr -a "$T/c/sock" images pull --hosts-dir "$R/etc/containerd/certs.d" "$1" >"$T/out" 2>&1
	cut -d' ' -f1 "$T/log" | uniq | xargs
}
check_equal "docker.io: containerd asks the cache, then the mirror" "$(asked docker.io/library/x:1)" "cache mirror"
check_equal "by name and namespace" "$(head -1 "$T/log")" "cache HEAD /v2/library/x/manifests/1?ns=docker.io"
check_equal "quay.io: the cache, then the user's own host" "$(asked quay.io/a/b:1)" "cache mirror"
check_equal "any other registry: the cache" "$(asked example.invalid/a/b:1)" "cache"

mkdir -p /etc/containers
mount --bind "$R/etc/containers" /etc/containers && cleanup umount /etc/containers
: >"$T/log"
timeout 60 skopeo inspect --insecure-policy --raw docker://docker.io/library/x:1 >"$T/out" 2>&1
check_equal "skopeo asks the cache under the registry's name" "$(grep -m1 manifests "$T/log")" \
	"cache GET /v2/docker.io/library/x/manifests/1"
check_equal "and then the mirror" "$(grep manifests "$T/log" | sed -n 2p)" "mirror GET /v2/library/x/manifests/1"
check_equal "and nobody else: skipFallback" "$(grep -c registry-1.docker.io "$T/out")" 0

check "status explains it" larder runtime status docker.io/library/x:1 --root "$R"
check_output "with the cache first" '1\. http://127.0.0.1:3172 +\(the cache\)'
check_output "the mirror second" '2\. http://127.0.0.1:2005$'
check_status 2 "a reference that is none is invalid input" larder runtime status "UPPER/Case" --root "$R"

check "restore" larder runtime restore --root "$R"
check_equal "brings back every byte, mode and owner" "$(state)" "$before"
check "restore again" larder runtime restore --root "$R"
check_output "has nothing to do" "nothing to do"

larder runtime configure --root "$R" >/dev/null
sed -i s/true/false/ "$R/etc/larder/machine.yaml"
check "configure with the cache switched off" larder runtime configure --root "$R"
check_output "takes everything back" "sets? back|set back"
check_equal "to the byte" "$(state)" "$before"
done_testing
