#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job, shown: a machine with a blank disk and a dead network runs its container from the cache. Run by "./dev demo".
# The "machine" is a pair of namespaces on this one; its disks are image files on loop devices. Nothing else is touched.
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
export LARDER_BUILD=${LARDER_BUILD:-$here/../../build}
LARDER_BUILD=$(cd "$LARDER_BUILD" && pwd)
export PATH=$LARDER_BUILD/src/larder:$LARDER_BUILD/src/larderd:$LARDER_BUILD/tests:$PATH:/usr/sbin:/sbin LC_ALL=C
. "$here/../lib/images.sh"
. "$here/../lib/machine.sh"

title() { printf '\n== %s\n' "$*"; }
say() { printf '   %s\n' "$*"; }
quote() { sed 's/^/   | /'; }
die() {
	printf '\nThe demo failed: %s\n' "$*" >&2
	exit 1
}
[ "$(id -u)" = 0 ] || die "it mounts and attaches loop devices, so it needs root: sudo ./dev demo"

work=$(mktemp -d /var/tmp/larder-demo.XXXXXX)
export M=$work/machine
loops=()
clean_up() {
	local loop
	for loop in "${loops[@]+"${loops[@]}"}"; do losetup --detach "$loop" 2>/dev/null || true; done
	rm -rf --one-file-system "$work"
}
trap clean_up EXIT
mkdir -p "$M/etc/larder" "$M/log" "$work/medium"

title "1. Three small images, one cache layer, one medium"
busybox=docker.io/library/busybox:1.36
pause=registry.k8s.io/pause:3.10
greeter=ghcr.io/acme/greeter:2.0
digests=()
digests+=("$(make_image "$work/busybox" 1.36 "Hello from busybox.")")
digests+=("$(make_image "$work/pause" 3.10 "Nothing to see.")")
digests+=("$(make_image "$work/greeter" 2.0 "Hello from a container that no network brought." amd64 arm64)")
references=("$busybox" "$pause" "$greeter")
printf '%s\n' "$busybox=oci:$work/busybox:1.36" "$pause=oci:$work/pause:3.10" "$greeter=oci:$work/greeter:2.0" >"$work/images.txt"
quote <"$work/images.txt"
larder build --images "$work/images.txt" --platform all --name demo --version 1.0.0 --output "$work/medium/larder/000-demo-1.0.0.sqsh" 2>&1 | quote
truncate -s 64M "$work/medium.img"
mkfs.ext4 -q -L LARDER_1 -d "$work/medium" "$work/medium.img"
medium=$(losetup --find --show --read-only "$work/medium.img")
loops+=("$medium")
say "The medium is $medium, an ext4 image labelled LARDER_1, with:"
(cd "$work/medium" && find . -type f -printf '%8s %p\n') | quote

title "2. A blank disk of 2 GiB, and a machine config whose mirrors are all dead"
truncate -s 2G "$work/disk.img"
disk=$(losetup --find --show "$work/disk.img")
loops+=("$disk")
machine_config "$disk" "$medium" >"$M/etc/larder/machine.yaml"
quote <"$M/etc/larder/machine.yaml"
say "The disk is $disk, all zero. On port 2005 a listener accepts, counts and closes."

# What happens inside the machine: $1 is the number of the boot.
inside() {
	local start ready i digest out
	machine_start
	machine_dead_mirror
	start=$(date +%s%N)
	larder boot 2>&1 | quote
	machine_larderd
	curl -sf -o /dev/null -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
		"http://127.0.0.1:3172/v2/library/busybox/manifests/1.36?ns=docker.io" || die "the registry does not serve $busybox"
	ready=$((($(date +%s%N) - start) / 1000))
	echo "$ready" >"$M/ready-us.$1"
	say "From the start of \"larder boot\" to the first manifest served: $((ready / 1000)) ms."
	grep " /run/larder" /proc/self/mounts | cut -d' ' -f1-3 | quote
	quote </etc/containerd/certs.d/_default/hosts.toml

	if [ "$1" = 1 ]; then
		title "4. Copying the layer to the volume, then serving from there"
		larder layers sync 2>&1 | quote
		larder layers | quote
	fi

	title "$([ "$1" = 1 ] && echo 5 || echo 8). containerd pulls every image, by tag and by digest, and runs one"
	machine_containerd || die "containerd did not start: $(tail -5 "$M/log/containerd")"
	for i in "${!references[@]}"; do
		machine_pull "${references[i]}" >"$M/log/pull" 2>&1 || die "pull of ${references[i]}: $(tail -3 "$M/log/pull")"
		digest=$(ctr images ls "name==${references[i]}" | awk 'NR == 2 { print $3 }')
		[ "$digest" = "${digests[i]}" ] || die "${references[i]} is $digest, expected ${digests[i]}"
		machine_pull "${references[i]%:*}@${digests[i]}" >"$M/log/pull" 2>&1 || die "pull by digest of ${references[i]}: $(tail -3 "$M/log/pull")"
		say "pulled ${references[i]} by tag and by digest: $digest"
	done
	out=$(machine_container "$greeter") || die "the container did not run: $out"
	say "ctr run $greeter says: $out"
	[ "$out" = "Hello from a container that no network brought." ] || die "that is not what it should say"
	digest=$(machine_skopeo_digest "$greeter" "$work/skopeo") || die "skopeo could not copy $greeter"
	[ "$digest" = "${digests[2]}" ] || die "skopeo got $digest, expected ${digests[2]}"
	say "skopeo copied $greeter out, all platforms; its digest agrees."
	larder status >"$M/status.$1"
	larder layers --output json >"$M/layers.$1.json"
	kill "${machine_pids[-1]}" && wait "${machine_pids[-1]}" 2>/dev/null || true
	unset 'machine_pids[-1]'
	larder stop 2>&1 | quote
	! grep -q " /run/larder/" /proc/self/mounts || die "larder stop left mounts behind: $(grep ' /run/larder/' /proc/self/mounts)"
	machine_dead_connections >"$M/connections"
	machine_end
}

if [ "${1-}" = inside ]; then shift; fi
export -f inside title say quote die machine_start machine_end machine_daemon machine_wait machine_dead_mirror machine_dead_connections \
	machine_larderd machine_containerd machine_pull machine_container machine_skopeo_digest
machine() { # BOOT: in new namespaces; arrays do not travel through the environment, so they are declared anew
	unshare --mount --net --propagation private -- bash -eu -o pipefail -c "
		$(declare -p work references digests greeter busybox)
		machine_pids=()
		inside $1"
}

title "3. larder boot, with the medium in the drive"
machine 1 || die "the first boot did not go as it should"

title "6. The medium is taken away, the machine is rebooted"
losetup --detach "$medium"
before=$(table_hash "$disk")
# A reboot forgets partitions: this kernel is told of them anew, or reads the table itself.
losetup --detach "$disk"
disk_again=$(losetup --show "$disk" "$work/disk.img")
[ "$disk_again" = "$disk" ] || die "could not attach the same disk again"
say "The same disk, new namespaces, an empty container runtime, no medium."

title "7. larder boot, from the volume alone"
machine 2 || die "the second boot did not go as it should"
[ "$(table_hash "$disk")" = "$before" ] || die "the second boot wrote to the partition table"
say "The second boot wrote nothing to the partition table and copied nothing."

title "9. What larder says of itself at the end (larder status, before it was stopped)"
quote <"$M/status.2"
connections=$(cat "$M/connections")
say "from the start of larder boot to the first manifest served: $(($(cat "$M/ready-us.1") / 1000)) ms with a blank disk, $(($(cat "$M/ready-us.2") / 1000)) ms from the volume"
[ "$connections" = 0 ] || die "connections to the dead mirror: $connections"
echo
echo "connections to the dead mirror: $connections"
