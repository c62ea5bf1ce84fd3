# SPDX-License-Identifier: LGPL-2.1-or-later
"""A well-behaved client of a registry, for tests: it reads every answer to its end, and knows what the bytes should be."""
import hashlib
import http.client
import resource
import socket


def all_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


class Client:
    """One connection that is kept. Nothing is asked twice: whatever goes wrong is an exception."""

    def __init__(self, address, seconds=120):
        host, port = address.rsplit(":", 1)
        self.http = http.client.HTTPConnection(host, int(port), timeout=seconds)

    def get(self, path, method="GET", **fields):
        """Status and bytes of the body, which must have the digest that path ends with, if any."""
        self.http.request(method, path, headers=fields)
        answer = self.http.getresponse()
        size, digest = 0, hashlib.sha256()
        while piece := answer.read(1 << 20):
            size += len(piece)
            digest.update(piece)
        if method != "HEAD" and size != int(answer.headers["Content-Length"]):
            raise ValueError(f"{path}: {size} bytes of {answer.headers['Content-Length']}")
        whole = answer.status == 200 and method == "GET" and ("/blobs/sha256:" in path or "/manifests/sha256:" in path)
        if whole and digest.hexdigest() != path.rsplit("sha256:", 1)[1].split("?")[0]:
            raise ValueError(f"{path}: other bytes")
        return answer.status, size

    def text(self, path):
        self.http.request("GET", path)
        return self.http.getresponse().read().decode()

    def metric(self, name):
        """The value of a metric, with its labels in the name if it has any."""
        for line in self.text("/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return None

    def close(self):
        self.http.close()


def connect(address, receive=None):
    host, port = address.rsplit(":", 1)
    s = socket.socket()
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(120)
    s.connect((host, int(port)))
    return s


def report(truth, what, more=""):
    print(f"{'ok' if truth else 'not ok'} {what}", flush=True)
    if not truth:
        print(f"# {more}", flush=True)
