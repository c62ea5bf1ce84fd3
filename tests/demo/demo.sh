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
. "$here/../lib/disks.sh"

. "$here/words.sh"
[ "$(id -u)" = 0 ] || die "it mounts and attaches loop devices, so it needs root: sudo ./dev demo"

work=$(mktemp -d /var/tmp/larder-demo.XXXXXX)
export M=$work/machine
loops=()
clean_up() {
	local loop
	for loop in "${loops[@]+"${loops[@]}"}"; do disk_detach "$loop" 2>/dev/null || true; done
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
medium_size=$(($(unique_size 1) / 16 / 4096 * 4096))
truncate -s $medium_size "$work/medium.img"
mkfs.ext4 -q -L LARDER_1 -d "$work/medium" "$work/medium.img"
medium=$(losetup --find --show --read-only "$work/medium.img")
loops+=("$medium")
say "The medium is $medium, an ext4 image labelled LARDER_1, with:"
(cd "$work/medium" && find . -type f -printf '%8s %p\n') | quote

title "2. A blank disk of 2 GiB, and a machine config whose mirrors are all dead"
disk_size=$(unique_size 2)
truncate -s $disk_size "$work/disk.img"
disk=$(losetup --find --show "$work/disk.img")
loops+=("$disk")
disk_forget "$disk" # partitions that an earlier user of the loop device left
machine_config $disk_size $medium_size >"$M/etc/larder/machine.yaml"
quote <"$M/etc/larder/machine.yaml"
say "The disk is $disk, all zero. On port 2005 a listener accepts, counts and closes."

declare -p work references digests greeter busybox >"$M/facts"

title "3. larder boot, with the medium in the drive"
machine_run "$here/inside.sh" 1 || die "the first boot did not go as it should"

title "6. The medium is taken away, the machine is rebooted"
losetup --detach "$medium"
before=$(table_bytes "$disk")
disk_detach "$disk" # a reboot forgets partitions, too
disk=$(losetup --find --show "$work/disk.img")
loops+=("$disk")
disk_forget "$disk" # partitions that an earlier user of the loop device left
say "The same disk, new namespaces, an empty container runtime, no medium."

title "7. larder boot, from the volume alone"
machine_run "$here/inside.sh" 2 || die "the second boot did not go as it should"
[ "$(table_bytes "$disk")" = "$before" ] || die "the second boot wrote to the partition table"
cmp "$M/copies.1" "$M/copies.2" || die "the second boot copied something"
say "The second boot wrote nothing to the partition table and copied nothing."

title "9. What larder says of itself at the end (larder status, before it was stopped)"
quote <"$M/status.2"
connections=$(cat "$M/connections")
say "from the start of larder boot to the first manifest served: $(($(cat "$M/ready-us.1") / 1000)) ms with a blank disk, $(($(cat "$M/ready-us.2") / 1000)) ms from the volume"
[ "$connections" = 0 ] || die "connections to the dead mirror: $connections"
echo
echo "connections to the dead mirror: $connections"
