#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# --buffers: memory for incomplete requests is limited; who takes too much of it goes, and others are served meanwhile.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires python3 curl mksquashfs unsquashfs busybox
[ "$(ulimit -Hn)" -ge 15360 ] || skip_all "3,000 connections need a higher limit of open files"
in_namespaces "$@"

check "a store is made" small_store "$T/tree"
blob=$(cd "$T/tree/blob" && find . -type f -printf '%s %f\n' | sort -n | tail -1 | cut -d' ' -f2)
zeros=3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
truncate -s 64M "$T/tree/blob/sha256-$zeros"
# A sanitizer keeps what was freed for a while, and it is not that memory which is measured.
LARDERD_AS="env ASAN_OPTIONS=${ASAN_OPTIONS-}:quarantine_size_mb=1"
check "larderd starts with little memory for requests" start_larderd one --cache "$T/tree" --buffers 1 --connections 5000 \
	--header-timeout 3600 --idle-timeout 3600 --stall-timeout 3600
LARDERD_AS=
check_http 200 "a large blob is verified" -I "$url/v2/x/blobs/sha256:$zeros"
tap_from "$LARDER_SOURCE/tests/lib/fill-buffers.py" "$address" "$larderd_pid" /v2/library/busybox/manifests/1.36 \
	"/v2/x/blobs/sha256:${blob#sha256-}" "/v2/x/blobs/sha256:$zeros"
check_equal "the journal has no line of all this" "$(grep -vc '^listening on' "$T/one.log")" 0
check "it ends" stop_larderd
done_testing
