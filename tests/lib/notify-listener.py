#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""notify-listener.py SOCKET FILE: appends what a service tells its manager (sd_notify) to FILE."""
import socket, sys

s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], "a", buffering=1) as f:
    while True:
        f.write(s.recv(4096).decode() + "\n")
