#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Real clients pull from larderd, offline, with mirrors behind it that are dead, slow and lying and must never be asked.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires_root
requires curl skopeo podman containerd ctr runc python3 mksquashfs unsquashfs busybox
in_namespaces "$@"

mount -t tmpfs tmpfs /run && mkdir -p /run/lock
# What this machine's own registries.conf.d says is not asked for here.
mkdir -p /etc/containers && mount -t tmpfs tmpfs /etc/containers
for mode in dead:2005 slow:2006 lying:2007; do
	"$LARDER_SOURCE/tests/lib/bad-mirror.py" "${mode%:*}" "${mode#*:}" "$T/count.${mode%:*}" &
	cleanup kill $!
	until_true 10 test -s "$T/count.${mode%:*}"
done
never_asked() {
	check_equal "$1: no bad mirror was asked" "$(cat "$T"/count.* | tr '\n' ' ')" "0 0 0 "
}

check "a store is made" small_store "$T/tree"
check "larderd starts" start_larderd one --cache "$T/tree"

# curl: a download that was cut off goes on where it ended
blob=$(cd "$T/tree/blob" && find . -type f -printf '%s %f\n' | sort -n | tail -1 | cut -d' ' -f2)
size=$(stat -c %s "$T/tree/blob/$blob")
curl -s --range "0-99999" -o "$T/part" "$url/v2/library/busybox/blobs/sha256:${blob#sha256-}"
check_equal "a range has its length" "$(stat -c %s "$T/part")" 100000
check "curl resumes" curl -s -C - -o "$T/part" "$url/v2/library/busybox/blobs/sha256:${blob#sha256-}"
check "and has the whole blob" cmp "$T/part" "$T/tree/blob/$blob"
check_equal "of its size" "$(stat -c %s "$T/part")" "$size"

# skopeo and podman: mirrors of registries.conf, tried over TLS first
cat >"$T/registries.conf" <<CONF
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
$(for at in "$address/docker.io" 127.0.0.1:2005/docker.io 127.0.0.1:2006/docker.io 127.0.0.1:2007/docker.io; do
	printf '[[registry.mirror]]\nlocation = "%s"\ninsecure = true\n' "$at"
done)
[[registry]]
location = "ghcr.io"
[[registry.mirror]]
location = "$address/ghcr.io"
insecure = true
[[registry.mirror]]
location = "127.0.0.1:2007/ghcr.io"
insecure = true
CONF
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$T/policy.json"
export CONTAINERS_REGISTRIES_CONF=$T/registries.conf
skopeo_copy() { skopeo --registries-conf "$T/registries.conf" --policy "$T/policy.json" copy -q "$@"; }
check "skopeo copies by tag" skopeo_copy docker://docker.io/library/busybox:1.36 "dir:$T/skopeo"
check "skopeo copies all platforms by digest" skopeo_copy --all "docker://docker.io/library/busybox@$busybox" "dir:$T/skopeo-all"
check_equal "and the index is the same" "sha256:$(sha256sum <"$T/skopeo-all/manifest.json" | cut -d' ' -f1)" "$busybox"
check "skopeo copies from the other registry" skopeo_copy docker://ghcr.io/acme/app:v1 "dir:$T/skopeo-app"
check "skopeo lists tags" skopeo list-tags --tls-verify=false "docker://$address/ghcr.io/acme/app"
check_output "and there is one" '"v1"'
never_asked skopeo

podman_here() {
	podman --root "$T/podman" --runroot "$T/podman-run" --storage-driver vfs --cgroup-manager cgroupfs --runtime runc --events-backend none "$@"
}
cleanup podman_here rm --all --force
check "podman pulls by short name" podman_here pull -q --signature-policy "$T/policy.json" busybox:1.36
check "podman pulls by digest" podman_here pull -q --signature-policy "$T/policy.json" "ghcr.io/acme/app@$app"
run podman_here run --rm --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network none --security-opt seccomp=unconfined --pull never docker.io/library/busybox:1.36
check_equal "podman runs it" "$(cat "$T/stdout")" "one"
[ "$status" = 0 ] || note "$(cat "$T/stderr")"
never_asked podman

# containerd: hosts.toml, the cache first
mkdir -p "$T/certs.d/_default"
printf '[host."%s"]\n  capabilities = ["pull", "resolve"]\n' "$url" http://127.0.0.1:2005 http://127.0.0.1:2006 http://127.0.0.1:2007 >"$T/certs.d/_default/hosts.toml"
cat >"$T/containerd.toml" <<TOML
version = 2
root = "$T/containerd"
state = "$T/containerd-state"
[grpc]
  address = "$T/containerd.sock"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "$T/certs.d"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
TOML
containerd --config "$T/containerd.toml" >"$T/containerd.log" 2>&1 &
containerd_pid=$!
cleanup 'kill $containerd_pid; wait $containerd_pid'
ctr_here() { ctr --address "$T/containerd.sock" "$@"; }
check "containerd starts" until_true 30 ctr_here version
check "ctr pulls by tag" ctr_here images pull --snapshotter native --hosts-dir "$T/certs.d" docker.io/library/busybox:1.36
check_equal "and has its digest" "$(ctr_here images ls 'name==docker.io/library/busybox:1.36' | awk 'NR == 2 { print $3 }')" "$busybox"
check "ctr pulls by digest" ctr_here images pull --snapshotter native --hosts-dir "$T/certs.d" "ghcr.io/acme/app@$app"
never_asked ctr

# The CRI by hand: gRPC is HTTP/2 with length-prefixed protobuf; strings here are below 128 bytes, so that each length is one byte.
byte() { printf '%b' "\\x$(printf %02x "$1")"; }
field() { byte $(($1 * 8 + 2)); byte ${#2}; printf %s "$2"; }
cri() { # SERVICE/METHOD MESSAGE-FILE
	local size
	size=$(stat -c %s "$2")
	{ byte 0; byte 0; byte 0; byte 0; byte "$size"; cat "$2"; } >"$T/grpc"
	curl -s --max-time 120 --http2-prior-knowledge --unix-socket "$T/containerd.sock" -H 'content-type: application/grpc' -H 'te: trailers' \
		--data-binary "@$T/grpc" -D "$T/grpc-head" -o "$T/grpc-body" "http://localhost/runtime.v1.$1"
	cat "$T/grpc-head"
	grep -q '^grpc-status: 0' "$T/grpc-head"
}
cri_pull() { # REFERENCE
	field 1 "$1" >"$T/spec"
	{ byte 10; byte "$(stat -c %s "$T/spec")"; cat "$T/spec"; } >"$T/message"
	cri ImageService/PullImage "$T/message"
}
ctr_here --namespace k8s.io images rm docker.io/library/busybox:1.36 >"$T/out" 2>&1
check "the CRI pulls by tag" cri_pull docker.io/library/busybox:1.36
check "the CRI pulls by digest" cri_pull "ghcr.io/acme/app@$app"
check "and lists it" cri ImageService/ListImages /dev/null
check_equal "with both names" "$(grep -aoE 'docker.io/library/busybox:1.36|ghcr.io/acme/app@' "$T/grpc-body" | sort -u | wc -l)" 2
never_asked "the CRI"

# Docker: registry-mirrors, for Docker Hub only; asked through its API. Its own mirror order: the cache first, then the bad ones.
if command -v dockerd >/dev/null; then
	mkdir -p "$T/docker" && echo "{}" >"$T/docker/none.json"
	dockerd --data-root "$T/docker/data" --exec-root "$T/docker/exec" --pidfile "$T/docker/pid" --host "unix://$T/docker/sock" --config-file "$T/docker/none.json" \
		--storage-driver vfs --iptables=false --ip6tables=false --bridge none --registry-mirror "$url" \
		--registry-mirror http://127.0.0.1:2005 --registry-mirror http://127.0.0.1:2007 >"$T/docker.log" 2>&1 &
	docker_pid=$!
	cleanup 'kill $docker_pid; wait $docker_pid'
	docker_api() { curl -s --max-time 120 --unix-socket "$T/docker/sock" "$@"; }
	check "dockerd starts" until_true 60 docker_api -f http://docker/_ping
	[ "$status" = 0 ] || note "$(tail -5 "$T/docker.log")"
	docker_api -X POST "http://docker/images/create?fromImage=busybox&tag=1.36" >"$T/out"
	check_output "docker pulls by tag" 'Downloaded newer image for busybox:1.36'
	docker_api -X POST "http://docker/images/create?fromImage=busybox&tag=$busybox" >"$T/out"
	check_output "docker pulls by digest" "Digest: $busybox"
	never_asked docker
else
	pass "docker # SKIP dockerd is not installed"
fi

# A corrupted blob: larderd says 404, and the client gets wrong bytes from nobody.
printf x | dd of="$T/tree/blob/$blob" bs=1 conv=notrunc status=none
check_http 404 "a blob that was changed is not served" "$url/v2/library/busybox/blobs/sha256:${blob#sha256-}"
check_equal "the journal names it once" "$(grep -c "${blob#sha256-} has other bytes" "$T/one.log")" 1
check "larderd ends" stop_larderd

# The same images from a layer file and from a layout, without mounting anything.
check "larderd serves a layer file" start_larderd two --cache "$T/layer.sqsh"
sed -i "s|$address|127.0.0.1:${url##*:}|g" "$T/registries.conf"
check "skopeo copies from it" skopeo --policy "$T/policy.json" copy -q --src-tls-verify=false "docker://$address/docker.io/library/busybox:1.36" "dir:$T/skopeo-layer"
check "larderd ends" stop_larderd
check "larderd serves a layout" start_larderd three --cache "$T/app"
check "skopeo copies from it" skopeo --policy "$T/policy.json" copy -q --src-tls-verify=false "docker://$address/app:v1" "dir:$T/skopeo-layout"
check_equal "the same manifest" "sha256:$(sha256sum <"$T/skopeo-layout/manifest.json" | cut -d' ' -f1)" "$app"
check "larderd ends" stop_larderd
done_testing
