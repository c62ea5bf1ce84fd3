#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What clients can do to larderd, with a well-behaved one beside them.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires python3 curl strace mksquashfs unsquashfs busybox
[ "$(ulimit -Hn)" -ge 15360 ] || skip_all "5,000 connections need a higher limit of open files"
in_namespaces "$@"

check "a store is made" small_store "$T/tree"
blob=$(cd "$T/tree/blob" && find . -type f -printf '%s %f\n' | sort -n | tail -1 | cut -d' ' -f2)
check "larderd starts" start_larderd one --cache "$T/tree" --header-timeout 5
lines=$(wc -l <"$T/one.log")
tap_from "$LARDER_SOURCE/tests/lib/hostile.py" "${address%:*}" "${address##*:}" "$larderd_pid" "/v2/library/busybox/blobs/sha256:${blob#sha256-}"
check_equal "never 401, 408, 429 or 500" "$(curl -s "$url/metrics" | grep -cE 'code="(401|408|429|500)"')" 0
check_equal "the journal has no line of all this" "$(wc -l <"$T/one.log")" "$lines"
check "it still serves" curl -sf "$url/v2/library/busybox/manifests/1.36"
check "and ends" stop_larderd

# Few connections: the ones that idle give way to new ones.
check "larderd starts with ten connections" start_larderd two --cache "$T/tree" --connections 10
for i in $(seq 30); do eval "exec $((i + 20))<>/dev/tcp/${address%:*}/${address##*:}"; done
check "and serves beside thirty" curl -sf "$url/v2/"
check "and ends" stop_larderd
for i in $(seq 30); do eval "exec $((i + 20))>&-"; done

# Few descriptors: connections that idle must not keep blobs from being opened.
LARDERD_AS="prlimit --nofile=96:96"
check "larderd starts with 96 descriptors" start_larderd three --cache "$T/tree" --connections 1000
LARDERD_AS=
check "says for how many connections they are enough" grep -q 'at most 21 connections, not 1000' "$T/three.log"
for i in $(seq 60); do
	eval "exec $((i + 20))<>/dev/tcp/${address%:*}/${address##*:}"
	printf 'GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n' >&$((i + 20))
done
seq 40 | xargs -P 8 -I{} curl -s --limit-rate 8M -o /dev/null -w '%{http_code} %{size_download}\n' "$url/v2/x/blobs/sha256:${blob#sha256-}" >"$T/statuses"
check_equal "and serves eight at a time beside sixty" "$(sort "$T/statuses" | uniq -c | tr -s ' ')" " 40 200 $(stat -c %s "$T/tree/blob/$blob")"
for i in $(seq 60); do eval "exec $((i + 20))>&-"; done

# All connections are at work for clients that do not read, and more are waiting: nothing to do but to wait.
zeros=3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
truncate -s 64M "$T/tree/blob/sha256-$zeros"
check_http 200 "a large blob is verified" -I "$url/v2/x/blobs/sha256:$zeros"
for i in $(seq 40); do
	eval "exec $((i + 20))<>/dev/tcp/${address%:*}/${address##*:}"
	printf 'GET /v2/x/blobs/sha256:%s HTTP/1.1\r\nHost: a\r\n\r\n' "$zeros" >&$((i + 20))
done
sockets() { [ "$(find "/proc/$larderd_pid/fd" -lname "*sha256-$zeros" | wc -l)" -ge 15 ]; }
check "forty clients do not read it" until_true 20 sockets
timeout 2 strace -f -qq -c -o "$T/calls" -p "$larderd_pid"
[ "$(awk '$NF == "total" { print $(NF - 1) ~ /^[0-9]+$/ && NF == 6 ? $4 : $3 }' "$T/calls")" -lt 2000 ]
verdict $? "meanwhile it does not spin"
check_http 200 "those that stall give way" "$url/v2/"
check "and ends" stop_larderd
for i in $(seq 40); do eval "exec $((i + 20))>&-"; done

# Blobs that are being hashed cost most descriptors: as many as there may be connections, each another one, and none becomes a miss.
mkdir -p "$T/cold/blob"
for i in $(seq 20); do
	truncate -s 32M "$T/cold/blob/new"
	echo "$i" >>"$T/cold/blob/new"
	cold=$(sha256sum "$T/cold/blob/new" | cut -d' ' -f1)
	mv "$T/cold/blob/new" "$T/cold/blob/sha256-$cold"
	echo "$cold" >>"$T/colds"
done
LARDERD_AS="prlimit --nofile=62:62"
check "larderd starts with 62 descriptors" start_larderd four --cache "$T/cold" --connections 1000 --no-verify-ahead
LARDERD_AS=
most=$(sed -n 's/.*at most \([0-9]*\) connections.*/\1/p' "$T/four.log")
for i in $(seq "$most"); do eval "exec $((i + 20))<>/dev/tcp/${address%:*}/${address##*:}"; done
for i in $(seq "$most"); do printf 'HEAD /v2/x/blobs/sha256:%s HTTP/1.1\r\nHost: a\r\n\r\n' "$(sed -n "${i}p" "$T/colds")" >&$((i + 20)); done
for i in $(seq "$most"); do head -1 <&$((i + 20)) | cut -c 1-12; done >"$T/statuses"
check_equal "all $most are hashed at once" "$(sort "$T/statuses" | uniq -c | tr -s ' ')" " $most HTTP/1.1 200"
for i in $(seq "$most"); do eval "exec $((i + 20))>&-"; done
check "and ends" stop_larderd
done_testing
