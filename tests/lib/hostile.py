#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hostile.py ADDRESS PORT PID GOOD-PATH: what an HTTP server must survive, as TAP lines without numbers. One well-behaved client asks for
GOOD-PATH all the while and must get every answer."""
import os, re, resource, socket, struct, sys, threading, time

address, port, pid, good = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
HOST = b"Host: a\r\n"


def report(truth, what, more=""):
    print(f"{'ok' if truth else 'not ok'} {what}")
    if not truth:
        print(f"# {more}")
    sys.stdout.flush()


def connect():
    s = socket.create_connection((address, port), 20)
    s.settimeout(60)
    return s


def read_all(s):
    data = b""
    try:
        while piece := s.recv(65536):
            data += piece
            if len(data) > 64 << 20:
                break
    except ConnectionResetError:
        pass
    except socket.timeout:
        return data + b"[never closed]"
    return data


def send(data):
    with connect() as s:
        try:
            for i in range(0, len(data), 65536):
                s.sendall(data[i:i + 65536])
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_all(s)


def expect(what, data, pattern):
    answer = send(data)
    report(re.fullmatch(pattern, answer, re.S), what, answer[:300])


class Good(threading.Thread):
    """Asks one thing after the other over one connection that is kept; a connection that was closed between requests is made anew."""

    def __init__(self):
        super().__init__(daemon=True)
        self.answers, self.failures, self.stop = 0, [], False

    def run(self):
        http = None
        while not self.stop:
            try:
                http = http or connect()
                http.sendall(b"GET " + good.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n")
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = http.recv(65536)
                    if not piece:
                        break
                    head += piece
                if not head:
                    http = None
                    continue
                if not head.startswith(b"HTTP/1.1 200 "):
                    self.failures.append(head[:200])
                    http = None
                    continue
                size = int(re.search(rb"Content-Length: (\d+)", head).group(1))
                left = size - len(head.split(b"\r\n\r\n", 1)[1])
                while left > 0:
                    left -= len(http.recv(65536)) or left
                self.answers += 1
            except OSError as e:
                self.failures.append(repr(e))
                http = None
            time.sleep(0.002)


def memory_kib():
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1))


def served_during(what, client, since):
    """For a client that gets nothing there is an end, too, which a machine that is busy with something else does not reach."""
    end = time.monotonic() + 120
    while client.answers < since + 20 and len(client.failures) < 20 and time.monotonic() < end:
        time.sleep(0.01)
    report(client.answers >= since + 20 and not client.failures, f"the good client is served during {what}",
           (client.answers - since, client.failures[:3]))


def slow_headers(client):
    """5,000 connections, a byte now and then: they end by the deadline for headers, and nobody else notices."""
    before, since = memory_kib(), client.answers
    held = [connect() for _ in range(5000)]
    for s in held:
        s.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 900)
    served_during("5,000 slow connections", client, since)
    report(memory_kib() - before < 48 << 10, "which cost less than 48 MiB", f"{before} -> {memory_kib()} KiB")
    closed = 0
    end = time.monotonic() + 120
    for s in held:
        s.settimeout(max(0.1, end - time.monotonic()))
        try:
            closed += s.recv(1) == b""
        except ConnectionResetError:
            closed += 1
        except OSError:
            pass
        s.close()
    report(closed == len(held), "and all of them are closed by the deadline for headers, without 408", closed)


def drip():
    """One byte at a time does not outlive the deadline."""
    s = connect()
    try:
        for _ in range(600):
            s.sendall(b"G")
            time.sleep(0.1)
            s.setblocking(False)
            try:
                if s.recv(1) == b"":
                    break
            except BlockingIOError:
                pass
            finally:
                s.setblocking(True)
        else:
            report(False, "a byte at a time ends by the deadline")
            return
    except (BrokenPipeError, ConnectionResetError):
        pass
    report(True, "a byte at a time ends by the deadline")


def no_reading(client, path):
    """Clients that ask for much and read nothing."""
    since, before = client.answers, memory_kib()
    held = []
    for _ in range(200):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect((address, port))
        s.sendall((b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n") * 20)
        held.append(s)
    served_during("200 clients that read nothing", client, since)
    report(memory_kib() - before < 16 << 10, "which cost less than 16 MiB", f"{before} -> {memory_kib()} KiB")
    for s in held:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()


def expensive(client):
    """Clients that ask for what costs most, as fast as they can: lists of everything, and what is not there."""
    since, held = client.answers, []
    for _ in range(50):
        s = connect()
        s.sendall((b"GET /v2/_catalog HTTP/1.1\r\n" + HOST + b"\r\nGET /v2/a/b/manifests/x HTTP/1.1\r\n" + HOST + b"\r\n") * 100)
        held.append(s)
    served_during("50 clients that ask for 10,000 lists and misses", client, since)
    for s in held:
        s.shutdown(socket.SHUT_WR)
    answered = sum(read_all(s).count(b"HTTP/1.1 200 OK") for s in held)
    report(answered == 5000, "and all of them are answered", answered)


def main():
    client = Good()
    client.start()
    request = lambda line, fields=b"": line + b"\r\n" + HOST + fields + b"\r\n"
    refused = lambda status: rb"HTTP/1\.1 %d .*Connection: close\r\n.*\"errors\".*" % status
    expect("1 MiB of header bytes is 431", request(b"GET /v2/ HTTP/1.1", b"X: " + b"a" * (1 << 20) + b"\r\n"), refused(431))
    expect("10,000 fields are 431", request(b"GET /v2/ HTTP/1.1", b"X: a\r\n" * 10000), refused(431))
    expect("a target of 1 MiB is 414", request(b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1"), refused(414))
    expect("bare LF is 400", b"GET /v2/ HTTP/1.1\nHost: a\n\n", refused(400))
    expect("NUL is 400", b"GET /v2/ HTTP/1.1\r\nHost: a\0\r\n\r\n", refused(400))
    expect("a second Host is 400", request(b"GET /v2/ HTTP/1.1", HOST), refused(400))
    expect("no Host is 400", b"GET /v2/ HTTP/1.1\r\n\r\n", refused(400))
    expect("a blank before the colon is 400", b"GET /v2/ HTTP/1.1\r\nHost : a\r\n\r\n", refused(400))
    expect("HTTP/0.9 is 400", b"GET /v2/\r\n", refused(400))
    expect("HTTP/3 is 505", request(b"GET /v2/ HTTP/3.0"), refused(505))
    expect("Content-Length +5 is 400", request(b"GET /v2/ HTTP/1.1", b"Content-Length: +5\r\n"), refused(400))
    for name, fields in [("two Content-Length", b"Content-Length: 5\r\nContent-Length: 6\r\n"),
                         ("Content-Length and Transfer-Encoding", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
                         ("two Transfer-Encoding", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")]:
        smuggled = b"0\r\n\r\n" + request(b"GET /healthz HTTP/1.1")
        expect(f"{name}: 400, and nothing behind it is read", request(b"POST /v2/ HTTP/1.1", fields) + smuggled,
               rb"HTTP/1\.1 400 (?:(?!HTTP/1).)*")
    expect("a body on GET is 413, and nothing behind it is read",
           request(b"GET /v2/ HTTP/1.1", b"Content-Length: 39\r\n") + request(b"GET /healthz HTTP/1.1"), rb"HTTP/1\.1 413 (?:(?!HTTP/1).)*")
    expect("a chunked body on GET is 413", request(b"GET /v2/ HTTP/1.1", b"Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\n0\r\n\r\n",
           rb"HTTP/1\.1 413 (?:(?!HTTP/1).)*")
    expect("a large body on POST is 405", request(b"POST /v2/a/blobs/uploads/ HTTP/1.1", b"Content-Length: 4194304\r\n") + b"x" * (4 << 20),
           rb"HTTP/1\.1 405 .*Allow: GET, HEAD\r\n.*")
    expect("a TLS hello is closed at once, without a word", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500, b"")
    expect("the HTTP/2 preface is closed at once, without a word", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", b"")
    for path in (b"/v2/%2e%2e%2f%2e%2e%2fetc/passwd/manifests/x", b"/v2/../../etc/passwd/blobs/x", b"/v2/a/manifests/..%2f..%2fpasswd",
                 b"/v2/a/blobs/sha256:%2e%2e", b"/v2//etc/passwd", b"/v2/" + b"a/" * 900 + b"manifests/x", b"/v2/a/manifests/" + b"t" * 4000,
                 b"/v2/a/manifests/x?ns=..%2f..%2f", b"/v2/a/manifests/x?ns=" + b"n" * 4000):
        expect(f"{path[:60].decode()} is 404", request(b"GET " + path + b" HTTP/1.1", b"Connection: close\r\n"), rb"HTTP/1\.1 404 .*\"errors\".*")
    expect("an encoded NUL is 400", request(b"GET /v2/a%00b/manifests/x HTTP/1.1", b"Connection: close\r\n"), rb"HTTP/1\.1 400 .*")
    many = b"".join(request(b"GET /v2/%d/manifests/x HTTP/1.1" % i, b"Connection: close\r\n" if i == 999 else b"") for i in range(1000))
    answer = send(many)
    found = [int(n) for n in re.findall(rb'"message":"(\d+) is not here"', answer)]
    report(found == list(range(1000)), "1,000 pipelined requests are answered, in order", found[:20])
    with connect() as s:
        s.sendall(b"GET /v2/ HTTP/1.1\r\nHos")
        s.shutdown(socket.SHUT_WR)
        report(read_all(s) == b"", "a truncated request is closed")
    with connect() as s:
        s.sendall(request(b"GET /healthz HTTP/1.1"))
        s.shutdown(socket.SHUT_WR)
        report(b"ok\n" in read_all(s), "a client that says no more still gets its answer")
    expensive(client)
    no_reading(client, good.encode())
    slow_headers(client)
    drip()
    client.stop = True
    client.join(20)
    report(not client.failures and client.answers > 100, "the good client got every answer", (client.answers, client.failures[:3]))
    os.kill(pid, 0)


main()
