#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# RegistryTLSConfig and RegistryAuthConfig, proved by the runtimes themselves: a registry with a CA of its own, client certificates and Basic
# authentication, from which containerd, skopeo, podman and dockerd pull with nothing but what larder runtime configure wrote; and restore
# brings every byte back.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
requires_root
requires containerd ctr skopeo podman dockerd runc python3 openssl curl jq busybox
in_namespaces "$@"
mount -t tmpfs tmpfs /run && mkdir -p /run/lock
# Docker takes 127/8 for insecure, so the registries have addresses that are nobody else's.
ip address add 192.0.2.10/32 dev lo
ip address add 192.0.2.11/32 dev lo
mutual=192.0.2.10:5000 unverified=192.0.2.11:5000

openssl_quiet() { openssl "$@" 2>>"$T/openssl.log"; }
authority() { # NAME
	openssl_quiet req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$1" -keyout "$T/$1.key" -out "$T/$1.crt"
}
leaf() { # NAME CA EXTENSIONS
	openssl_quiet req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$T/$1.key" -out "$T/$1.csr"
	openssl_quiet x509 -req -in "$T/$1.csr" -CA "$T/$2.crt" -CAkey "$T/$2.key" -CAcreateserial -days 30 -extfile <(echo "$3") -out "$T/$1.crt"
}
authority ca && leaf server ca 'subjectAltName=IP:192.0.2.10,IP:192.0.2.11' && leaf client ca extendedKeyUsage=clientAuth
check "certificates are made" openssl verify -CAfile "$T/ca.crt" "$T/server.crt" "$T/client.crt"

# A registry that serves one image, writes down what it answered, and asks for a password and, if told to, for a certificate.
cat >"$T/registry.py" <<'PYTHON'
import base64, http.server, json, os, ssl, sys
address, layout, log, certificates, mutual = sys.argv[1:]
host, port = address.split(":")
manifest = json.load(open(f"{layout}/index.json"))["manifests"][0]
want = "Basic " + base64.b64encode(b"user:pass-word").decode()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        reference = self.path.split("?")[0].split("/")[-1]
        digest = manifest["digest"] if reference == "1" else reference
        path = f"{layout}/blobs/sha256/{digest[7:]}"
        status, body, more = 404, b"{}", {"Content-Type": "application/json"}
        if self.headers.get("Authorization") != want:
            status, more = 401, {"WWW-Authenticate": 'Basic realm="test"', **more}
        elif self.path == "/v2/":
            status = 200
        elif digest.startswith("sha256:") and os.path.exists(path):
            status, body = 200, open(path, "rb").read()
            kind = manifest["mediaType"] if "/manifests/" in self.path else "application/octet-stream"
            more = {"Content-Type": kind, "Docker-Content-Digest": digest}
        with open(log, "a") as f:
            f.write(f"{address} {status} {self.command} {self.path}\n")
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), "Docker-Distribution-Api-Version": "registry/2.0", **more}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
    do_GET = do_HEAD = answer
    def log_message(self, *a):
        pass
class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *a):
        pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{certificates}/server.crt", f"{certificates}/server.key")
if mutual == "mutual":
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(f"{certificates}/ca.crt")
class TlsServer(Server):
    def get_request(self):
        connection, peer = self.socket.accept()
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer
TlsServer((host, int(port)), Handler).serve_forever()
PYTHON
make_image "$T/image" 1 "from a private registry" >/dev/null
: >"$T/log"
start_registry() { # ADDRESS MODE
	python3 "$T/registry.py" "$1" "$T/image" "$T/log" "$T" "$2" >"$T/registry-$2.log" 2>&1 &
	cleanup kill $!
}
start_registry $mutual mutual
start_registry $unverified open
with_all=(-sf --cacert "$T/ca.crt" --cert "$T/client.crt" --key "$T/client.key" -u user:pass-word)
check "the registry answers who has everything" until_true 20 curl "${with_all[@]}" https://$mutual/v2/
check "so does the other" until_true 20 curl -skf -u user:pass-word https://$unverified/v2/

# The system that is configured: what the runtimes read of it lies where they read it, in this test's own mounts.
R=$T/root
mkdir -p "$R"/{etc/larder,etc/containers,etc/docker,etc/containerd,usr/bin,root/.config/containers}
touch "$R/usr/bin/"{containerd,podman,dockerd}
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$R/etc/containers/policy.json"
printf '{"auths": {"mine.example": {"auth": "bWluZTptaW5l"}}}' >"$R/root/.config/containers/auth.json"
printf '{"insecure-registries":["192.0.2.99"],  "mtu":1450}' >"$R/etc/docker/daemon.json"
indented() { sed 's/^/  /' "$T/$1"; }
cat >"$R/etc/larder/machine.yaml" <<YAML
machine: {features: {imageCache: {localEnabled: true}}}
---
apiVersion: v1alpha1
kind: RegistryTLSConfig
name: $mutual
ca: |
$(indented ca.crt)
clientIdentity:
  cert: |
$(indented client.crt | sed 's/^/  /')
  key: |
$(indented client.key | sed 's/^/  /')
---
apiVersion: v1alpha1
kind: RegistryTLSConfig
name: $unverified
insecureSkipVerify: true
$(for host in $mutual $unverified mine.example; do
	printf -- '---\napiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: %s\nusername: user\npassword: pass-word\n' "$host"
done)
YAML
# But for a key that dockerd makes itself when it starts.
state() { (cd "$R" && find etc root -path etc/larder -prune -o -type f ! -path etc/docker/key.json -printf '%p %m %U ' -exec sha256sum {} \; | sort); }
before=$(state)
mkdir -p /etc/docker /etc/containers
mount --bind "$R/etc/docker" /etc/docker
mount --bind "$R/etc/containers" /etc/containers
mount --bind "$R/root" /root
# The paths in hosts.toml are those of the system itself.
mkdir -p /etc/larder && mount --bind "$R/etc/larder" /etc/larder
cleanup 'umount /etc/larder; rmdir --ignore-fail-on-non-empty /etc/larder'

skopeo_pull() { rm -rf "$T/skopeo" && env -u HOME -u XDG_RUNTIME_DIR skopeo copy -q "docker://$1" "dir:$T/skopeo"; }
for registry in $mutual $unverified; do
	check_status 1 "nobody gets $registry without larder" skopeo_pull $registry/a/b:1
	check_output "for its certificate" 'certificate|x509'
done

check "the plan is shown" larder runtime configure --root "$R" --dry-run
check_no_output "without the password" 'pass-word|dXNlcjpwYXNzLXdvcmQ='
check_equal "and writes nothing" "$(state)" "$before"
check "configure" larder runtime configure --root "$R"
check_output "says what Docker's users do" "docker login $mutual\""
check_output "the user's own credentials stay" "auth.json has credentials for mine.example, so those of the machine config are not written"
after=$(state)
run larder runtime configure --root "$R" --output json
check_equal "again, not one byte differs" "$(state)" "$after"
check_equal "and nothing is changed" "$(jq -r '[.runtimes[] | select(.state == "changed" or .state == "failed")] | length' "$T/stdout")" 0
check_equal "secrets are closed" "$(cd "$R" && stat -c %a root/.config/containers/auth.json etc/docker/certs.d/$mutual/client.key etc/containers/certs.d/$mutual/client.key | xargs)" "600 600 600"
check_equal "daemon.json keeps what it had" "$(jq -c '[.mtu, .["insecure-registries"]]' "$R/etc/docker/daemon.json")" "[1450,[\"192.0.2.99\",\"$unverified\"]]"
check_equal "no larger name is made for Docker's certificates" "$(cd "$R/etc/docker/certs.d" && find . -type f | sort | xargs)" \
	"./192.0.2.10:5000/ca.crt ./192.0.2.10:5000/client.cert ./192.0.2.10:5000/client.key ./192.0.2.10_5000_/hosts.toml ./192.0.2.11_5000_/hosts.toml ./_default/hosts.toml ./mine.example/hosts.toml"

# pulled WHO REGISTRY: the registry gave out the whole image since the last look.
pulled() {
	check_equal "$1 got it from the registry" "$(grep "^$2 200 GET" "$T/log" | grep -c /blobs/)" 2
	: >"$T/log"
}
: >"$T/log"
containerd_toml() {
	cat <<-TOML
		version = 2
		root = "$T/containerd"
		state = "$T/containerd-state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$T/containerd.sock"
	TOML
}
containerd_toml >"$T/containerd.toml"
containerd --config "$T/containerd.toml" >"$T/containerd.log" 2>&1 &
containerd_pid=$!
cleanup 'kill $containerd_pid; wait $containerd_pid'
ctr_here() { timeout 120 ctr --address "$T/containerd.sock" "$@"; }
check "containerd starts" until_true 30 ctr_here version
podman_here() {
	env -u HOME -u XDG_RUNTIME_DIR timeout 120 podman --root "$T/podman" --runroot "$T/podman-run" --storage-driver vfs --cgroup-manager cgroupfs --runtime runc --events-backend none "$@"
}
for registry in $mutual $unverified; do
	check "containerd pulls from $registry" ctr_here images pull --snapshotter native --hosts-dir "$R/etc/containerd/certs.d" $registry/a/b:1
	pulled containerd $registry
	ctr_here images rm --sync $registry/a/b:1 >/dev/null # with its blobs, so that the next pull fetches them
	check "skopeo pulls from $registry" skopeo_pull $registry/a/b:1
	pulled skopeo $registry
	check "podman pulls from $registry" podman_here pull -q $registry/a/b:1
	pulled podman $registry
	podman_here rmi --all --force >/dev/null 2>&1
done

# dockerd, as the API has it: credentials come with the request.
dockerd --data-root "$T/docker" --exec-root "$T/docker-exec" --pidfile "$T/docker.pid" --host "unix://$T/docker.sock" --storage-driver vfs \
	--iptables=false --bridge=none --containerd "$T/containerd.sock" >"$T/dockerd.log" 2>&1 &
dockerd_pid=$!
cleanup 'kill $dockerd_pid; wait $dockerd_pid'
docker_api() { timeout 120 curl -s --unix-socket "$T/docker.sock" "$@"; }
docker_pull() { # REGISTRY PASSWORD
	local auth
	auth=$(printf '{"username":"user","password":"%s","serveraddress":"%s"}' "$2" "$1" | base64 -w0 | tr '+/' '-_')
	docker_api -X POST -H "X-Registry-Auth: $auth" "http://d/images/create?fromImage=$1/a/b&tag=1" >"$T/pull"
	cat "$T/pull"
	docker_api -f "http://d/images/$1/a/b:1/json" >/dev/null
}
if ! until_true 60 docker_api -f http://d/_ping; then
	fail "dockerd starts with larder's daemon.json"
	note "$(tail -5 "$T/dockerd.log")"
	done_testing
fi
check "dockerd starts with larder's daemon.json" docker_api -f http://d/info
check_output "and has the cache as its mirror" '"Mirrors":\["http://127.0.0.1:3172/"\]'
for registry in $mutual $unverified; do
	: >"$T/log"
	check "dockerd pulls from $registry" docker_pull $registry pass-word
	pulled dockerd $registry
	docker_api -X DELETE "http://d/images/$registry/a/b:1?force=true" >/dev/null
done
check_status 22 "not with another password" docker_pull $mutual wrong

run larder runtime status $mutual/a/b:1 --root "$R" --output json
check_equal "status: containerd asks the cache, then the registry" \
	"$(jq -r '.runtimes[] | select(.name == "containerd").endpoints | join(" ")' "$T/stdout")" "http://127.0.0.1:3172 https://$mutual"
check_equal "podman asks the registry: a port cannot be part of a mirror's location" \
	"$(jq -r '.runtimes[] | select(.name == "podman and CRI-O").endpoints | join(" ")' "$T/stdout")" "$mutual/a/b"
check_equal "of Docker, from which version" \
	"$(jq -r '.runtimes[] | select(.name == "docker").note' "$T/stdout" | grep -c 'from Docker 29 on')" 1

check "restore" larder runtime restore --root "$R"
check_equal "brings back every byte, mode and owner" "$(state)" "$before"
check_status 1 "and the registry is closed again" skopeo_pull $mutual/a/b:1

# What the user has for these registries stays in force.
mkdir -p "$R/etc/docker/certs.d/$mutual" "$R/root/.docker" "$R/etc/crio/crio.conf.d"
cp "$T/server.crt" "$R/etc/docker/certs.d/$mutual/client.cert"
ln -s /nowhere "$R/etc/docker/certs.d/$mutual/ca.crt"
printf '{"auths":{"https://%s/v1/":{"auth":"bWluZTptaW5l"}}}' $unverified >"$R/root/.docker/config.json"
printf '[crio.image]\nglobal_auth_file = "/etc/crio/pull.json"\n' >"$R/etc/crio/crio.conf.d/10-auth.conf"
before=$(state)
check "configure beside the user's own" larder runtime configure --root "$R"
check_output "names a certificate that stays" "certs.d/$mutual/client.cert was there before"
check_output "and one that is a link" "certs.d/$mutual/ca.crt was there before"
check_output "credentials of root's Docker client" "/root/.docker/config.json has credentials for $unverified"
check_output "and what CRI-O reads instead" "CRI-O reads credentials from /etc/crio/pull.json alone"
check_equal "no key is put beside a certificate of somebody else" "$(cd "$R/etc/docker/certs.d/$mutual" && echo *)" "ca.crt client.cert hosts.toml"
check_equal "only the other registry's credentials are written" "$(jq -c '.auths | keys' "$R/root/.config/containers/auth.json")" "[\"$mutual\",\"mine.example\"]"
jq '.auths["later.example"] = {"auth": "bGF0ZXI6eA=="}' "$R/root/.config/containers/auth.json" >"$T/edited" && cat "$T/edited" >"$R/root/.config/containers/auth.json"
check "restore after a login" larder runtime restore --root "$R"
check_equal "leaves what was added since" "$(jq -c '.auths | keys' "$R/root/.config/containers/auth.json")" '["later.example","mine.example"]'
check_equal "and all else as it was" "$(state | grep -v auth.json)" "$(grep -v auth.json <<<"$before")"
done_testing
