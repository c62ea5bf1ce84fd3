#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""bad-mirror.py MODE PORT COUNT: a registry that must not be asked. MODE: dead closes at once, slow never answers, lying answers
every request with 200, wrong bytes and the digest that was asked for. Writes the number of connections so far to the file COUNT."""
import re, socket, sys, threading

mode, port, count = sys.argv[1], int(sys.argv[2]), sys.argv[3]
kept = []


def write_count(n):
    with open(count, "w") as f:
        f.write(f"{n}\n")


def lie(connection):
    asked = connection.recv(65536).decode("latin1")
    digest = re.search(r"sha256:[0-9a-f]{64}", asked)
    head = f"Docker-Content-Digest: {digest.group(0)}\r\n" if digest else ""
    body = b'{"lie": true}'
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n{head}"
                       f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    connection.close()


listener = socket.create_server(("127.0.0.1", port), backlog=64)
write_count(0)
n = 0
while True:
    connection, _ = listener.accept()
    n += 1
    write_count(n)
    if mode == "dead":
        connection.close()
    elif mode == "slow":
        kept.append(connection)
    else:
        threading.Thread(target=lie, args=(connection,), daemon=True).start()
