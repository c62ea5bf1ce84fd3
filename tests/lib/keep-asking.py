#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""keep-asking.py ADDRESS STOP-FILE PATH…: asks for one after the other until STOP-FILE is there.

Prints how many answers were right (200, and the bytes of the digest that the path ends with, if it does), how many were not, and the
first of those.
"""
import http.client, os, sys
import fetch

address, stop, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
client, good, bad = fetch.Client(address), 0, []
while not os.path.exists(stop):
    for path in paths:
        try:
            status = client.get(path)[0]
        except (OSError, http.client.HTTPException, ValueError) as e:
            status = repr(e)
            client.close()
        if status == 200:
            good += 1
        else:
            bad.append((path, status))
print(good, len(bad), bad[:3])
