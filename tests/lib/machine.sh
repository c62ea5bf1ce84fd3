# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# A machine made of namespaces: private mounts and network, an /etc that survives its reboots, an empty /run and an empty
# container runtime at each start. For the demo and for tests; the caller has $M, the machine's directory:
#
#	$M/etc            what this machine changed in /etc
#	$M/dead-mirror    connections that the dead mirror on port 2005 got, since the machine was made
#	$M/log/           what its daemons said
#
# machine_run SCRIPT [ARG…] runs a script inside; the rest is called there.

machine_run() {
	unshare --mount --net --propagation private -- bash "$@"
}

declare -A machine_daemons=()
machine_start() { # inside, first
	mkdir -p "$M"/{etc,etc.work,log}
	ip link set lo up
	mount -t tmpfs -o mode=755 tmpfs /run
	mount -t overlay overlay -o "lowerdir=/etc,upperdir=$M/etc,workdir=$M/etc.work" /etc
	mkdir -p /etc/containerd /etc/larder /var/lib/containerd
	mount -t tmpfs tmpfs /var/lib/containerd
	[ -e /etc/containerd/config.toml ] || cat >/etc/containerd/config.toml <<-'TOML'
		version = 2
		[plugins."io.containerd.grpc.v1.cri".registry]
		  config_path = "/etc/containerd/certs.d"
	TOML
	trap machine_end EXIT
}

# machine_daemon NAME CMD…: in the background, its words in $M/log/NAME, ended with the machine.
machine_daemon() {
	local name=$1
	shift
	"$@" >>"$M/log/$name" 2>&1 </dev/null &
	machine_daemons[$name]=$!
}
machine_daemon_stop() { # NAME
	local pid=${machine_daemons[$1]}
	unset "machine_daemons[$1]"
	if kill "$pid" 2>/dev/null; then wait "$pid" 2>/dev/null || true; fi
}
machine_end() {
	local name
	for name in "${!machine_daemons[@]}"; do machine_daemon_stop "$name"; done
}

machine_wait() { # SECONDS CMD…
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}

# The mirror that everything points to and that nothing must ask. Its count goes on over reboots.
machine_dead_mirror() {
	if [ -e "$M/dead-mirror" ]; then cat "$M/dead-mirror" >>"$M/dead-mirror.before" && rm "$M/dead-mirror"; fi
	machine_daemon dead-mirror dead-mirror 2005 "$M/dead-mirror"
	machine_wait 10 test -e "$M/dead-mirror"
}
machine_dead_connections() { cat "$M"/dead-mirror* | awk '{ n += $1 } END { print n }'; }

# larderd as systemd starts it: the socket is bound before, the daemon gets it at the first connection.
machine_larderd() {
	machine_daemon larderd systemd-socket-activate --listen=127.0.0.1:3172 "$(command -v larderd)"
	machine_wait 10 sh -c "ss -Hltn 'sport = :3172' | grep -q ."
}

machine_containerd() {
	machine_daemon containerd containerd
	machine_wait 30 ctr version
}

# machine_pull REFERENCE: through certs.d, as the runtime's own pull does it; what is not needed by this platform is not fetched.
machine_pull() { ctr images pull --hosts-dir /etc/containerd/certs.d "$@"; }

# machine_container REFERENCE: runs its command, prints what it says.
machine_container() { ctr run --rm "$1" "larder-$RANDOM$RANDOM"; }

# machine_skopeo_digest REFERENCE DIRECTORY: copies the image out of the registry, every platform; prints the digest of what was copied.
machine_skopeo_digest() {
	rm -rf "$2"
	skopeo copy --quiet --all --preserve-digests --src-tls-verify=false "docker://127.0.0.1:3172/$1" "dir:$2" >&2 &&
		echo "sha256:$(sha256sum <"$2/manifest.json" | cut -d' ' -f1)"
}

# unique_size GIB: about that many GiB, in bytes; a size that no other disk here has. Loop devices have no serial number and change
# their names when they are attached again: their size is what selectors find them by.
unique_size() { echo $((($1 << 30) + (RANDOM * 32768 + RANDOM + 1) * 4096 % (512 << 20))); }

# machine_config DISK_SIZE MEDIUM_SIZE: a machine config that uses the disk, trusts the medium, and knows only dead mirrors.
machine_config() {
	cat <<-YAML
		version: v1alpha1
		machine:
		  features:
		    imageCache:
		      localEnabled: true
		  registries:
		    mirrors:
		      "*": {endpoints: ["http://127.0.0.1:2005"]}
		      docker.io: {endpoints: ["http://127.0.0.1:2005"]}
		      registry.k8s.io: {endpoints: ["http://127.0.0.1:2005"]}
		---
		apiVersion: v1alpha1
		kind: VolumeConfig
		name: IMAGECACHE
		provisioning:
		  diskSelector:
		    match: disk.size == ${1}u && disk.transport == "" && !disk.readonly && !system_disk
		  minSize: 500MiB
		  maxSize: 1GiB
		---
		apiVersion: larder/v1alpha1
		kind: CacheMediaConfig
		match: volume.label.startsWith("LARDER_") && volume.size == ${2}u
	YAML
}

# only_disks DEVICE…: in this mount namespace no other block device is listed. For tests with selectors that match everything: they
# must never see a disk that is not theirs.
only_disks() {
	local directory device name links
	for directory in /sys/block /sys/class/block; do
		links=()
		for device; do
			name=${device#/dev/}
			links+=("$name=$(readlink "$directory/$name")")
		done
		mount -t tmpfs tmpfs "$directory"
		for name in "${links[@]}"; do ln -s "${name#*=}" "$directory/${name%%=*}"; done
	done
}
