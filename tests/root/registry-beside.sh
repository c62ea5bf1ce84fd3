#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Large downloads beside attackers of every kind: all of them come whole, while the attackers are at it.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires python3 curl mksquashfs unsquashfs busybox
[ "$(ulimit -Hn)" -ge 18432 ] || skip_all "5,000 connections need a higher limit of open files"
in_namespaces "$@"

check "a store is made" small_store "$T/tree"
paths=()
for i in 1 2; do
	head -c 67108864 /dev/urandom >"$T/large"
	large=$(sha256sum "$T/large" | cut -d' ' -f1)
	mv "$T/large" "$T/tree/blob/sha256-$large"
	paths+=("/v2/x/blobs/sha256:$large")
done
check "larderd starts" start_larderd one --cache "$T/tree" --header-timeout 3600 --idle-timeout 3600 --stall-timeout 3600
tap_from "$LARDER_SOURCE/tests/lib/downloads-beside.py" "$address" /v2/library/busybox/manifests/1.36 "${paths[@]}"
check "and ends" stop_larderd
done_testing
