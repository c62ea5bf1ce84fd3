#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client that reads 1 MB of a blob, has something done, and reads on.

	slow-client.py ADDRESS PATH COMMAND…

Prints the status and how the answer went: "whole" (all bytes, with the SHA-256 that PATH ends with), "wrong" (all bytes, another one), or
"cut" (closed before the end). Its socket holds little, so that most of a large answer has not left the server when COMMAND runs.
"""
import hashlib
import http.client
import socket
import subprocess
import sys

FIRST = 1 << 20
SOCKET_BYTES = 64 << 10


def main():
    address, path, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    host, port = address.rsplit(":", 1)
    client = http.client.HTTPConnection(host, int(port), timeout=120)
    client.sock = socket.socket()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
    client.sock.settimeout(120)
    client.sock.connect((host, int(port)))
    client.request("GET", path)
    answer = client.getresponse()
    body = answer.read(FIRST)
    subprocess.run(command, check=True)
    try:
        body += answer.read()
    except (http.client.IncompleteRead, ConnectionError):
        return print(answer.status, "cut")
    right = hashlib.sha256(body).hexdigest() == path.rsplit(":", 1)[1]
    print(answer.status, "whole" if right else "wrong")


main()
