#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What happens inside the machine of the demo, from boot to stop. inside.sh BOOT: the number of the boot; $M: see tests/lib/machine.sh.
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/words.sh"
. "$here/../lib/machine.sh"
. "$M/facts"

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

title "$((2 + 3 * $1)). containerd pulls every image, by tag and by digest, and runs one"
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
stat -c '%n: inode %i, written %y' /run/larder/volume/layers/* >"$M/copies.$1"
larder status >"$M/status.$1" || { quote <"$M/status.$1"; die "larder status is not content"; }
machine_daemon_stop containerd
machine_daemon_stop larderd
larder stop 2>&1 | quote
! grep -q " /run/larder/" /proc/self/mounts || die "larder stop left mounts behind: $(grep ' /run/larder/' /proc/self/mounts)"
machine_dead_connections >"$M/connections"
machine_end
