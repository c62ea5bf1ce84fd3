#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A well-behaved client beside others who hold connections, and when connections are given up: --stall-timeout, --idle-timeout.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires python3 curl mksquashfs unsquashfs busybox
[ "$(ulimit -Hn)" -ge 15360 ] || skip_all "3,000 connections need a higher limit of open files"
in_namespaces "$@"

check "a store is made" small_store "$T/tree"
zeros=3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351
truncate -s 64M "$T/tree/blob/sha256-$zeros"
check "larderd starts" start_larderd one --cache "$T/tree"
tap_from "$LARDER_SOURCE/tests/lib/beside-attackers.py" "$address" /v2/library/busybox/manifests/1.36 "/v2/x/blobs/sha256:$zeros"
check "and ends" stop_larderd

# Three clients at once ask for 64 MiB: one reads nothing, one a little twice a second, one has its answer and says no more.
cat >"$T/deadlines.py" <<'PYTHON'
import select, socket, sys, time
host, port = sys.argv[1].rsplit(":", 1)
large = sys.argv[2]

def ask(path, receive):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(120)
    s.connect((host, int(port)))
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return s

def read_to_end(s):
    size = 0
    try:
        while piece := s.recv(1 << 20):
            size += len(piece)
    except ConnectionResetError:
        pass
    return size

stalled, idle, slow = ask(large, 4096), ask("/v2/", 65536), ask(large, 65536)
answer = idle.recv(65536)
# What slow gets while the others are given up: it reads on for as long, and again as long.
size, closed, begin, lasted = 0, None, time.monotonic(), 0
while closed is None or time.monotonic() < begin + 2 * lasted:
    size += len(slow.recv(1 << 20))
    time.sleep(0.5)
    if closed is None and select.select([idle], [], [], 0)[0]:
        closed, lasted = idle.recv(1), max(8, time.monotonic() - begin)
print("idle", "closed" if answer and closed == b"" else closed)
print("stalled", "cut" if 0 < read_to_end(stalled) < 64 << 20 else "whole")
size += read_to_end(slow)
print("slow", "whole" if size > 64 << 20 else f"cut after {size}")
PYTHON
check "larderd starts with short deadlines" start_larderd two --cache "$T/tree" --stall-timeout 3 --idle-timeout 2
check_http 200 "the large blob is verified" -I "$url/v2/x/blobs/sha256:$zeros"
python3 "$T/deadlines.py" "$address" "/v2/x/blobs/sha256:$zeros" >"$T/out" 2>&1
check_equal "a connection that idles is closed" "$(sed -n 1p "$T/out")" "idle closed"
check_equal "a client that reads nothing is given up" "$(sed -n 2p "$T/out")" "stalled cut"
check_equal "one that reads slowly but goes on gets everything" "$(sed -n 3p "$T/out")" "slow whole"
check "and ends" stop_larderd
done_testing
