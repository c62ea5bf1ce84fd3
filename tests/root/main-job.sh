#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job as a test: blank disk, medium, dead mirrors; boot, sync, pull and run by containerd; again from the volume alone.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/machine.sh"
. "$LARDER_SOURCE/tests/lib/disks.sh"
requires_root
requires busybox containerd ctr runc skopeo systemd-socket-activate curl mkfs.ext4 unshare
export M=$T/machine T_OUTER=$T
mkdir -p "$M/etc/larder" "$M/log" "$T/medium/larder"

declare -A digest
digest[docker.io/library/busybox:1.36]=$(make_image "$T/busybox" 1.36 "one")
digest[registry.k8s.io/pause:3.10]=$(make_image "$T/pause" 3.10 "two" amd64 arm64)
printf '%s\n' "docker.io/library/busybox:1.36=oci:$T/busybox:1.36" "registry.k8s.io/pause:3.10=oci:$T/pause:3.10" >"$T/images.txt"
check "a layer is built" larder build --images "$T/images.txt" --platform all --name main --version 1.0.0 \
	--output "$T/medium/larder/000-main-1.0.0.sqsh"
medium_size=$(($(unique_size 1) / 16 / 4096 * 4096)) disk_size=$(unique_size 2)
truncate -s $medium_size "$T/medium.img"
mkfs.ext4 -q -L LARDER_1 -d "$T/medium" "$T/medium.img"
truncate -s $disk_size "$T/disk.img"
disk_attach "$T/medium.img" --read-only
medium=$disk
disk_attach "$T/disk.img"
machine_config $disk_size $medium_size >"$M/etc/larder/machine.yaml"

# What one boot of the machine does; its TAP lines count on from the outer ones.
cat >"$T/boot.sh" <<'INSIDE'
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/machine.sh"
. "$M/digests"
boot=$1 tap_count=$2
cp "$T_OUTER/stdout" "$T/out" 2>/dev/null
machine_start
machine_dead_mirror
check "boot $boot: larder boot" larder boot --strict
machine_larderd
check "boot $boot: a manifest is served" curl -sf -o /dev/null "http://127.0.0.1:3172/v2/library/busybox/manifests/1.36?ns=docker.io"
if [ "$boot" = 1 ]; then
	check "sync copies the layer to the volume" larder layers sync
	check "the copy is the medium's, byte for byte" cmp "$T_OUTER/medium/larder/000-main-1.0.0.sqsh" /run/larder/volume/layers/000-main-1.0.0.sqsh
	check "the medium is released" bash -c '! grep -q " /run/larder/media/" /proc/self/mounts'
fi
stat -c '%i %s %Y %n' /run/larder/volume/layers/* >"$M/layers.$boot"
run cat /proc/self/mounts
check_output "the volume is mounted nosuid,nodev,noexec" ' /run/larder/volume ext4 rw,nosuid,nodev,noexec'
check_output "the layer is mounted read-only" ' /run/larder/layers/main-1.0.0-[0-9a-f]{8} squashfs ro'
check_output "the generation is an overlay, read-only" ' /run/larder/gen/[0-9]+ overlay ro'
check_equal "the cache comes before the dead mirror" \
	"$(grep -o '^\[host\."[^"]*"' /etc/containerd/certs.d/_default/hosts.toml | head -1)" '[host."http://127.0.0.1:3172"'
check "containerd starts" machine_containerd
for reference in "${!digest[@]}"; do
	check "pull $reference" machine_pull "$reference"
	check_equal "$reference has its digest" "$(ctr images ls "name==$reference" | awk 'NR == 2 { print $3 }')" "${digest[$reference]}"
	check "pull $reference by digest" machine_pull "${reference%:*}@${digest[$reference]}"
	check_equal "skopeo copies $reference" "$(machine_skopeo_digest "$reference" "$T/skopeo" 2>"$T/out")" "${digest[$reference]}"
done
check_equal "a container runs" "$(machine_container docker.io/library/busybox:1.36 2>"$T/out")" one
check "status" larder status
check_output "and it is ready" '^larder: *ready'
machine_daemon_stop containerd
machine_daemon_stop larderd
check "larder stop" larder stop
check_equal "nothing stays mounted" "$(grep -c ' /run/larder/' /proc/self/mounts)" 0
check_equal "connections to the dead mirror" "$(machine_dead_connections)" 0
machine_end
run_cleanups
exit $tap_failed
INSIDE
declare -p digest >"$M/digests"

one_boot() {
	local log=$M/tap.$1
	machine_run "$T/boot.sh" "$1" "$tap_count" >"$log" 2>&1 || tap_failed=1
	cat "$log"
	tap_count=$(grep -cE '^(not )?ok ' "$log" | awk -v n="$tap_count" '{ print n + $1 }')
	grep -q '^not ok' "$log" && note "larderd said:" "$(cat "$M/log/larderd")" && tap_failed=1
	return 0
}
one_boot 1
check_loops "no loop device of the layer stays attached" 0 000-main-1.0.0
check "detach the medium" losetup --detach "$medium"
before=$(table_bytes "$disk")
disk_detach "$disk"
disk_attach "$T/disk.img" # without its partition, maybe under another name
one_boot 2
check_equal "the second boot wrote nothing to the partition table" "$(table_bytes "$disk")" "$before"
check_equal "the second boot copied nothing" "$(cat "$M/layers.2")" "$(cat "$M/layers.1")"
run sfdisk --dump "$disk"
check_output "one partition named IMAGECACHE" 'name="IMAGECACHE"'
check_equal "and no other" "$(grep -c 'start=' "$T/out")" 1
done_testing
