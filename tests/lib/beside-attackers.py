#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""beside-attackers.py ADDRESS GOOD-PATH LARGE-PATH: how long a well-behaved client waits for an answer, without attackers and with them, in turns.

As TAP lines without numbers. Attackers are processes of their own, of four kinds: headers that come a byte a second, clients that ask for
LARGE-PATH and read nothing, connections that idle, and requests that are refused or find nothing, one after the other as fast as they are
answered. What is compared are medians of the same run, turn by turn, so that a machine that is busy with something else is so for both. A
client that is held up by one attacker waits for seconds where it would have waited for less than a millisecond.
"""
import http.client, multiprocessing, resource, socket, statistics, sys, time

address, good, large = sys.argv[1:]
host, port = address.rsplit(":", 1)
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
TURNS, REQUESTS = 5, 100
HOST = b"Host: a\r\n"


def connect(receive=None):
    s = socket.socket()
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(60)
    s.connect((host, int(port)))
    return s


def slow_headers(ready):
    held = [connect() for _ in range(500)]
    ready.set()
    while True:
        for i, s in enumerate(held):
            try:
                s.sendall(b"G")
            except OSError:
                held[i] = connect()
        time.sleep(1)


def read_nothing(ready):
    held = [connect(4096) for _ in range(200)]
    for s in held:
        s.sendall((b"GET " + large.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n") * 10)
    ready.set()
    time.sleep(600)


def idle(ready):
    held = [connect() for _ in range(3000)]
    for s in held:
        s.sendall(b"GET /v2/ HTTP/1.1\r\n" + HOST + b"\r\n")
    ready.set()
    time.sleep(600)


def errors(ready):
    requests = [b"GET /v2/a/b/manifests/x HTTP/1.1\r\n" + HOST + b"\r\n", b"DELETE /v2/a/b/manifests/x HTTP/1.1\r\n" + HOST + b"\r\n",
                b"GET /v2/%2e%2e/x HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /v2/ HTTP/1.1\nHost: a\n\n"]
    held = [connect() for _ in range(8)]
    ready.set()
    n = 0
    while True:
        for s in held:
            s.sendall(requests[n % len(requests)])
            n += 1
        for i, s in enumerate(held):
            if b"Connection: close" in s.recv(65536):
                s.close()
                held[i] = connect()


def waits(requests):
    """Seconds for each; every tenth over a connection of its own."""
    took, client = [], None
    for i in range(requests):
        begin = time.monotonic()
        if i % 10 == 0:
            client = http.client.HTTPConnection(host, int(port), timeout=60)
        client.request("GET", good)
        answer = client.getresponse()
        answer.read()
        took.append(time.monotonic() - begin)
        if answer.status != 200:
            sys.exit(f"not ok {good} is {answer.status}")
    return took


def compare(what, attack, times=5):
    without, beside = [], []
    for _ in range(TURNS):
        without += waits(REQUESTS)
        ready = multiprocessing.Event()
        attacker = multiprocessing.Process(target=attack, args=(ready,), daemon=True)
        attacker.start()
        ready.wait(60)
        beside += waits(REQUESTS)
        alive = attacker.is_alive()
        attacker.kill()
        attacker.join()
        if not alive:
            return print(f"not ok {what}: the attacker ended before its time", flush=True)
    calm, attacked = statistics.median(without) * 1e6, statistics.median(beside) * 1e6
    print(f"{'ok' if attacked <= times * calm else 'not ok'} {what}: the client beside them waits no longer than {times} times", flush=True)
    print(f"# median {calm:.0f} us without them, {attacked:.0f} us beside them; longest {max(beside) * 1e3:.0f} ms", flush=True)


waits(REQUESTS)  # everything is verified
compare("500 headers of a byte a second", slow_headers)
compare("200 clients that read nothing", read_nothing)
compare("3,000 connections that idle", idle)
compare("a flood of requests that fail", errors, 20)  # they have their share of the processor, as the client has
