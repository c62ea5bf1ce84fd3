#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""nested.py DIR: a cache tree in DIR whose one image, registry.test/nested:1, is an index of indexes of indexes, two hundred entries each, all
of them the same: a few files, and eight million ways to the one manifest."""
import hashlib, json, os, sys

DIGESTS = "manifests/registry.test/nested/digest"
TYPE = "application/vnd.oci.image."


def put(directory, data):
    name = hashlib.sha256(data).hexdigest()
    os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/sha256-{name}", "wb") as f:
        f.write(data)
    return {"digest": "sha256:" + name, "size": len(data)}


def write(document):
    return json.dumps(document).encode()


os.makedirs(sys.argv[1], exist_ok=True)
os.chdir(sys.argv[1])
config = put("blob", b'{"os":"linux","architecture":"amd64"}') | {"mediaType": TYPE + "config.v1+json"}
text = write({"schemaVersion": 2, "mediaType": TYPE + "manifest.v1+json", "config": config, "layers": []})
for level in range(3):
    entry = put(DIGESTS, text) | {"platform": {"os": "linux", "architecture": "amd64"}}
    text = write({"schemaVersion": 2, "mediaType": TYPE + "index.v1+json", "manifests": [entry] * 200})
put(DIGESTS, text)
os.makedirs(f"{DIGESTS}/../reference")
with open(f"{DIGESTS}/../reference/1", "wb") as f:
    f.write(text)
