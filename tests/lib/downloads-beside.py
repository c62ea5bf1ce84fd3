#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""downloads-beside.py ADDRESS MANIFEST-PATH BLOB-PATH…: downloads of large blobs, and manifests, beside attackers of every kind.

As TAP lines without numbers. Attackers are processes of their own. That they were at it all the while is seen from outside of them: those
who hold connections are still connected when the downloads are done, by the count of larderd; those who send are answered, or
closed, more often than before. Nothing depends on how fast a machine is: one that gets nowhere in LIMIT seconds has failed. The
deadlines of larderd must be so late that it does not end the attackers meanwhile.
"""
import multiprocessing, sys, time
import fetch

address, manifest, blobs = sys.argv[1], sys.argv[2], sys.argv[3:]
HOST = b"Host: a\r\n"
LIMIT = 300
ROUNDS = 3
fetch.all_descriptors()


def get(path, end=b"\r\n"):
    return b"GET " + path.encode() + b" HTTP/1.1\r\n" + HOST + end


def slow_headers(ready, did):
    held = [fetch.connect(address) for _ in range(500)]
    while True:
        for s in held:
            s.sendall(b"G")
        did.value += 1
        ready.set()
        time.sleep(1)


def no_reading(ready, did):
    held = [fetch.connect(address, 4096) for _ in range(200)]
    for s in held:
        s.sendall(get(blobs[0]) * 10)
    did.value += 1
    ready.set()
    time.sleep(2 * LIMIT)


def connections(ready, did):
    held = [fetch.connect(address) for _ in range(5000)]
    for s in held[::2]:
        s.sendall(get("/v2/"))
    did.value += 1
    ready.set()
    time.sleep(2 * LIMIT)


def pipelining(ready, did):
    """Eight at once, each of a hundred requests in one piece: what is there, what is not, and lists."""
    piece = (get(manifest) + get("/v2/none/manifests/x") + get("/v2/_catalog") + get("/v2/")) * 25
    held = [fetch.connect(address) for _ in range(8)]
    while True:
        for s in held:
            s.sendall(piece)
        for s in held:
            answers = 0
            while answers < 100:
                answers += s.recv(1 << 16).count(b"HTTP/1.1 ")
        did.value += 1
        ready.set()


def garbage(ready, did):
    """What is no HTTP, one after the other: it is refused and closed, or closed at once."""
    kinds = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 5000, b"\n" * 5000,
             b"GET /v2/\r\n", b"GET /v2/ HTTP/1.1\nHost: a\n\n", b"A" * 100000, get("/v2/", b"X: " + b"x" * 50000), b"\xff\xfe" * 10000]
    while True:
        for kind in kinds:
            s = fetch.connect(address)
            try:
                s.sendall(kind)
                while s.recv(1 << 16):
                    pass
            except OSError:
                pass
            s.close()
            did.value += 1
        ready.set()


def download(what):
    """All blobs in turn, and manifests between them: how many answers were right."""
    client, right = fetch.Client(address, LIMIT), 0
    for _ in range(ROUNDS):
        for path in blobs:
            right += client.get(path)[0] == 200
            right += sum(client.get(manifest)[0] == 200 for _ in range(20))
    return right


def beside(what, attack, held=0):
    ready, did = multiprocessing.Event(), multiprocessing.Value("Q", 0)
    attacker = multiprocessing.Process(target=attack, args=(ready, did), daemon=True)
    attacker.start()
    if not ready.wait(LIMIT):
        return fetch.report(False, f"{what}: they begin")
    before, begin = did.value, time.monotonic()
    right = download(what)
    took = time.monotonic() - begin
    connected = fetch.Client(address).metric("larder_http_connections")
    # Whoever has the processor after a download that took no time: it goes on, sooner or later.
    while not held and did.value == before and attacker.is_alive() and time.monotonic() < begin + LIMIT:
        time.sleep(0.01)
    alive, more = attacker.is_alive(), did.value - before
    attacker.kill()
    attacker.join()
    fetch.report(right == ROUNDS * len(blobs) * 21, f"{what}: beside them every large blob comes whole, and every manifest", right)
    fetch.report(alive and (connected > held if held else more > 0), f"{what}: which are at it all the while", (alive, connected, more))
    print(f"# {took:.1f} s; {connected:.0f} connections, {more} more of theirs", flush=True)


begin = time.monotonic()
fetch.report(download("nobody") == ROUNDS * len(blobs) * 21, "without attackers every large blob comes whole, and every manifest")
print(f"# {time.monotonic() - begin:.1f} s", flush=True)
beside("500 headers of a byte a second", slow_headers, 500)
beside("200 clients that read nothing", no_reading, 200)
beside("5,000 connections", connections, 5000)
beside("clients that send a hundred requests at once", pipelining)
beside("clients that send garbage", garbage)
