#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Files that people really have, and what befalls them: whatever larder runtime configure makes of them, restore brings them back to the
# byte, and what cannot be added to stays as it is and is named.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires_root
requires jq python3 strace

R=$T/root
fresh() { # a root with every runtime, and the cache on
	rm -rf "$R"
	mkdir -p "$R/usr/bin" "$R/usr/local/bin" "$R/etc/larder"
	touch "$R/usr/bin/"{containerd,podman,dockerd} "$R/usr/local/bin/"{k3s,rke2}
	echo 'machine: {features: {imageCache: {localEnabled: true}}}' >"$R/etc/larder/machine.yaml"
}
# Everything below /etc but what larder keeps for itself, directories too: kind, mode, owner, link, content.
state() {
	(cd "$R" && find etc -path etc/larder -prune -o \( -type f -o -type l -o -type d \) -printf '%p %y %m %U:%G %l ' \
		-exec sh -c '[ -L "$1" ] || [ -d "$1" ] && echo || sha256sum <"$1"' - {} \; | sort)
}
report() { jq -r --arg n "$1" '.runtimes[] | select(.name == $n) | .state' "$T/stdout"; }
put() { mkdir -p "$(dirname "$R$1")" && cat >"$R$1"; }

# round NAME RUNTIME STATE: configure, again, restore.
round() {
	local before after
	before=$(state)
	run larder runtime configure --root "$R" --output json
	check_equal "$1: configure" "$(report "$2")" "$3"
	after=$(state)
	run larder runtime configure --root "$R" --output json
	check_equal "$1: again, not one byte differs" "$(state)" "$after"
	run larder runtime restore --root "$R"
	check_equal "$1: restore is exact" "$(state)" "$before"
	check_equal "$1: nothing is kept of it" "$(find "$R/etc/larder/runtime" -type f 2>/dev/null)" ""
}
hosts=/etc/containerd/certs.d/quay.io/hosts.toml

fresh
printf '\xef\xbb\xbf[host."https://a"]\n' | put $hosts
round "a byte order mark" containerd failed
printf '# caf\xe9\n[host."https://a"]\n' | put $hosts
round "a comment in Latin-1" containerd changed
run larder runtime configure --root "$R" --dry-run --output json
check_equal "and its diff is JSON" "$(jq -r .dry_run "$T/stdout")" true
printf 'server = "https://quay.io"\r\n\r\n[host."https://a"]\r\n  capabilities = [\r\n    "pull", # x\r\n    "resolve"\r\n  ]\r\n' | put $hosts
round "CRLF and an array over lines" containerd changed
printf 'host."https://a".capabilities = ["pull"]\n' | put $hosts
round "dotted keys" containerd failed
check_equal "hosts.toml with dotted keys is named, with the line" \
	"$(larder runtime configure --root "$R" | grep -c "quay.io/hosts.toml: line 1: hosts are set without")" 1
larder runtime restore --root "$R" >/dev/null
printf '[host]\n"https://a" = { capabilities = ["pull"] }\n' | put $hosts
round "an inline table" containerd changed
printf 'not toml at all' | put $hosts
round "no TOML" containerd failed
printf '[host."https://a"]' | put $hosts
chown 12:34 "$R$hosts" && chmod 600 "$R$hosts"
round "no newline at the end, mode 0600 and a strange owner" containerd changed
larder runtime configure --root "$R" >/dev/null
check_equal "which it keeps while it is configured" "$(stat -c '%a %u:%g' "$R$hosts")" "600 12:34"
printf '[plugins\n' | put /etc/containerd/config.toml
check_status 1 "a config.toml that breaks later" larder runtime configure --root "$R"
check_status 1 "and where containerd looks cannot be told" larder runtime status --root "$R" docker.io/a/b
check_equal "takes no setting away" "$(grep -c 3172 "$R$hosts")" 1
rm "$R/etc/containerd/config.toml"
rm "$R$hosts" && ln -s /etc/elsewhere.toml "$R$hosts" && printf '[host."https://b"]\n' | put /etc/elsewhere.toml
check "restore where a link took the place of a file" larder runtime restore --root "$R"
check_output "leaves the link and says so" "quay.io/hosts.toml: this is a symbolic link; larder replaces only files; it is left"
check_equal "and restores the rest" "$(grep -rl 3172 "$R/etc" --exclude-dir=larder)" ""
check_equal "the link is there" "$(readlink "$R$hosts")" /etc/elsewhere.toml
rm -r "$R/etc/larder/runtime"
round "a symbolic link" containerd failed
check "is followed where larder only reads" larder runtime status --root "$R" quay.io/a/b
check_output "as containerd does" '1\. https://b$'
rm "$R$hosts" && mkdir "$R$hosts"
round "a directory in the place of the file" containerd failed
rm -r "$R/etc/containerd" && mkfifo "$R/etc/containerd-fifo" && mkdir -p "$(dirname "$R$hosts")" && mv "$R/etc/containerd-fifo" "$R$hosts"
check_status 1 "a FIFO does not hang it" timeout 20 larder runtime configure --root "$R"
check_output "and is named, with what to do" "no regular file: put a file in its place, then run \"larder runtime configure\""
rm "$R$hosts" && ln -s /etc/elsewhere.toml "$R$hosts"
check_status 1 "a link" larder runtime configure --root "$R"
check_output "is named, with what to do" "quay.io/hosts.toml: this is a symbolic link; larder replaces only files: put a copy of what it leads to as a file in its place, then run"
check_equal "a configure that fails leaves nothing of its own" "$(larder runtime restore --root "$R" >/dev/null; find "$R/etc/larder" -mindepth 1)" "$R/etc/larder/machine.yaml"

fresh
config=/etc/containerd/config.toml
printf 'version = 2\n# mine\n[plugins."io.containerd.grpc.v1.cri".registry]\n   config_path = ""   # nothing\n' | put $config
round "containerd 1.x: an empty config_path" containerd changed
printf 'version = 3\nplugins."io.containerd.cri.v1.images".registry.config_path = "/etc/containerd/certs.d"\n' | put $config
round "containerd 2.x: set by dotted keys" containerd changed
printf 'version = 2\n[plugins]\n"io.containerd.grpc.v1.cri" = { registry = { config_path = "/srv/certs" } }\n' | put $config
round "an inline table of the whole plugin" containerd changed
check_equal "config.toml stays, and it is explained" "$(larder runtime configure --root "$R" | grep -c 'was left as it is, because registry is set in a way that takes no more lines')" 1
larder runtime restore --root "$R" >/dev/null
printf 'version = 2\nplugins."io.containerd.grpc.v1.cri".registry.config_path = ""\n' | put $config
round "an empty config_path by dotted keys" containerd changed
larder runtime configure --root "$R" >/dev/null
check_equal "is set by the same key" "$(grep -v '^#' "$R$config")" $'version = 2\nplugins."io.containerd.grpc.v1.cri".registry.config_path = "/etc/containerd/certs.d"'
larder runtime restore --root "$R" >/dev/null
printf '[plugins.cri]\nregistry.headers.X = ["y"]\n' | put $config
round "a registry of dotted keys" containerd changed
check_equal "config.toml is not broken by a second table" "$(larder runtime configure --root "$R" | grep -c 'takes no more lines')" 1
larder runtime restore --root "$R" >/dev/null
printf 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\n endpoint = ["https://m"]\n' | put $config
round "registry.mirrors of old" containerd changed
check_equal "config.toml stays, and it is explained" "$(larder runtime configure --root "$R" | grep -c 'was left as it is, because it sets registry.mirrors')" 1

fresh
daemon=/etc/docker/daemon.json
printf '{"log-driver":"json-file",\n "registry-mirrors" : [ "https://m" ],\n\t"mtu": 1450}' | put $daemon
chmod 640 "$R$daemon"
round "daemon.json as people write it" docker changed
printf '' | put $daemon
round "an empty daemon.json" docker changed
printf '{"a": 1, "a": 2}' | put $daemon
round "a key twice" docker failed
printf '// mine\n{}' | put $daemon
round "comments in JSON" docker failed
run larder runtime configure --root "$R"
check_output "say what to do" "$daemon:.*this is not JSON: .*; mend it, then run \"larder runtime configure\""
larder runtime restore --root "$R" >"$T/out"
printf '{"x": "caf\xe9"}' | put $daemon
round "JSON that is no UTF-8" docker failed
printf '{"registry-mirrors": "https://m"}' | put $daemon
round "mirrors that are no list" docker failed

fresh
for k in k3s rke2; do
	yaml=/etc/rancher/$k/registries.yaml
	printf '# mine\r\nmirrors:\r\n  docker.io:\r\n    endpoint:\r\n      - "https://m"\r\n' | put $yaml
	round "$k: CRLF" $k changed
	printf 'mirrors: {docker.io: {endpoint: ["https://m"]}, "*": {}}\nconfigs:\n  m:\n    auth: {username: u, password: p}\n' | put $yaml
	chmod 600 "$R$yaml"
	round "$k: flow style" $k changed
	printf 'mirrors:\n  docker.io: &m\n    endpoint: ["https://m"]\n  ghcr.io: *m\n' | put $yaml
	round "$k: aliases" $k changed
	printf 'mirrors:\n  docker.io:\n  registry.k8s.io: # mine\n' | put $yaml
	round "$k: registries named for the embedded mirror" $k changed
	printf 'mirrors:\nconfigs:' | put $yaml
	round "$k: sections that hold nothing" $k changed
	printf 'mirrors: [a]\n' | put $yaml
	round "$k: a list where a map must be" $k failed
	printf 'a: [\n' | put $yaml
	round "$k: no YAML" $k failed
	printf '' | put $yaml
	round "$k: empty" $k changed
	rm "$R$yaml"
done

# registries.conf behind a link (as on image-based systems) still counts for podman, so larder's own table must repeat it.
fresh
mkdir -p "$R/etc/containers/registries.conf.d" "$R/usr/share"
printf '[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "mine.example"\n' >"$R/usr/share/mine.conf"
ln -s /usr/share/mine.conf "$R/etc/containers/registries.conf.d/50-mine.conf"
larder runtime configure --root "$R" >/dev/null
check "status for podman" larder runtime status --root "$R" docker.io/library/x --output json
check_equal "a drop-in that is a link is merged" "$(jq -r '.runtimes[] | select(.name == "podman and CRI-O").endpoints | join(" ")' "$T/stdout")" \
	"127.0.0.1:3172/docker.io/library/x mine.example/library/x docker.io/library/x"

# A registry with TLS settings and no mirror still gets the cache first, from every runtime, and keeps its settings.
fresh
cat >>"$R/etc/larder/machine.yaml" <<'YAML'
---
apiVersion: v1alpha1
kind: RegistryTLSConfig
name: tls.example
insecureSkipVerify: true
---
apiVersion: v1alpha1
kind: RegistryAuthConfig
name: auth.example
username: u
password: secret-word
YAML
check "configure with TLS and auth alone" larder runtime configure --root "$R"
check_no_output "no secret is printed" secret-word
for host in tls.example auth.example other.example; do
	run larder runtime status --root "$R" "$host/a" --output json
	check_equal "$host: the cache is first for all but podman's unknown ones" \
		"$(jq -r '.runtimes[] | select(.cache_first | not) | .name' "$T/stdout")" \
		"$([ $host = other.example ] && echo "podman and CRI-O")"
done
check_equal "TLS is not verified there" "$(grep -c 'skip_verify = true' "$R/etc/containerd/certs.d/tls.example/hosts.toml")" 1
check_equal "the file with a secret is closed" "$(stat -c %a "$R/etc/containerd/certs.d/auth.example/hosts.toml" "$R/etc/rancher/k3s/registries.yaml" | xargs)" "600 600"
run larder runtime configure --root "$R" --dry-run
check_no_output "nor in a diff" secret-word

# What is edited after configure: the edits stay, larder's part goes.
fresh
printf '[host."https://a"]\n' | put $hosts
printf '{"mtu": 1450}\n' | put $daemon
printf 'mirrors:\n  docker.io:\n    endpoint:\n      - "https://m"\n' | put /etc/rancher/k3s/registries.yaml
larder runtime configure --root "$R" >/dev/null
echo '# edited' >>"$R$hosts"
echo '# edited' >>"$R/etc/rancher/k3s/registries.yaml"
sed -i 's/1450/1400/' "$R$daemon"
rm "$R/etc/containerd/config.toml"
check "restore after edits" larder runtime restore --root "$R"
check_output "names what was changed" "quay.io/hosts.toml was changed after larder wrote it, so only larder's part was taken out; what it was before is in /etc/larder/runtime/original"
check_equal "hosts.toml: the edit stays" "$(cat "$R$hosts")" $'[host."https://a"]\n# edited'
check_equal "daemon.json: the edit stays" "$(jq -c . "$R$daemon")" '{"mtu":1400}'
check_equal "registries.yaml: the edit stays" "$(cat "$R/etc/rancher/k3s/registries.yaml")" $'mirrors:\n  docker.io:\n    endpoint:\n      - "https://m"\n# edited'
check_equal "nothing points at the cache" "$(grep -rl 3172 "$R/etc" --exclude-dir=larder)" ""
check_equal "what was removed stays removed" "$(ls "$R/etc/containerd/config.toml" 2>/dev/null)" ""
check "restore again" larder runtime restore --root "$R"
check_output "has nothing to do" "nothing to do"

# A power cut at every moment of a configure with another config than before: the run is ended at the Nth rename, then tried anew, then
# restored, and everything is what it was.
fresh
printf 'server = "https://quay.io"\n[host."https://a"]' | put $hosts
printf '{"mtu":1450,  "registry-mirrors":["https://m"]}' | put $daemon
printf 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n config_path = "" # x\n' | put $config
before=$(state)
cp -a "$R" "$T/pristine"
mirror=$'---\napiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: quay.io\nendpoints: [{url: "https://m2"}]\n---\napiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: docker.io\nendpoints: [{url: "https://m3"}]\n'
moments=0 bad=
for n in $(seq 1 2 45); do
	for what in first second restore; do
		rm -rf "$R" && cp -a "$T/pristine" "$R"
		[ $what = first ] || larder runtime configure --root "$R" >/dev/null
		[ $what != second ] || printf '%s' "$mirror" >>"$R/etc/larder/machine.yaml"
		command=configure && [ $what != restore ] || command=restore
		{ strace -f -o /dev/null -e trace=rename,renameat,renameat2,unlinkat -e inject=rename,renameat,renameat2,unlinkat:signal=KILL:when=$n \
			larder runtime $command --root "$R" || moments=$((moments + 1)); } >/dev/null 2>&1
		[ $what != second ] || { [ $((n % 4)) = 1 ] || larder runtime configure --root "$R" >/dev/null; }
		larder runtime restore --root "$R" >/dev/null
		[ "$(state)" = "$before" ] || bad+="$what at $n; "
		left=$(find "$R/etc/larder/runtime" -type f 2>/dev/null)
		[ -z "$left" ] || bad+="$what at $n leaves $left; "
	done
done
note "$moments moments"
[ $moments -gt 30 ]
status=0 verdict $? "the run was really ended at many moments"
check_equal "after each, restore is exact" "$bad" ""

# The same at each directory that is made and each name that goes: no empty directory is left, neither among the user's files nor in larder's
# own, and one that a link there leads to is none of larder's.
fresh
printf '{"mtu": 1450}' | put $daemon
before=$(cd "$R" && find etc | sort)
cp -a "$R" "$T/blank"
killed=0 bad=
for command in configure restore; do
	[ $command = configure ] || larder runtime configure --root "$R" >/dev/null
	rm -rf "$T/unended" && cp -a "$R" "$T/unended"
	for n in $(seq 1 100); do
		rm -rf "$R" && cp -a "$T/unended" "$R"
		{ ASAN_OPTIONS=detect_leaks=0 strace -f -o /dev/null -e trace=mkdirat,renameat,unlinkat -e inject=mkdirat,renameat,unlinkat:signal=KILL:when=$n \
			larder runtime $command --root "$R" && break; } >/dev/null 2>&1
		killed=$((killed + 1))
		larder runtime restore --root "$R" >/dev/null
		[ "$(cd "$R" && find etc | sort)" = "$before" ] || bad+=" $command at $n;"
	done
	rm -rf "$R" && cp -a "$T/blank" "$R"
done
note "$killed moments"
[ $killed -gt 60 ] && [ $n -lt 100 ]
verdict $? "the runs were ended at every step"
check_equal "no empty directory is left after any" "$bad" ""
mkdir -p "$R/etc/larder/runtime/original" "$R/srv/empty"
ln -s /srv "$R/etc/larder/runtime/original/srv"
larder runtime restore --root "$R" >/dev/null
check "a directory behind a link stays" [ -d "$R/srv/empty" ]

# What a power cut needs, as the kernel is told: each content before its name (f n), what restore needs (r) before what is to come (r), that before the first file (w), all
# files before what was to come becomes what was written (d).
fresh
printf '{"mtu": 1450}' | put $daemon
strace -f -y -e trace=fsync,syncfs,renameat,renameat2 -o "$T/trace" larder runtime configure --root "$R" >"$T/out"
order=$(awk '/fsync\(/ { printf "f"; next } /syncfs\(/ { printf "s"; next } /"\..*\.tmp", / { printf /larder\/runtime/ ? "r" : "w"; next } /renameat/ { printf "d" }' "$T/trace")
[[ $order =~ ^(fr)+s(fr)+s(fw)+sd+$ ]]
verdict $? "the disk is told in which order ($order)"
check_equal "once for all files, and once for each content" "$(tr -cd 's' <<<"$order")" sss
larder runtime restore --root "$R" >"$T/out"

# A run that wrote everything and noted nothing; the next one fails.
fresh
rm "$R/usr/bin/containerd" "$R/usr/bin/podman" "$R/usr/local/bin/"*
printf '{"mtu": 1450}' | put $daemon
before=$(state)
strace -f -o /dev/null -e trace=syncfs -e inject=syncfs:signal=SIGKILL:when=3 larder runtime configure --root "$R" >"$T/out" 2>&1
check_equal "everything is written when it is killed" "$(grep -c 3172 "$R$daemon")" 1
mount --bind "$R/etc/docker" "$R/etc/docker"
mount -o remount,bind,ro "$R/etc/docker"
run larder runtime configure --root "$R" --output json
umount "$R/etc/docker"
check_equal "the next run fails" "$(report docker)" failed
larder runtime restore --root "$R" >"$T/out"
check_equal "restore brings back the user's file" "$(state)" "$before"

# Where larder notes what it changes nothing can be written: that place is named, and the file stays.
fresh
printf '{"mtu": 1450}' | put $daemon
before=$(state)
mount --bind "$R/etc/larder" "$R/etc/larder"
mount -o remount,bind,ro "$R/etc/larder"
run larder runtime configure --root "$R" --output json
umount "$R/etc/larder"
check_equal "a read-only /etc/larder is named" "$(jq -r '.runtimes[] | select(.state == "failed") | .detail' "$T/stdout" | sort -u)" \
	"/etc/larder/runtime/directories: cannot write: Read-only file system; larder notes there what it changes"
check_equal "no file is changed then" "$(state)" "$before"

# The first note cannot be written: the directory that was made for it goes.
fresh
ASAN_OPTIONS=detect_leaks=0 strace -f -o /dev/null -e trace=fsync -e inject=fsync:error=ENOSPC larder runtime configure --root "$R" >"$T/out" 2>&1
check_equal "no empty directory is left" "$(find "$R/etc/larder" -mindepth 1)" "$R/etc/larder/machine.yaml"

# A runtime's first file is written anew, its second cannot be, and the first is taken back; the run is killed at each flush of that.
fresh
rm "$R/usr/bin/containerd" "$R/usr/bin/podman" "$R/usr/local/bin/"*
printf '{"mtu": 1450}' | put $daemon
before=$(state)
larder runtime configure --root "$R" >"$T/out"
printf -- '---\napiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: "*"\nendpoints: [{url: "https://m4"}]\n%s' "$mirror" >>"$R/etc/larder/machine.yaml"
cp -a "$R" "$T/first"
killed=0 bad=
for n in $(seq 1 12); do
	rm -rf --one-file-system "$R" && cp -a "$T/first" "$R"
	mount --bind "$R/etc/docker/certs.d" "$R/etc/docker/certs.d"
	mount -o remount,bind,ro "$R/etc/docker/certs.d"
	{ strace -f -o /dev/null -e trace=syncfs -e inject=syncfs:signal=KILL:when=$n larder runtime configure --root "$R" --output json; } >"$T/stdout" 2>/dev/null || killed=$n
	umount "$R/etc/docker/certs.d"
	[ $((n % 2)) = 1 ] || larder runtime configure --root "$R" >"$T/out"
	larder runtime restore --root "$R" >"$T/out"
	[ "$(state)" = "$before" ] || bad+=" $n"
done
check_equal "its second file could not be written" "$(report docker)" failed
[ "$killed" -gt 5 ]
verdict $? "it was killed while it took the first one back, too ($killed flushes)"
check_equal "after each, restore is exact" "$bad" ""

# A disk that cannot be flushed fails the runtime whose files are on it, and no other.
fresh
mkdir -p "$R/etc/docker"
mount -t tmpfs tmpfs "$R/etc/docker"
printf '{"mtu": 1450}' | put $daemon
before=$(state)
strace -f -o "$T/trace" -P "$R/etc/docker" -P "$R/etc/docker/certs.d/_default" -e trace=syncfs -e inject=syncfs:error=EIO \
	larder runtime configure --root "$R" --output json >"$T/stdout"
check_equal "docker fails" "$(report docker)" failed
check_equal "containerd does not" "$(report containerd)" changed
check_equal "docker's file is what it was" "$(cat "$R$daemon")" '{"mtu": 1450}'
larder runtime restore --root "$R" >"$T/out"
check_equal "restore is exact" "$(state)" "$before"
umount "$R/etc/docker"

# Where there is nothing to write, nothing is written.
fresh
rm "$R/usr/bin/"* "$R/usr/local/bin/"*
ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=renameat,renameat2,mkdirat,syncfs,fsync -o "$T/trace" larder runtime configure --root "$R" >"$T/out"
verdict $? "a machine without a runtime"
check_equal "no runtime, no write" "$(grep -c "(" "$T/trace")" 0

# Two at once: one waits for the other, and restore brings back everything.
fresh
printf '{"mtu": 1450}' | put /etc/docker/daemon.json
printf 'mirrors: {a: {endpoint: ["https://m"]}}\n' | put /etc/rancher/k3s/registries.yaml
printf '[host."https://a"]\n' | put $hosts
before=$(state)
lost=0
for _ in $(seq 20); do
	larder runtime configure --root "$R" >"$T/one" 2>&1 &
	one=$!
	larder runtime configure --root "$R" >"$T/two" 2>&1 || lost=1
	wait $one || lost=1
	larder runtime restore --root "$R" >"$T/three" 2>&1 || lost=1
	[ "$(state)" = "$before" ] || lost=1
done
[ $lost = 0 ]
verdict $? "two that configure at once both end well, 20 times, and nothing of the user's is lost"
exec 8<"$R" && flock 8
larder runtime configure --root "$R" --dry-run >"$T/dry"
check_equal "a dry run waits for nobody" "$(grep -c 3172 "$T/dry" | sed 's/[1-9].*/some/')" some
larder runtime configure --root "$R" >"$T/one" 2>&1 8<&- &
one=$!
sleep 1
check "who writes waits" kill -0 $one
exec 8<&-
wait $one
verdict $? "until it is its turn"
larder runtime restore --root "$R" >/dev/null
check_equal "restore leaves no directory of larder's own" "$(find "$R/etc/larder" -mindepth 1)" "$R/etc/larder/machine.yaml"

# A disk that is full at any moment: what could not be written leaves nothing, and restore brings back the rest.
fresh
printf '{"mtu": 1450}' | put /etc/docker/daemon.json
mkdir -p "$R/etc/containerd"
before=$(state)
mkdir "$T/full"
bad=
for size in $(seq 40 4 120); do
	mount -t tmpfs -o "size=${size}k" tmpfs "$T/full"
	cp -a "$R/." "$T/full/" 2>/dev/null && {
		whole=$R R=$T/full
		larder runtime configure --root "$R" >"$T/one" 2>&1
		[ $((size % 8)) = 0 ] || larder runtime configure --root "$R" >"$T/one" 2>&1
		larder runtime restore --root "$R" >"$T/two" 2>&1
		[ "$(state)" = "$before" ] || bad="$bad $size"
		R=$whole
	}
	umount "$T/full"
done
check_equal "sizes of a full disk at which restore does not bring everything back" "$bad" ""
bad=
for inodes in $(seq 32 3 92); do
	mount -t tmpfs -o "nr_inodes=$inodes" tmpfs "$T/full"
	cp -a "$R/." "$T/full/" 2>/dev/null && {
		whole=$R R=$T/full
		larder runtime configure --root "$R" >"$T/one" 2>&1
		larder runtime configure --root "$R" >"$T/one" 2>&1
		larder runtime restore --root "$R" >"$T/two" 2>&1
		[ "$(state)" = "$before" ] || bad="$bad $inodes"
		R=$whole
	}
	umount "$T/full"
done
check_equal "numbers of inodes, too, with two runs" "$bad" ""
# A machine config that is a link to nothing is no wish to have the cache off.
fresh
larder runtime configure --root "$R" >/dev/null
before=$(state)
ln -sf /usr/share/gone.yaml "$R/etc/larder/machine.yaml"
check_status 2 "a machine config that leads nowhere" larder runtime configure --root "$R"
check_output "is named" "etc/larder/machine.yaml: this symbolic link leads to /usr/share/gone.yaml, and nothing is there"
check_equal "and the runtimes stay as they are" "$(state)" "$before"
mkdir -p "$R/usr/share"
echo 'machine: {features: {imageCache: {localEnabled: true}}}' >"$R/usr/share/gone.yaml"
check "once it is there, the link counts" larder runtime configure --root "$R"
check_equal "and nothing differs" "$(state)" "$before"

# A directory that cannot be read to its end is not a shorter one.
fresh
printf '{"mtu": 1450}' | put $daemon
before=$(cd "$R" && find etc | sort)
cp -a "$R" "$T/unread"
unread() { ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -e trace=getdents64 -e inject=getdents64:error=EIO:when="$1"+ larder "${@:2}" --root "$R"; }
bad=
for n in $(seq 1 40); do
	rm -rf "$R" && cp -a "$T/unread" "$R"
	unread "$n" runtime configure >"$T/one" 2>&1
	unread "$n" runtime restore >"$T/two" 2>&1
	larder runtime configure --root "$R" >/dev/null
	larder runtime restore --root "$R" >/dev/null
	[ "$(cd "$R" && find etc | sort)" = "$before" ] || bad+=" $n"
done
check_equal "nothing is left after any such run" "$bad" ""
bad=
for n in $(seq 5 20); do
	rm -rf "$R" && cp -a "$T/unread" "$R"
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -e trace=fsync -e inject=fsync:error=ENOSPC:when="$n"+ larder runtime configure --root "$R" >"$T/one" 2>&1
	larder runtime restore --root "$R" >/dev/null
	[ "$(cd "$R" && find etc | sort)" = "$before" ] || bad+=" $n"
done
check_equal "nor after one whose disk takes nothing from some moment on" "$bad" ""
mkdir -p "$R/etc/larder/machine.yaml.d"
check_status 1 "nor is a machine config without what could not be read" unread 1 config check
check_output "and it is named" "etc/larder/machine.yaml.d: cannot read the directory: Input/output error"

# Whoever runs containers without root reads these settings, whatever root's umask is.
fresh
check "configure with umask 077" bash -c "umask 077; exec larder runtime configure --root '$R'"
check_equal "makes no directory that others cannot enter" "$(find "$R/etc" -type d ! -perm 755 -printf '%P %m\n')" ""
check_equal "and no file that they cannot read" "$(find "$R/etc" -type f ! -perm 644 -printf '%P %m\n')" ""
done_testing
