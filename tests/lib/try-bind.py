#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""try-bind.py PORT: binds it in every way there is; prints for each "WAY bound" or "WAY " and the error's name."""
import errno, socket, sys

MPTCP = 262
REUSE = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)
port = int(sys.argv[1])
for way, family, kind, protocol, address, options in (
    ("tcp", socket.AF_INET, socket.SOCK_STREAM, 0, "127.0.0.1", ()),
    ("any", socket.AF_INET, socket.SOCK_STREAM, 0, "0.0.0.0", ()),
    ("other", socket.AF_INET, socket.SOCK_STREAM, 0, "127.0.0.2", ()),
    ("reuse", socket.AF_INET, socket.SOCK_STREAM, 0, "127.0.0.1", REUSE),
    ("mptcp", socket.AF_INET, socket.SOCK_STREAM, MPTCP, "127.0.0.1", ()),
    ("tcp6", socket.AF_INET6, socket.SOCK_STREAM, 0, "::1", ()),
    ("any6", socket.AF_INET6, socket.SOCK_STREAM, 0, "::", ()),
    ("mapped", socket.AF_INET6, socket.SOCK_STREAM, 0, "::ffff:127.0.0.1", ()),
    ("udp", socket.AF_INET, socket.SOCK_DGRAM, 0, "127.0.0.1", ()),
):
    try:
        with socket.socket(family, kind, protocol) as s:
            for option in options:
                s.setsockopt(socket.SOL_SOCKET, option, 1)
            s.bind((address, port))
            if kind == socket.SOCK_STREAM:
                s.listen(1)
        print(way, "bound")
    except OSError as e:
        print(way, errno.errorcode[e.errno])
