#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fill-buffers.py ADDRESS PID MANIFEST-PATH BLOB-PATH LARGE-PATH: larderd with --buffers 1, and many times as much of incomplete requests.

As TAP lines without numbers. The deadlines of larderd must be so late that what makes room does so for want of memory alone.
"""
import http.client, re, socket, sys, time
import fetch

address, pid, manifest, blob, large = sys.argv[1:]
CROWD, BUFFER, BUDGET = 3000, 16 << 10, 1 << 20
KEPT = BUDGET // BUFFER
HELLO = b"Host: a\r\nX: " + b"x" * (BUFFER - 1024)
fetch.all_descriptors()


def memory_kib(what):
    return int(re.search(what + r":\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1))


def begin_peak():
    with open(f"/proc/{pid}/clear_refs", "w") as f:
        f.write("5")  # proc(5): the peak begins anew
    return memory_kib("VmRSS")


def is_closed(s):
    s.setblocking(False)
    try:
        return s.recv(1 << 16, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        s.settimeout(120)


def until(truth, seconds=120):
    end = time.monotonic() + seconds
    while not truth() and time.monotonic() < end:
        time.sleep(0.05)
    return truth()


def good(client):
    """A manifest, and a blob with its digest, over a connection that was there before all others."""
    try:
        return [client.get(path)[0] for path in (manifest, blob)] == [200, 200]
    except (OSError, http.client.HTTPException, ValueError):
        client.close()
        return False


def send(s, data):
    """A server may close while it is sent to."""
    try:
        s.sendall(data)
    except OSError:
        pass


def crowd_of(n, request, client, receive=None, every=25):
    """So many connections, and the well-behaved client beside every so many: how often it was not served, and the connections."""
    held, bad = [], 0
    for i in range(n):
        held.append(fetch.connect(address, receive))
        send(held[-1], request)
        if i % every == every - 1:
            bad += not good(client)
    return held, bad


def incomplete(client):
    before = begin_peak()
    held, bad = crowd_of(CROWD, b"GET " + manifest.encode() + b" HTTP/1.1\r\n" + HELLO, client)
    fetch.report(bad == 0, "beside 3,000 requests that come to no end the good client gets every answer", bad)
    until(lambda: sum(map(is_closed, held)) >= CROWD - KEPT)
    closed = [is_closed(s) for s in held]
    fetch.report(CROWD - KEPT <= sum(closed) < CROWD - KEPT / 2, "only as many are kept as there is memory for", sum(closed))
    fetch.report(all(closed[:CROWD - 2 * KEPT]) and not any(closed[-KEPT // 2:]), "which are those that came last")
    cost = memory_kib("VmHWM") - before
    fetch.report(cost < 16 << 10, "the memory of larderd was bounded all the while", f"{before} KiB and {cost} more")
    last = held[-1]
    send(last, b"\r\n\r\n")
    fetch.report(last.recv(12) == b"HTTP/1.1 200", "a newcomer that comes to an end with its request is answered")
    return held


def behind(client):
    """Requests of which nobody reads the answer, with the beginnings of further ones behind them."""
    before = begin_peak()
    request = b"GET " + large.encode() + b" HTTP/1.1\r\n" + HELLO + b"\r\n\r\n"
    # A few at a time: of many whose requests are still on their way on a busy machine, some would be closed, and rightly.
    held, bad = crowd_of(500, request + request[:BUFFER // 2], client, 4096, 5)
    fetch.report(bad == 0, "beside 500 clients with long requests that read no answer the good client gets every answer", bad)
    fetch.report(not any(map(is_closed, held)), "none of which is closed for it")
    cost = memory_kib("VmHWM") - before
    fetch.report(cost < 16 << 10, "the memory of larderd was bounded all the while", f"{before} KiB and {cost} more")
    return held


def patient(client):
    """Who takes its time with a request is not disturbed any more."""
    slow = fetch.connect(address)
    slow.sendall(b"GET " + manifest.encode() + b" HTTP/1.1\r\n")
    served = all(good(client) for _ in range(20))
    slow.sendall(b"Host: a\r\n\r\n")
    fetch.report(served and slow.recv(12) == b"HTTP/1.1 200", "when they are gone, a slow request is answered, too")


client = fetch.Client(address)
fetch.report(all(good(client) for _ in range(20)), "the good client is served before")
for attack in (incomplete, behind):
    for s in attack(client):
        s.close()
    fetch.report(until(lambda: client.metric("larder_http_connections") == 1), "when they are gone, only the good client is connected",
                 client.metric("larder_http_connections"))
patient(client)
