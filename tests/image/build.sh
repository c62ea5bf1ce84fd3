#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larder build: every kind of source, platforms, digests, the same bytes twice, and nothing left behind by a failure.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
requires unsquashfs skopeo jq busybox curl openssl strace python3
mkdir -p "$T/out.d"
B() { larder build --output "$T/out.d/${NAME:-l-1.sqsh}" "$@"; }
list() { printf '%s\n' "$@" >"$T/list"; }
has() { unsquashfs -lc "$T/out.d/${1}" | grep -q -- "/$2\$"; }
left_over() { find "$T/out.d" -name '.larder-build*' | wc -l; }

one=$(make_image "$T/one" 1.0 first)
many=$(make_image "$T/many" 2.0 second amd64 arm64 riscv64)
list "docker.io/library/one:1.0=oci:$T/one:1.0" "ghcr.io/acme/many:2.0=oci:$T/many:2.0"

check "OCI layouts" B --images "$T/list" --platform all
check_output "the summary" "l-1.sqsh: l 1, 2 images, [0-9]+ blobs"
check "with a sum that fits" bash -c "cd '$T/out.d' && sha256sum --quiet --check l-1.sqsh.sha256"
check_equal "and its name in it" "$(cut -d' ' -f3 "$T/out.d/l-1.sqsh.sha256")" l-1.sqsh
check "the index keeps its digest" has l-1.sqsh "manifests/ghcr.io/acme/many/digest/sha256-${many#sha256:}"
check "and the image manifest" has l-1.sqsh "manifests/docker.io/library/one/digest/sha256-${one#sha256:}"
check_equal "the tag is the manifest" "sha256:$(unsquashfs -cat "$T/out.d/l-1.sqsh" manifests/ghcr.io/acme/many/reference/2.0 | sha256sum | cut -d' ' -f1)" "$many"
check_equal "file data is stored as it is" "$(unsquashfs -stat "$T/out.d/l-1.sqsh" | grep -c 'Data is uncompressed')" 1
check_equal "in blocks of 128 KiB, since it is little" "$(unsquashfs -stat "$T/out.d/l-1.sqsh" | sed -n 's/^Block size //p')" 131072
check_equal "metadata is gzip" "$(unsquashfs -stat "$T/out.d/l-1.sqsh" | sed -n 's/^Compression //p')" gzip
check_equal "without extended attributes" "$(unsquashfs -stat "$T/out.d/l-1.sqsh" | grep -c 'Xattrs are not stored')" 1
check_equal "all owned by root" "$(unsquashfs -lln "$T/out.d/l-1.sqsh" | grep squashfs-root | awk '$2 != "0/0"')" ""

cp "$T/out.d/l-1.sqsh" "$T/first"
check "built again" B --images "$T/list" --platform all
check "it is the same to the byte" cmp "$T/first" "$T/out.d/l-1.sqsh"
SOURCE_DATE_EPOCH=1700000000 check "with SOURCE_DATE_EPOCH" B --images "$T/list" --platform all
check_equal "files have that time" "$(TZ=UTC unsquashfs -lln "$T/out.d/l-1.sqsh" | grep squashfs-root | awk '{ print $4, $5 }' | sort -u)" "2023-11-14 22:13"
SOURCE_DATE_EPOCH=nonsense check_status 2 "a SOURCE_DATE_EPOCH that is no number" B --images "$T/list"

check "one platform" B --images "$T/list" --platform linux/arm64 --json
check_equal "what was left out is recorded" "$(jq -c '.images[] | select(.reference == "ghcr.io/acme/many:2.0") | [.platforms, .omitted]' "$T/stdout")" '[["linux/arm64"],["linux/amd64","linux/riscv64"]]'
check "the index keeps its digest still" has l-1.sqsh "manifests/ghcr.io/acme/many/digest/sha256-${many#sha256:}"
make_image "$T/foreign-one" 1 foreign riscv64 >/dev/null
echo "ghcr.io/acme/one:1=oci:$T/foreign-one:1" >"$T/foreign-list"
NAME=foreign-1.sqsh check "an image without an index, of another platform" B --images "$T/foreign-list" --platform linux/arm64
check_output "is taken, with a warning" "ghcr.io/acme/one:1: it is for linux/riscv64 alone, which was not asked for"
check_status 2 "a platform that no image has" B --images "$T/list" --platform linux/s390x
check_output "is refused with those that there are" "ghcr.io/acme/many:2.0.*linux/amd64, linux/arm64, linux/riscv64"
check_status 2 "a platform that is none" B --images "$T/list" --platform linux

"$LARDER_SOURCE/tests/lib/nested.py" "$T/nested"
echo "tree:$T/nested" >"$T/nested-list"
check_status 2 "indexes of indexes of indexes" timeout 120 larder build --images "$T/nested-list" --output "$T/out.d/nested-1.sqsh"
check_output "are not followed without end" "registry.test/nested:1: its indexes have more than 16384 entries"

# Archives and directories, as skopeo writes them.
skopeo copy -q --all "oci:$T/many:2.0" "oci-archive:$T/many.tar:2.0"
skopeo copy -q "oci:$T/one:1.0" "docker-archive:$T/one.tar:one:1.0"
skopeo copy -q --all "oci:$T/many:2.0" "dir:$T/many.dir"
list "a.io/many:2=oci-archive:$T/many.tar:2.0" "b.io/one:1=docker-archive:$T/one.tar" "c.io/many:3=dir:$T/many.dir"
check "archives and a directory" B --images "$T/list" --platform all
for host in a.io c.io; do check "$host has the index" has l-1.sqsh "manifests/$host/many/digest/sha256-${many#sha256:}"; done
check "the Docker archive has a tag" has l-1.sqsh manifests/b.io/one/reference/1

# What is no file keeps nobody waiting.
mkfifo "$T/fifo"
for source in layer: a.io/x:1=docker-archive: a.io/x:1=oci-archive:; do
	list "$source$T/fifo"
	check_status 2 "a FIFO as $source" timeout 20 larder build --output "$T/out.d/l-1.sqsh" --images "$T/list"
	check_output "is refused" "${source#*=}$T/fifo is no regular file"
done
for source in tree: oci: a.io/x:1=dir:; do
	list "$source$T/fifo"
	check_status 2 "a FIFO as $source" timeout 20 larder build --output "$T/out.d/l-1.sqsh" --images "$T/list"
	check_output "is refused" "${source#*=}$T/fifo is no directory"
done

# A cache tree as Talos writes it, with a registry that has a port; then that layer as a source of another.
tree=$T/tree
mkdir -p "$tree/blob" "$tree/manifests/registry.local_5000_/acme/many/"{digest,reference}
for blob in "$T"/many/blobs/sha256/*; do
	if grep -qa '^{"schemaVersion"' "$blob"; then cp "$blob" "$tree/manifests/registry.local_5000_/acme/many/digest/sha256-${blob##*/}"
	else cp "$blob" "$tree/blob/sha256-${blob##*/}"; fi
done
cp "$T/many/blobs/sha256/${many#sha256:}" "$tree/manifests/registry.local_5000_/acme/many/reference/2.0"
list "tree:$tree"
check "a cache tree" B --images "$T/list" --platform all --json
check_equal "its image has the name with the port" "$(jq -r '.images[].reference' "$T/stdout")" registry.local:5000/acme/many:2.0
list "layer:$T/out.d/l-1.sqsh"
NAME=again-1.sqsh check "a layer as a source" B --images "$T/list" --platform all --name l
check "gives the same layer" cmp "$T/out.d/l-1.sqsh" "$T/out.d/again-1.sqsh"
cp "$T/out.d/l-1.sqsh" "$T/out.d/-l-1.sqsh"
check "a layer whose name begins with a hyphen" bash -c "cd '$T/out.d' && echo layer:-l-1.sqsh | larder build --images - --platform all --output again-1.sqsh"
# An image that was pinned by its digest has no tag. What an index leads to is none, also when it was left out.
list "x.io/pinned:2=oci:$T/many:2.0" "x.io/pinned@$one=oci:$T/one:1.0"
NAME=pinned-1.sqsh check "an image by its digest alone" B --images "$T/list" --platform all
list "layer:$T/out.d/pinned-1.sqsh"
NAME=carried-1.sqsh check "is taken from a layer" B --images "$T/list" --platform all --name pinned
check "as it was there" cmp "$T/out.d/pinned-1.sqsh" "$T/out.d/carried-1.sqsh"
unsquashfs -quiet -no-progress -d "$T/pinned" "$T/out.d/pinned-1.sqsh" >"$T/out"
list "tree:$T/pinned"
NAME=carried-1.sqsh check "and from a cache tree" B --images "$T/list" --platform linux/arm64 --json
check_equal "with the index, and nothing of what that leads to" "$(jq -r '.images[].reference' "$T/stdout" | sort | paste -sd' ')" "x.io/pinned:2 x.io/pinned@$one"
for reference in "x.io/pinned@$one" "x.io/pinned:other@$one" "x.io/pinned:2@$many"; do
	list "$reference=tree:$T/pinned"
	NAME=carried-1.sqsh check "$reference is taken by itself" B --images "$T/list" --platform all --json
	check_equal "under that name" "$(jq -r '.images[].reference' "$T/stdout")" "$reference"
done
list "x.io/pinned@sha256:$(printf %064d 7)=tree:$T/pinned"
check_status 2 "a digest that the tree has not" B --images "$T/list"
rm "$T/pinned/blob/sha256-"*
list "x.io/pinned@$one=tree:$T/pinned" "tree:$T/pinned"
check_status 1 "one that is not whole" B --images "$T/list"
check_output "is named" "x.io/pinned@$one: the blob sha256:[0-9a-f]{64} is not in the source"
list "other.io/x:9=tree:$tree"
check_status 2 "an image that the tree has not" B --images "$T/list"
mkdir "$T/empty"
for source in oci: oci-archive: docker-archive: dir: tree: layer:; do
	list "x.io/x:1=$source$T/nowhere"
	check_status 2 "$source of a path that is not there" B --images "$T/list"
	check_output "is named with its prefix" "$source$T/nowhere: No such file"
	[[ $source =~ archive|layer ]] && continue
	list "x.io/x:1=$source$T/empty"
	check_status 2 "$source of an empty directory" B --images "$T/list"
	check_output "is named, too" "$T/empty"
done
list "x.io/x:1=oci:$T/one:nope"
check_status 2 "an image that a layout has not" B --images "$T/list"
check_output "is answered by those that there are" 'has no image "nope"; it has 1.0'

# A registry on loopback: larderd serves the tree, skopeo fetches from it.
larderd --cache "$tree" --listen 127.0.0.1:0 --run-dir "$T/larderd" >"$T/larderd.log" 2>&1 &
server=$!
cleanup "kill $server; wait $server"
port() { sed -n 's/.*127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' "$T/larderd.log" | head -1; }
until_true 20 grep -q '127\.0\.0\.1:[0-9]' "$T/larderd.log"
list "registry.local:5000/acme/many:2.0=docker://127.0.0.1:$(port)/registry.local:5000/acme/many:2.0"
list "registry.local:5000/acme/many:2.0=docker://127.0.0.1:$(port)/acme/many:2.0"
NAME=fetched-1.sqsh check "a registry" B --images "$T/list" --platform all --insecure --name l
check "gives the same layer" cmp "$T/out.d/l-1.sqsh" "$T/out.d/fetched-1.sqsh"
list "registry.local:5000/acme/many:2.0=docker://127.0.0.1:$(port)/acme/many@$many"
check "by digest, one platform" B --images "$T/list" --platform linux/riscv64 --insecure
list "registry.local:5000/acme/many:2.0=docker://127.0.0.1:$(port)/acme/none:1"
check_status 1 "an image that the registry has not" B --images "$T/list" --insecure
check_output "is named" "registry.local:5000/acme/many:2.0: skopeo failed"

# The same behind a registry that asks who it is: skopeo's own files answer.
python3 - "$(port)" >"$T/guard.port" 2>"$T/guard.log" <<-'END' &
	import base64, http.client, http.server, sys
	right = "Basic " + base64.b64encode(b"site:secret").decode()
	class Guard(http.server.BaseHTTPRequestHandler):
	    protocol_version = "HTTP/1.1"
	    def answer(self, status, headers, body):
	        self.send_response(status)
	        for name, value in headers:
	            self.send_header(name, value)
	        self.end_headers()
	        self.wfile.write(body)
	    def do_GET(self):
	        if self.headers["Authorization"] != right:
	            body = b'{"errors":[{"code":"UNAUTHORIZED","message":"show your badge"}]}'
	            return self.answer(401, [("WWW-Authenticate", 'Basic realm="site"'), ("Content-Type", "application/json"),
	                                     ("Content-Length", str(len(body)))], b"" if self.command == "HEAD" else body)
	        behind = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
	        behind.request(self.command, self.path, headers={k: v for k, v in self.headers.items() if k in ("Accept", "Range")})
	        r = behind.getresponse()
	        self.answer(r.status, [h for h in r.getheaders() if h[0] not in ("Connection", "Date")], r.read())
	    do_HEAD = do_GET
	server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guard)
	print(server.server_address[1], flush=True)
	server.serve_forever()
END
guard=$!
cleanup kill $guard
until_true 20 test -s "$T/guard.port"
guarded=127.0.0.1:$(cat "$T/guard.port")
auth() { printf '{"auths":{"%s":{"auth":"%s"}}}' "$guarded" "$(printf %s "$1" | base64)" >"$T/auth.json"; }
list "registry.local:5000/acme/many:2.0=docker://$guarded/acme/many:2.0"
auth site:secret
REGISTRY_AUTH_FILE=$T/auth.json NAME=guarded-1.sqsh check "a registry with a password, and the file that has it" B --images "$T/list" --platform all --insecure --name l
check "gives the same layer" cmp "$T/out.d/guarded-1.sqsh" "$T/out.d/fetched-1.sqsh"
rm -f "$T/out.d/guarded-1.sqsh"*
auth site:wrong
REGISTRY_AUTH_FILE=$T/auth.json NAME=guarded-1.sqsh check_status 1 "with another password" B --images "$T/list" --insecure
check_output "the registry's words are passed on" "registry.local:5000/acme/many:2.0: skopeo failed.*(unauthorized|authentication required|show your badge)"
REGISTRY_AUTH_FILE=$T/none.json NAME=guarded-1.sqsh check_status 1 "and without one" B --images "$T/list" --insecure
check_output "too" "registry.local:5000/acme/many:2.0: skopeo failed.*(unauthorized|authentication required|show your badge)"
check_equal "nothing was made" "$(find "$T/out.d" -name "guarded*")" ""
kill $guard

# Names, signatures, standard input.
list "oci:$T/one:1.0"
check_status 2 "an image without a full name" B --images "$T/list"
check_output "says what to write" "REFERENCE=oci:"
list "oci:$T/one:nope"
check_status 2 "a name that a layout has not" B --images "$T/list"
check_output "is answered by those that it has" 'has no image "nope"; it has 1.0'
list "oci:$T/one:1.0"
check "YAML is printed where it is asked for" bash -c "echo 'x.io/one:1=oci:$T/one:1.0' | larder build --images - --output '$T/out.d/yaml-1.sqsh' -o yaml"
check_output "with the keys of JSON" "^digest: .?sha256:"
sed -i 's|"org.opencontainers.image.ref.name":"1.0"|"org.opencontainers.image.ref.name":"1.0","io.containerd.image.name":"quay.io/x/one:1.0"|' "$T/one/index.json"
check "an image that says its name" B --images "$T/list" --json
check_equal "is called so" "$(jq -r '.images[].reference' "$T/stdout")" quay.io/x/one:1.0
check "standard input" bash -c "echo 'oci:$T/one' | larder build --images - --output '$T/out.d/stdin-2.sqsh'"
# As sshd gives it: a socket, which cannot be opened by its name.
check "standard input that is a socket" python3 -c 'import socket, subprocess, sys
ours, its = socket.socketpair()
ours.sendall(sys.argv[1].encode())
ours.shutdown(socket.SHUT_WR)
sys.exit(subprocess.run(["larder", "build", "--images", "-", "--output", sys.argv[2]], stdin=its).returncode)' "oci:$T/one" "$T/out.d/socket-2.sqsh"
check_status 2 "standard input that is closed" bash -c "larder build --images - --output '$T/out.d/x-1.sqsh' <&-"
check_output "is named" "cannot read standard input"
check "a list as editors on Windows write it" bash -c "printf '\xef\xbb\xbfoci:$T/one\r\n\r\n' | larder build --images - --output '$T/out.d/windows-2.sqsh'"
mkdir "$T/out.d/dir-1.sqsh"
: >"$T/out.d/dir-1.sqsh.sha256"
NAME=dir-1.sqsh check_status 2 "an output that is a directory" B --images "$T/list"
check_output "is named before anything is done" "dir-1.sqsh is a directory"
check "what lies beside it is left" test -e "$T/out.d/dir-1.sqsh.sha256"
rm -r "$T/out.d/dir-1.sqsh"*
check_status 1 "a layer of which nothing can be said" bash -c "echo 'oci:$T/one' | larder build --images - --output '$T/out.d/untold-2.sqsh' >/dev/full"
check_output "for the reason that is given" "cannot write to standard output: No space left on device"
check "is there, whole" bash -c "cd '$T/out.d' && sha256sum --quiet --check untold-2.sqsh.sha256"
check_status 2 "a bad list" bash -c "printf 'ok\nNot Ok\n' | larder build --images - --output '$T/out.d/x-1.sqsh'"
check_output "is named with its line" "standard input:2: "
check_status 2 "a name that is none" B --images "$T/list" --name 'a/b'
check_status 2 "a version that is none" B --images "$T/list" --version '../1'
check_status 2 "an output that is no layer" larder build --images "$T/list" --output "$T/out.d/x.img"
check_status 2 "two outputs" B --images "$T/list" --output "$T/out.d/second-1.sqsh"
check_output "are one too many" "--output is given twice"
check_status 2 "two lists" B --images "$T/list" --images "$T/list"
check_status 2 "two lines of description" B --images "$T/list" --description $'a\nb'
openssl genpkey -algorithm ed25519 -out "$T/key" 2>"$T/out"
openssl pkey -in "$T/key" -pubout -out "$T/pub"
check "signed" B --images "$T/list" --sign "$T/key"
unsquashfs -cat "$T/out.d/l-1.sqsh" larder/layers/l.yaml >"$T/yaml"
check "openssl agrees with the signature" openssl pkeyutl -verify -pubin -inkey "$T/pub" -rawin -in "$T/yaml" -sigfile "$T/out.d/l-1.sqsh.sig"
check "unsigned again" B --images "$T/list"
check "the old signature is gone" test ! -e "$T/out.d/l-1.sqsh.sig"
check_status 2 "a key that is none" B --images "$T/list" --sign "$T/pub"

# One image of two names, as docker save writes it; and two images of one name.
cp -r "$T/one" "$T/names"
jq '.manifests |= [.[0], (.[0] | .annotations["io.containerd.image.name"] = "quay.io/y/two:1.0")]' "$T/one/index.json" >"$T/names/index.json"
for source in "$T/names" "$T/names:1.0" "$T/names:quay.io/y/two:1.0"; do
	list "x.io/x:1=oci:$source"
	check "one image of two names, by ${source#"$T/"}" B --images "$T/list"
done
list "oci:$T/names"
check "both names" B --images "$T/list" --json
check_equal "are taken" "$(jq -r '.images[].reference' "$T/stdout" | paste -sd' ')" "quay.io/x/one:1.0 quay.io/y/two:1.0"
jq --arg other "$(jq -r '.manifests[0].digest' "$T/many/index.json")" '.manifests[1].digest = $other' "$T/names/index.json" >"$T/index" && mv "$T/index" "$T/names/index.json"
list "x.io/x:1=oci:$T/names:1.0"
check_status 2 "two images of one name" B --images "$T/list"
check_output "are one too many" "has 2 images; say which"
list "oci:$T/one:1.0"

# What is wrong in a source does not get into a layer, and an older layer stays as it was.
before=$(sha256sum "$T/out.d/l-1.sqsh")
blob=$(find "$T/one/blobs/sha256" -size +500k)
python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(1000); c = f.read(1); f.seek(1000); f.write(bytes([c[0] ^ 1]))' "$blob"
check_status 1 "a blob with a flipped bit" B --images "$T/list"
check_output "is named" "${blob##*/}.*its bytes are not those"
truncate -s -1 "$blob"
check_status 1 "a blob that is too short" B --images "$T/list"
check_output "is named with both sizes" "bytes, but its manifest says"
rm "$blob"
check_status 1 "a blob that is not there" B --images "$T/list"
check_output "is named, too" "blob sha256:${blob##*/} is not in the source"
ln -s /etc/passwd "$blob"
check_status 1 "a blob that is a symlink" B --images "$T/list"
echo x >>"$T/many/blobs/sha256/${many#sha256:}"
list "x=oci:$T/many:2.0"
check_status 1 "a manifest with other bytes" B --images "$T/list"
check_equal "the older layer is as it was" "$(sha256sum "$T/out.d/l-1.sqsh")" "$before"
check_equal "nothing is left over" "$(left_over)" 0

# What a source says of platforms and names is anybody's: none of it gets into the layer manifest as something else, nor steers a terminal.
layout() { # NAME PYTHON…: a layout with one image, of which the lines change "item", what the index says of it, or "blob", what its manifest says
	mkdir -p "$T/$1/blobs/sha256" && python3 - "$T/$1" "$2" <<-'END'
		import hashlib, json, sys
		where, change = sys.argv[1:]
		def put(data, kind, **more):
		    name = hashlib.sha256(data).hexdigest()
		    open(f"{where}/blobs/sha256/{name}", "wb").write(data)
		    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + name, "size": len(data), **more}
		def document(kind, **content):
		    return put(json.dumps({"schemaVersion": 2, **content}).encode(), kind)
		config = put(b'{"os": "linux", "architecture": "amd64"}', "config.v1+json")
		blob = put(b"layer", "layer.v1.tar")
		name = "v1"
		if change.startswith("blob"):
		    exec(change)
		item = {**document("manifest.v1+json", config=config, layers=[blob]), "platform": {"os": "linux", "architecture": "amd64"}}
		if not change.startswith("blob"):
		    exec(change)
		index = {**document("index.v1+json", manifests=[item]), "annotations": {"org.opencontainers.image.ref.name": name}}
		open(f"{where}/oci-layout", "w").write('{"imageLayoutVersion": "1.0.0"}')
		open(f"{where}/index.json", "w").write(json.dumps({"schemaVersion": 2, "manifests": [index]}))
	END
}
layout injected 'item["platform"]["architecture"] = "amd64]\n  - reference: evil.io/x:1\n    omitted: [x/y"'
list "x.io/x:1=oci:$T/injected"
NAME=injected-1.sqsh check "a platform that is none" B --images "$T/list" --platform all
NAME=injected-1.sqsh check_status 2 "which nobody can ask for" B --images "$T/list" --platform linux/amd64
unsquashfs -cat "$T/out.d/injected-1.sqsh" larder/layers/injected.yaml >"$T/yaml"
check_equal "is not in the layer manifest" "$(grep -c 'evil\|platforms\|omitted' "$T/yaml")" 0
layout steering 'name = "v1\x1b[31m\x07\u009b"'
list "x.io/x:1=oci:$T/steering:none"
check_status 2 "a name with control characters" B --images "$T/list"
check_output "is shown without them" 'it has v1\\x1b\[31m\\x07\\xc2\\x9b$'
for size in 1099511627776 35184372088832 9223372036854775807; do
	layout vast "blob[\"size\"] = $size"
	list "x.io/x:1=oci:$T/vast"
	check_status 1 "a blob that is said to have $size bytes" B --images "$T/list"
	check_output "is named" "has 5 bytes, but its manifest says $size"
done

layout wordy 'item["platform"]["variant"] = "v" * 60'
list "x.io/x:1=oci:$T/wordy"
NAME=wordy-1.sqsh check "a platform that is too long to be one" B --images "$T/list" --platform all --json
check_equal "is not listed" "$(jq -c '.images[0].platforms' "$T/stdout")" '[]'
# What an index lists without a platform: as runtimes take it.
nested='arm = {**document("manifest.v1+json", config=put(b"{}", "config.v1+json"), layers=[put(b"arm", "layer.v1.tar")]), "platform": {"os": "linux", "architecture": "arm64"}}
item = document("index.v1+json", manifests=[item, arm])'
layout inner "$nested"
list "x.io/x:1=oci:$T/inner"
NAME=nested-1.sqsh check "an index in an index, without a platform" B --images "$T/list" --platform linux/arm64 --json
check_equal "has what is wanted" "$(jq -c '.images[0] | [.platforms, .omitted]' "$T/stdout")" '[["linux/arm64"],["linux/amd64"]]'
check_status 2 "for a platform that none has" B --images "$T/list" --platform linux/s390x
check_output "it is refused with those that there are" "it has linux/amd64, linux/arm64"
list "x.io/x:1=oci:$T/inner"
NAME=nested-1.sqsh check "all of it" B --images "$T/list" --platform all
larderd --cache "$T/out.d/nested-1.sqsh" --listen 127.0.0.1:0 >"$T/larderd.log" 2>&1 &
larderd=$!
cleanup "kill $larderd"
until_true 20 grep -q '^listening' "$T/larderd.log"
list "x.io/x:1=docker://$(sed -n 's/^listening on //p' "$T/larderd.log")/x.io/x:1"
for platform in linux/arm64 all; do
	NAME=fetched-1.sqsh check "from a registry: $platform" B --images "$T/list" --platform $platform --insecure --json
	check_equal "has what is wanted" "$(jq -c '.images[0].platforms' "$T/stdout")" "$(if [ $platform = all ]; then echo '["linux/amd64","linux/arm64"]'; else echo '["linux/arm64"]'; fi)"
done
kill $larderd
layout plainly 'first = document("manifest.v1+json", config=put(b"{}", "config.v1+json"), layers=[put(b"first", "layer.v1.tar")])
second = document("manifest.v1+json", config=put(b"{}", "config.v1+json"), layers=[put(b"second", "layer.v1.tar")])
keep = document
document = lambda kind, **content: keep(kind, manifests=[item, first, second])'
list "x.io/x:1=oci:$T/plainly"
NAME=plainly-1.sqsh check "images without a platform" B --images "$T/list" --platform linux/amd64
check "are left out where another is wanted" test "$(unsquashfs -l "$T/out.d/plainly-1.sqsh" | grep -c /digest/)" = 2
NAME=plainly-1.sqsh check "where none is" B --images "$T/list" --platform linux/arm64
check_equal "the first of them is taken" "$(unsquashfs -cat "$T/out.d/plainly-1.sqsh" "blob/sha256-$(printf first | sha256sum | cut -d' ' -f1)")" first
check_equal "alone" "$(unsquashfs -l "$T/out.d/plainly-1.sqsh" | grep -c /digest/)" 2
# More than a layer manifest may hold, which would not be read.
layout wide 'item["platform"]["architecture"] = "none"
others = [{**item, "platform": {"os": "linux", "architecture": f"a{i}"}} for i in range(4000)]
keep = document
document = lambda kind, **content: keep(kind, manifests=content["manifests"] + others)'
seq 100 | sed "s|.*|x.io/x:&=oci:$T/wide|" >"$T/list"
NAME=wide-1.sqsh check_status 2 "more than a layer manifest may list" B --images "$T/list" --platform linux/none
check_output "is told so" "are too many for one layer"
check_equal "and not built" "$(find "$T/out.d" -name 'wide*')" ""
head -50 "$T/list" >"$T/fewer"
NAME=wide-1.sqsh check "half of it is built" B --images "$T/fewer" --platform linux/none

# A repository that is not found in a cache tree.
layout plain 'name = "v1"'
list "x.io/$(printf 'p/%.0s' {1..32})p:1=oci:$T/plain"
NAME=plain-1.sqsh check_status 2 "a repository of 33 parts" B --images "$T/list" --platform all
check_output "is told why not" "its repository has more than 32 parts"

# "reference" and "digest" are directories of the tree, and may be parts of a repository's name.
list "x.io/a:1=oci:$T/plain" "x.io/a/reference:latest=oci:$T/plain" "x.io/a/digest/reference:1=oci:$T/plain"
NAME=kinds-1.sqsh check "repositories with such parts" B --images "$T/list" --platform all
echo "layer:$T/out.d/kinds-1.sqsh" >"$T/list"
NAME=again-1.sqsh check "read again" B --images "$T/list" --platform all --json
check_equal "have their names" "$(jq -r '.images[].reference' "$T/stdout" | paste -sd' ')" "x.io/a/digest/reference:1 x.io/a/reference:latest x.io/a:1"
list "x.io/a:digest=oci:$T/plain" "x.io/a/reference:1=oci:$T/plain"
NAME=plain-1.sqsh check_status 2 "a tag that has the name of another repository's directory" B --images "$T/list" --platform all
check_output "is told which" "x.io/a:digest and x.io/a/reference cannot be in one cache"

# A manifest by another digest than a tag can lead to.
layout long 'name = "v1"'
known=$T/long/blobs/sha256/$(jq -r '.manifests[0].digest | ltrimstr("sha256:")' "$T/long/index.json")
hex=$(sha512sum <"$known" | cut -d' ' -f1)
mkdir "$T/long/blobs/sha512"
cp "$known" "$T/long/blobs/sha512/$hex"
jq --arg digest "sha512:$hex" '.manifests[0].digest = $digest' "$T/long/index.json" >"$T/index" && mv "$T/index" "$T/long/index.json"
list "x.io/x:1=oci:$T/long"
NAME=long-1.sqsh check_status 2 "a tag of a manifest whose digest is of SHA-512" B --images "$T/list" --platform all
check_output "is told what would do" "call it x.io/x@sha512:$hex"
list "x.io/x@sha512:$hex=oci:$T/long"
NAME=long-1.sqsh check "and does" B --images "$T/list" --platform all

# A config that cannot be read says nothing of its platform, and is no config without one.
of_unread=$(make_image "$T/unread" 1.0 unread riscv64)
unread=$T/unread/blobs/sha256/$(jq -r '.config.digest | ltrimstr("sha256:")' "$T/unread/blobs/sha256/${of_unread#sha256:}")
list "x=oci:$T/unread:1.0"
check_status 1 "a config that cannot be read" env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -P "$unread" -e trace=pread64 -e inject=pread64:error=EIO:when=1 \
	larder build --output "$T/out.d/unread-1.sqsh" --images "$T/list" --platform all
check_output "is named" "$unread: Input/output error"

# Large blobs and small ones after them, also where files cannot be written past the page cache, or only not at once.
mkdir "$T/sizes"
for size in 12582912 100000 1048576 99999 70000 5000001 80000 90000; do
	head -c $size /dev/urandom >"$T/extra.bin"
	mkdir "$T/sizes/$size"
	IMAGE_EXTRA=$T/extra.bin make_image "$T/sizes/$size" tag $size riscv64 >/dev/null
	echo "x.io/sizes:$size=oci:$T/sizes/$size:tag"
done >"$T/list"
# Every blob is what its name says.
blobs_are_right() {
	rm -rf "$T/unpacked"
	unsquashfs -quiet -no-progress -d "$T/unpacked" "$T/out.d/$1" >"$T/out" && (cd "$T/unpacked/blob" && sha256sum ./* |
		awk '{ n++; if ("./sha256-" $1 != $2) bad++ } END { exit bad || n < 16 }')
}
NAME=sizes-1.sqsh check "images of many sizes" B --images "$T/list" --name l
check_equal "are in blocks of 1 MiB" "$(unsquashfs -stat "$T/out.d/sizes-1.sqsh" | sed -n 's/^Block size //p')" 1048576
check "every blob is as it is" blobs_are_right sizes-1.sqsh
check "the sum is that of the file" bash -c "cd '$T/out.d' && sha256sum --quiet --check sizes-1.sqsh.sha256"
mkdir "$T/ramfs"
# shellcheck disable=SC2016
check "a filesystem without O_DIRECT" unshare --map-root-user --mount sh -c 'mount -t ramfs ramfs "$0/ramfs" &&
	larder build --output "$0/ramfs/l-1.sqsh" --images "$0/list" --name l && cmp "$0/ramfs/l-1.sqsh" "$0/out.d/sizes-1.sqsh"' "$T"
check "one that refuses its writes" env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -e trace=pwrite64 -e inject=pwrite64:error=EINVAL:when=2 \
	larder build --output "$T/out.d/refused-1.sqsh" --images "$T/list" --name l
check "which was tried" grep -q "EINVAL.*INJECTED" "$T/trace"
check "gives the same to the byte" cmp "$T/out.d/sizes-1.sqsh" "$T/out.d/refused-1.sqsh"
# Interrupted while a registry does not answer: the program that waits for it ends as well.
python3 -u -c 'import socket, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
time.sleep(600)' >"$T/silent.port" &
silent=$!
cleanup "kill $silent"
until_true 20 test -s "$T/silent.port"
slow_build() { # OUTPUT: a build that waits for ever, $build, and the program that it waits for, $child
	list "x=docker://127.0.0.1:$(cat "$T/silent.port")/x"
	larder build --images "$T/list" --output "$1" --insecure 2>"$T/out" &
	build=$!
	until_true 20 bash -c "[ -n \"\$(cat /proc/$build/task/$build/children)\" ]"
	child=$(tr ' ' '\n' <"/proc/$build/task/$build/children" | grep -v '^$' | head -1)
	cleanup "kill $child"
}
slow_build "$T/out.d/slow-1.sqsh"
check_equal "a work directory is there meanwhile" "$(left_over)" 1
kill -TERM $build
wait $build
check_equal "it ends by the signal" $? 143
check "its child has ended" until_true 20 bash -c "! kill -0 $child"
check_equal "and leaves nothing" "$(left_over)" 0

# One that is killed leaves its work directory; the next build in that directory takes it away, and no other.
slow_build "$T/out.d/killed-1.sqsh"
kill -KILL "$build"
wait "$build" 2>/dev/null
check "the program that a killed build waits for ends with it" until_true 20 bash -c "! kill -0 $child"
check_equal "a build that is killed leaves its work directory" "$(left_over)" 1
check_equal "and no layer" "$(find "$T/out.d" -name 'killed*')" ""
slow_build "$T/out.d/alive-1.sqsh"
mkdir "$T/out.d/.larder-build.notmine-really"
: >"$T/out.d/.larder-build.afile"
list "tree:$tree"
check "the next build beside one that lives" B --images "$T/list"
check "leaves the work of the living" kill -0 "$build"
check_equal "takes that of the dead" "$(find "$T/out.d" -mindepth 1 -maxdepth 1 -type d -name '.larder-build*' | wc -l)" 1
check "and no file" test -e "$T/out.d/.larder-build.afile"
kill -TERM "$build"
wait "$build" 2>/dev/null
check_equal "then nothing is left" "$(find "$T/out.d" -mindepth 1 -type d | wc -l)" 0

# Killed at each name it gives or takes: there is the older layer or the new one, and nothing beside it that belongs to the other.
mkdir "$T/older" "$T/k"
list "tree:$tree"
check "an older layer" larder build --images "$T/list" --output "$T/older/k-1.sqsh" --sign "$T/key" --description older
whole() { # what is in $T/k is a layer, with what fits beside it or nothing
	[ -s "$T/k/k-1.sqsh" ] && { [ ! -e "$T/k/k-1.sqsh.sha256" ] || (cd "$T/k" && sha256sum --quiet --check k-1.sqsh.sha256); } &&
		{ [ ! -e "$T/k/k-1.sqsh.sig" ] || { unsquashfs -cat "$T/k/k-1.sqsh" larder/layers/k.yaml >"$T/yaml" &&
			openssl pkeyutl -verify -pubin -inkey "$T/pub" -rawin -in "$T/yaml" -sigfile "$T/k/k-1.sqsh.sig" >"$T/out"; }; } &&
		[ -z "$(find "$T/k" -maxdepth 1 -name '.*' ! -name '.larder-build.*' -type f)" ]
}
killed=0 new=0 bad=0
for call in rename renameat unlink unlinkat; do
	for ((n = 1; n <= 20; n++)); do # strace counts each call by itself
		rm -f "$T/k/"*
		cp "$T/older/"* "$T/k/"
		ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -e trace=$call -e "inject=$call:signal=KILL:when=$n" \
			larder build --images "$T/list" --output "$T/k/k-1.sqsh" --sign "$T/key" --description newer >"$T/out" 2>&1 && break
		killed=$((killed + 1))
		cmp -s "$T/k/k-1.sqsh" "$T/older/k-1.sqsh" || new=$((new + 1))
		whole || { bad=$((bad + 1)) && note "$call $n: $(cd "$T/k" && echo ./* .*)"; }
	done
done 2>"$T/shell"
check "a build was killed before its image had its name" test "$((killed - new))" -gt 0
check "and after" test "$new" -gt 0
check_equal "each time what is there fits together" "$bad" 0
check "the last one was not" whole
check_equal "it is the new one, with all that belongs to it" "$(cd "$T/k" && echo * && find . -name '.larder*')" "k-1.sqsh k-1.sqsh.sha256 k-1.sqsh.sig"

# Two into one file, of which one is held up between the image's name and the sum's: one after the other gives its names.
ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -e trace=rename -e inject=rename:signal=STOP:when=1 \
	larder build --images "$T/list" --output "$T/k/k-1.sqsh" --description first >"$T/out" 2>&1 &
first=$!
check "one build is held up" until_true 60 grep -qs 'stopped by SIGSTOP' "$T/trace"
larder build --images "$T/list" --output "$T/k/k-1.sqsh" --description second >"$T/second" 2>&1 &
second=$!
ended_or_waits() { ! kill -0 $second || grep -q -- "-> FLOCK .* $second " /proc/locks; }
check "the other ends, or waits for it" until_true 60 ended_or_waits
kill -CONT "$(awk '/stopped by SIGSTOP/ { print $1; exit }' "$T/trace")"
check "the one ends" wait $first
check "and the other" wait $second
check "the layer has its own sum" whole
# What lies there may be another build's that has the lock.
mkdir "$T/unlocked"
echo "of another build" >"$T/unlocked/k-1.sqsh.sha256"
check_status 1 "one that cannot lock the directory" env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -P "$T/unlocked" \
	-e trace=flock -e inject=flock:error=ENOLCK larder build --images "$T/list" --output "$T/unlocked/k-1.sqsh"
check_output "says so" "unlocked/k-1.sqsh: cannot lock its directory: No locks available"
check_equal "and leaves what is there" "$(cat "$T/unlocked/"*)" "of another build"
done_testing
