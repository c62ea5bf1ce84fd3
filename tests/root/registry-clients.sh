#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Real clients pull from larderd, offline, each beside mirrors that are dead, slow and lying and are not asked for what the cache has.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires_root
requires curl skopeo podman containerd ctr runc python3 mksquashfs unsquashfs busybox
in_namespaces "$@"

mount -t tmpfs tmpfs /run && mkdir -p /run/lock
# What this machine's own registries.conf.d says is not asked for here.
mkdir -p /etc/containers && mount -t tmpfs tmpfs /etc/containers
declare -A port=([dead]=2005 [slow]=2006 [lying]=2007)
for mode in "${!port[@]}"; do
	"$LARDER_SOURCE/tests/lib/bad-mirror.py" "$mode" "${port[$mode]}" "$T/count.$mode" &
	cleanup kill $!
	until_true 10 test -s "$T/count.$mode"
done

# beside_bad_mirrors CLIENT: with each bad mirror in turn configured behind the cache, what the cache has is pulled and the mirror is not
# asked; what it has not is asked for there, which proves that the mirror is configured. CLIENT_mirror MODE configures; CLIENT_pull
# REFERENCE pulls docker.io/library/REFERENCE anew, under "timeout" where $limit says so.
limit=
settled() { # MODE: a client may ask more than once for what it does not get; after that nobody asks
	until_true 20 quiet "$1"
	cp "$T/count.$1" "$T/expected.$1"
}
quiet() {
	local before
	before=$(cat "$T/count.$1")
	sleep 1
	[ "$(cat "$T/count.$1")" = "$before" ]
}
# asks_in_vain CLIENT MODE BEFORE: what nobody has is looked for until the mirror was asked. A slow one never answers, and how long a
# client takes to come to it is for the machine to say: more patience each time.
asks_in_vain() {
	local seconds
	for seconds in 5 20 60; do
		limit="timeout $seconds" "$1_pull" none:1
		[ "$(cat "$T/count.$2")" -gt "$3" ] && return
	done
	return 1
}
beside_bad_mirrors() {
	local client=$1 mode before
	for mode in dead slow lying; do
		"${client}_mirror" "$mode"
		before=$(cat "$T/count.$mode")
		check "$client pulls with a $mode mirror" "${client}_pull" busybox:1.36
		check_equal "which is not asked" "$(cat "$T/count.$mode")" "$before"
		check "but is for what the cache has not" asks_in_vain "$client" "$mode" "$before"
		settled "$mode"
	done
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
registries_conf() { # MODE…
	local registry at mode
	echo 'unqualified-search-registries = ["docker.io"]'
	for registry in docker.io ghcr.io; do
		printf '[[registry]]\nlocation = "%s"\n' "$registry"
		for at in "$address" $(for mode; do echo "127.0.0.1:${port[$mode]}"; done); do
			printf '[[registry.mirror]]\nlocation = "%s/%s"\ninsecure = true\n' "$at" "$registry"
		done
	done
}
export CONTAINERS_REGISTRIES_CONF=$T/registries.conf
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$T/policy.json"
# shellcheck disable=SC2086
skopeo_copy() { $limit skopeo --registries-conf "$T/registries.conf" --policy "$T/policy.json" copy -q "$@"; }
skopeo_mirror() { registries_conf "$@" >"$T/registries.conf"; }
skopeo_pull() { rm -rf "$T/skopeo" && skopeo_copy "docker://docker.io/library/$1" "dir:$T/skopeo"; }
beside_bad_mirrors skopeo
skopeo_mirror dead slow lying
check "skopeo copies all platforms by digest" skopeo_copy --all "docker://docker.io/library/busybox@$busybox" "dir:$T/skopeo-all"
check_equal "and the index is the same" "sha256:$(sha256sum <"$T/skopeo-all/manifest.json" | cut -d' ' -f1)" "$busybox"
check "skopeo copies from the other registry" skopeo_copy docker://ghcr.io/acme/app:v1 "dir:$T/skopeo-app"
check "skopeo lists tags" skopeo list-tags --tls-verify=false "docker://$address/ghcr.io/acme/app"
check_output "and there is one" '"v1"'

podman_here() {
	# shellcheck disable=SC2086
	$limit podman --root "$T/podman" --runroot "$T/podman-run" --storage-driver vfs --cgroup-manager cgroupfs --runtime runc --events-backend none "$@"
}
cleanup podman_here rm --all --force
podman_mirror() { registries_conf "$@" >"$T/registries.conf"; }
podman_pull() { podman_here rmi --all --force && podman_here pull -q --signature-policy "$T/policy.json" "docker.io/library/$1"; }
beside_bad_mirrors podman
podman_mirror dead slow lying
check "podman pulls by short name" podman_here pull -q --signature-policy "$T/policy.json" busybox:1.36
check "podman pulls by digest" podman_here pull -q --signature-policy "$T/policy.json" "ghcr.io/acme/app@$app"
run podman_here run --rm --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network none --security-opt seccomp=unconfined --pull never docker.io/library/busybox:1.36
check_equal "podman runs it" "$(cat "$T/stdout")" "one"
[ "$status" = 0 ] || note "$(cat "$T/stderr")"

# containerd: hosts.toml, the cache first
hosts_toml() { # MODE…
	local at mode
	for at in "$url" $(for mode; do echo "http://127.0.0.1:${port[$mode]}"; done); do
		printf '[host."%s"]\n  capabilities = ["pull", "resolve"]\n' "$at"
	done
}
mkdir -p "$T/certs.d/_default"
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
# shellcheck disable=SC2086
ctr_here() { $limit ctr --address "$T/containerd.sock" "$@"; }
ctr_mirror() { hosts_toml "$@" >"$T/certs.d/_default/hosts.toml"; }
ctr_get() { ctr_here images pull --snapshotter native --hosts-dir "$T/certs.d" "$1"; }
ctr_pull() {
	ctr_here images rm --sync "docker.io/library/$1"
	ctr_get "docker.io/library/$1"
}
check "containerd starts" until_true 30 ctr_here version
beside_bad_mirrors ctr
ctr_mirror dead slow lying
check_equal "ctr has the digest of the index" "$(ctr_here images ls 'name==docker.io/library/busybox:1.36' | awk 'NR == 2 { print $3 }')" "$busybox"
check "ctr pulls from the other registry by digest" ctr_get "ghcr.io/acme/app@$app"

# The CRI by hand: gRPC is HTTP/2 with length-prefixed protobuf; strings here are below 128 bytes, so that each length is one byte.
byte() { printf '%b' "\\x$(printf %02x "$1")"; }
field() { byte $(($1 * 8 + 2)); byte ${#2}; printf %s "$2"; }
cri() { # SERVICE/METHOD MESSAGE-FILE
	local size
	size=$(stat -c %s "$2")
	{ byte 0; byte 0; byte 0; byte 0; byte "$size"; cat "$2"; } >"$T/grpc"
	# shellcheck disable=SC2086
	$limit curl -s --max-time 120 --http2-prior-knowledge --unix-socket "$T/containerd.sock" -H 'content-type: application/grpc' -H 'te: trailers' \
		--data-binary "@$T/grpc" -D "$T/grpc-head" -o "$T/grpc-body" "http://localhost/runtime.v1.$1"
	cat "$T/grpc-head"
	grep -q '^grpc-status: 0' "$T/grpc-head"
}
cri_get() { # REFERENCE
	field 1 "$1" >"$T/spec"
	{ byte 10; byte "$(stat -c %s "$T/spec")"; cat "$T/spec"; } >"$T/message"
	cri ImageService/PullImage "$T/message"
}
cri_mirror() { ctr_mirror "$@"; }
cri_pull() {
	ctr_here --namespace k8s.io images rm --sync "docker.io/library/$1"
	cri_get "docker.io/library/$1"
}
beside_bad_mirrors cri
cri_mirror dead slow lying
check "the CRI pulls from the other registry by digest" cri_get "ghcr.io/acme/app@$app"
check "and lists it" cri ImageService/ListImages /dev/null
check_equal "with both names" "$(grep -aoE 'docker.io/library/busybox:1.36|ghcr.io/acme/app@' "$T/grpc-body" | sort -u | wc -l)" 2

# Docker: registry-mirrors, for Docker Hub only; asked through its API, with its mirrors reloaded.
docker_api() {
	# shellcheck disable=SC2086
	$limit curl -s --max-time 120 --unix-socket "$T/docker/sock" "$@"
}
docker_mirror() {
	local mode before mirrors='"'$url'/"'
	for mode; do mirrors+=', "http://127.0.0.1:'${port[$mode]}'/"'; done
	printf '{"registry-mirrors": [%s]}\n' "$mirrors" >"$T/docker/daemon.json"
	before=$(grep -c 'Reloaded configuration' "$T/docker.log")
	kill -HUP "$docker_pid"
	until_true 20 sh -c "[ \$(grep -c 'Reloaded configuration' '$T/docker.log') -gt $before ]"
}
docker_pull() {
	docker_api -X DELETE "http://docker/images/busybox:1.36?force=1" >/dev/null
	docker_api -X POST "http://docker/images/create?fromImage=${1%%[:@]*}&tag=${1#*[:@]}" | tee "$T/docker.pull"
	grep -q 'Status: Downloaded newer image' "$T/docker.pull"
}
if command -v dockerd >/dev/null; then
	mkdir -p "$T/docker" && echo '{}' >"$T/docker/daemon.json"
	dockerd --data-root "$T/docker/data" --exec-root "$T/docker/exec" --pidfile "$T/docker/pid" --host "unix://$T/docker/sock" --config-file "$T/docker/daemon.json" \
		--storage-driver vfs --iptables=false --ip6tables=false --bridge none >"$T/docker.log" 2>&1 &
	docker_pid=$!
	cleanup 'kill $docker_pid; wait $docker_pid'
	check "dockerd starts" until_true 60 docker_api -f http://docker/_ping
	[ "$status" = 0 ] || note "$(tail -5 "$T/docker.log")"
	beside_bad_mirrors docker
	docker_mirror dead slow lying
	check "docker pulls by digest" docker_pull "busybox@$busybox"
	check_output "and has it" "Digest: $busybox"
else
	pass "docker # SKIP dockerd is not installed"
fi
check "nobody has asked a bad mirror for what the cache has" test "$(cat "$T"/count.* | tr '\n' ' ')" = "$(cat "$T"/expected.* | tr '\n' ' ')"

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
