#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larder build, the same of every kind of source: the same bytes whatever it is read from, and when, and in which order files lie; one
# wrong bit found in each; no symlink followed; platforms; and a signal at any moment, after which nothing is there.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
requires mksquashfs unsquashfs skopeo jq busybox python3
mkdir "$T/out.d" "$T/tmp"
export TMPDIR=$T/tmp
B() { larder build --images "$T/list" --output "$T/out.d/${NAME:-l-1.sqsh}" --name l "$@"; }
list() { printf '%s\n' "$@" >"$T/list"; }

# One image for three platforms in every form that there is; what is large enough to be hit by a flipped bit is random.
head -c 300000 /dev/urandom >"$T/extra.bin"
mkdir "$T/image" "$T/one"
index=$(IMAGE_EXTRA=$T/extra.bin make_image "$T/image" tag many amd64 arm64 riscv64)
IMAGE_EXTRA=$T/extra.bin make_image "$T/one" tag one riscv64 >/dev/null
# make_tree LAYOUT DIR COMMAND: a cache tree as Talos writes it, two repositories with two tags each, made in the order that the command gives.
make_tree() {
	local file repository tag manifests=$2/manifests/registry.local_5000_/acme
	mkdir -p "$2/blob"
	for repository in $(printf '%s\n' app other | $3); do
		mkdir -p "$manifests/$repository/"{digest,reference}
		for file in $(cd "$1/blobs/sha256" && printf '%s\n' ./* | $3); do
			file=$1/blobs/sha256/${file#./}
			if grep -qa '^{"schemaVersion"' "$file"; then cp "$file" "$manifests/$repository/digest/sha256-${file##*/}"
			else cp "$file" "$2/blob/sha256-${file##*/}"; fi
		done
		file=$(jq -r '.manifests[0].digest' "$1/index.json")
		for tag in $(printf '%s\n' 1 2 | $3); do cp "$1/blobs/sha256/${file#sha256:}" "$manifests/$repository/reference/$tag"; done
	done
}
# Where files are listed as they were made, if this host has such a place.
trees=$(mktemp -d /dev/shm/larder-test.XXXXXX 2>"$T/out" || mktemp -d "$T/trees.XXXXXX")
cleanup "rm -rf '$trees'"
make_tree "$T/image" "$trees/tree" sort
make_tree "$T/image" "$trees/tree2" "sort -r"
skopeo copy -q --all --preserve-digests "oci:$T/image:tag" "oci-archive:$T/image.tar:tag"
skopeo copy -q --all --preserve-digests "oci:$T/image:tag" "dir:$T/image.dir"
skopeo copy -q --override-arch riscv64 "oci:$T/one:tag" "docker-archive:$T/one.tar:one:1"

larderd --cache "$trees/tree" --listen 127.0.0.1:0 --run-dir "$T/larderd" >"$T/larderd.log" 2>&1 &
server=$!
cleanup "kill $server; wait $server"
until_true 20 grep -q '127\.0\.0\.1:[0-9]' "$T/larderd.log"
port=$(sed -n 's/.*127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' "$T/larderd.log" | head -1)

name=registry.local:5000/acme/app:1
declare -A sources=(
	[oci]="$name=oci:$T/image:tag" [oci-archive]="$name=oci-archive:$T/image.tar:tag" [dir]="$name=dir:$T/image.dir"
	[tree]="$name=tree:$trees/tree" [whole-tree]="tree:$trees/tree" [registry]="$name=docker://127.0.0.1:$port/acme/app:1" [layer]="layer:$T/oci-1.sqsh"
	[docker-archive]="$name=docker-archive:$T/one.tar" [same-tree]="tree:$trees/tree2"
)
# twice KIND: built now, and then with another clock, zone, umask, language, directory, and with files that were touched.
twice() {
	list "${sources[$1]}"
	NAME=$1-1.sqsh check "$1: built" B --platform all --insecure
	cp "$T/out.d/$1-1.sqsh" "$T/$1-1.sqsh"
	find "$T/image" "$T/image.dir" "$trees"/tree* "$T"/*.tar -exec touch -d "2001-02-03 04:05:06" {} +
	NAME=$1-1.sqsh check "$1: built again, elsewhere and at another time" \
		env TZ=Asia/Tokyo LANG=tr_TR.UTF-8 bash -c "umask 077; cd / && exec larder build --images '$T/list' --output '$T/out.d/again-1.sqsh' --name l --platform all --insecure"
	check "$1: the same bytes" cmp "$T/$1-1.sqsh" "$T/out.d/again-1.sqsh"
}
for kind in oci oci-archive dir tree registry layer; do
	twice $kind
	check "$kind: and the same as from a layout" cmp "$T/oci-1.sqsh" "$T/$kind-1.sqsh"
done
for kind in docker-archive whole-tree same-tree; do twice $kind; done
check "in whatever order files lie" cmp "$T/whole-tree-1.sqsh" "$T/same-tree-1.sqsh"
list "${sources[oci]}"
export SOURCE_DATE_EPOCH=1700000000
check "with SOURCE_DATE_EPOCH" B --platform all
cp "$T/out.d/l-1.sqsh" "$T/dated"
check "again" B --platform all
check "the same bytes" cmp "$T/dated" "$T/out.d/l-1.sqsh"
check_status 1 "which are others than without" cmp -s "$T/dated" "$T/oci-1.sqsh"
unset SOURCE_DATE_EPOCH

# Platforms: a list, in one word or in two; and what a source has not because somebody left it out before.
built() { B "$@" --json && jq -c '.images[0] | [.platforms, .omitted]' "$T/stdout" >"$T/built"; }
declare -A platforms=(
	["--platform linux/arm64,linux/riscv64"]='[["linux/arm64","linux/riscv64"],["linux/amd64"]]'
	["--platform linux/riscv64 --platform linux/amd64"]='[["linux/amd64","linux/riscv64"],["linux/arm64"]]'
	["--platform all"]='[["linux/amd64","linux/arm64","linux/riscv64"],[]]'
	["--platform linux/s390x,linux/arm64"]='[["linux/arm64"],["linux/amd64","linux/riscv64"]]'
)
for options in "${!platforms[@]}"; do
	# shellcheck disable=SC2086
	check "$options" B $options --json
	check_equal "what is there, and what is not" "$(jq -c '.images[0] | [.platforms // [], .omitted // []]' "$T/stdout")" "${platforms[$options]}"
	check_equal "the digest is that of the index" "$(jq -r '.images[0].digest' "$T/stdout")" "$index"
done
NAME=arm-1.sqsh check "a layer of one platform" B --platform linux/arm64
list "layer:$T/out.d/arm-1.sqsh"
check "as the source of another" B --platform linux/arm64 --json
check_equal "has still left out the others" "$(jq -c '.images[0] | [.platforms, .omitted]' "$T/stdout")" '[["linux/arm64"],["linux/amd64","linux/riscv64"]]'
check "and is the same layer" cmp "$T/out.d/arm-1.sqsh" "$T/out.d/l-1.sqsh"
for platform in linux/amd64 all; do
	check_status 1 "of which $platform cannot be had" B --platform $platform
	check_output "and it says what is not there" "the manifest sha256:[0-9a-f]{64} is not in the source"
done

# One bit, in each kind of source: of the largest blob, and of a manifest. Nothing is made of it.
flip() { # FILE: near its end
	python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(-50000 if f.seek(0, 2) > 100000 else -20, 2)
    c = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([c[0] ^ 1]))' "$1"
}
large=$(find "$T/image/blobs/sha256" -size +250k -printf '%f\n' | head -1)
arm=$(jq -r '.manifests[1].digest' "$T/image/blobs/sha256/${index#sha256:}")
arm=${arm#sha256:}
damaged() { # KIND WHAT LINE REGEX
	rm -f "$T/out.d/"*
	list "$3"
	check_status 1 "$1: a flipped bit in $2" B --platform all --insecure
	check_output "$1: $2 is named" "$4"
	check_equal "$1: nothing was made" "$(ls -A "$T/out.d" "$T/tmp")" "$T/out.d:

$T/tmp:"
}
bad=$T/bad
mkdir "$bad"
for what in "the blob $large" "the manifest $arm"; do
	hex=${what##* }
	cp -r "$T/image" "$bad/image" && flip "$bad/image/blobs/sha256/$hex"
	damaged oci "$what" "$name=oci:$bad/image:tag" "$name|$hex"
	check_output "by its digest" "$hex"
	tar -C "$bad/image" -cf "$bad/image.tar" blobs index.json oci-layout
	damaged oci-archive "$what" "$name=oci-archive:$bad/image.tar:tag" "$name.*(Digest did not match|$hex)"
	cp -r "$T/image.dir" "$bad/dir"
	file=$bad/dir/$hex
	[ -e "$file" ] || file+=.manifest.json
	flip "$file"
	damaged dir "$what" "$name=dir:$bad/dir" "$hex"
	cp -r "$trees/tree" "$bad/tree"
	while read -r file; do flip "$file"; done < <(find "$bad/tree" -name "sha256-$hex")
	damaged tree "$what" "tree:$bad/tree" "$hex"
	damaged "tree, by the name of one image" "$what" "$name=tree:$bad/tree" "$hex"
	unsquashfs -quiet -no-progress -d "$bad/unpacked" "$T/oci-1.sqsh" >"$T/out"
	flip "$(find "$bad/unpacked" -name "sha256-$hex")"
	mksquashfs "$bad/unpacked" "$bad/l-1.sqsh" -noappend -quiet -no-progress -no-xattrs >"$T/out"
	damaged layer "$what" "layer:$bad/l-1.sqsh" "$hex"
	rm -rf "${bad:?}"/*
done
# A tag that leads to other bytes than any manifest that is there.
cp -r "$trees/tree" "$bad/tree" && echo >>"$bad/tree/manifests/registry.local_5000_/acme/app/reference/1"
damaged tree "a tag" "tree:$bad/tree" "the manifest sha256:[0-9a-f]{64} is not in the source"
# Docker's archives name layers by what they are unpacked: their config says so.
mkdir "$bad/docker" && tar -C "$bad/docker" -xf "$T/one.tar"
flip "$(find "$bad/docker" -type f -name '*.tar' -size +250k | head -1)"
tar -C "$bad/docker" -cf "$bad/docker.tar" .
damaged docker-archive "a layer" "$name=docker-archive:$bad/docker.tar" "$name: skopeo failed.*[Dd]igest"
# A registry that lies: it has the right manifests, and a blob with a flipped bit.
cat >"$T/liar.py" <<'END'
import http.client, http.server, sys
upstream, wrong, mode, log = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
import time
class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_GET(self):
        behind = http.client.HTTPConnection("127.0.0.1", upstream)
        behind.request(self.command, self.path, headers={k: v for k, v in self.headers.items() if k in ("Accept", "Range")})
        r = behind.getresponse()
        body = bytearray(r.read())
        hit = wrong in self.path and self.command == "GET" and r.status == 200
        if hit and mode == "flip":
            body[-20] ^= 1
        self.send_response(r.status)
        for name, value in r.getheaders():
            if name not in ("Connection", "Date"):
                self.send_header(name, value)
        self.end_headers()
        if hit and mode == "hang":
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            with open(log, "a") as f: f.write("hanging\n")
            time.sleep(600)
        self.wfile.write(body)
    do_HEAD = do_GET
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
END
liar() { # DIGEST MODE: $lies is its port
	rm -f "$T/liar.port"
	python3 "$T/liar.py" "$port" "$1" "$2" "$T/hanging" >"$T/liar.port" 2>"$T/liar.log" &
	liar=$!
	cleanup "kill $liar"
	until_true 20 test -s "$T/liar.port"
	lies=$(cat "$T/liar.port")
}
for what in "the blob $large" "the manifest $arm"; do
	liar "${what##* }" flip
	damaged registry "$what" "$name=docker://127.0.0.1:$lies/acme/app:1" "$name: (skopeo failed.*([Dd]igest|${what##* })|the manifest sha256:${what##* })"
	kill $liar
done

# Nothing is read through a symlink, wherever it is in a tree or a layout, though what it leads to is right.
rm -rf "${bad:?}"/*
link() { mv "$1" "$bad/away" && ln -s "$bad/away" "$1"; }
repository=manifests/registry.local_5000_/acme/app
for what in blob "blob/sha256-$large" "$repository/digest" "$repository/digest/sha256-$arm"; do
	cp -r "$trees/tree" "$bad/tree"
	link "$bad/tree/$what"
	list "tree:$bad/tree"
	check_status 1 "tree: $what is a symlink" B --platform all
	check_output "which is not followed" "it is, or lies behind, a symlink, and none is followed"
	rm -rf "${bad:?}"/*
done
for what in "$repository/reference" "$repository" manifests; do
	cp -r "$trees/tree" "$bad/tree"
	link "$bad/tree/$what"
	list "$name=tree:$bad/tree"
	run B --platform all
	[ "$status" != 0 ]
	verdict $? "tree: $what is a symlink: nothing is built of what is behind it"
	rm -rf "${bad:?}"/*
done
for what in blobs blobs/sha256 "blobs/sha256/$large"; do
	cp -r "$T/image" "$bad/image"
	link "$bad/image/$what"
	list "$name=oci:$bad/image:tag"
	check_status 1 "oci: $what is a symlink" B --platform all
	check_output "which is not followed" "it is, or lies behind, a symlink, and none is followed"
	rm -rf "${bad:?}"/*
done

# A signal, at any moment: while a registry is asked, while it sends, while an archive is unpacked, while the image is written.
# Each time what was started ends, and nothing is left, beside the output or where programs put what is temporary.
rm -f "$T/out.d/"*
mkdir "$T/slowest"
head -c 150000000 /dev/urandom >"$T/extra.bin"
IMAGE_EXTRA=$T/extra.bin make_image "$T/slowest" tag large riscv64 >/dev/null
tar -C "$T/slowest" -cf "$T/slowest.tar" blobs index.json oci-layout && rm -rf "$T/slowest"
# A blob that takes a second to pack.
mkdir "$T/large"
truncate -s 1G "$T/extra.bin"
IMAGE_EXTRA=$T/extra.bin make_image "$T/large" tag large riscv64 >/dev/null
rm "$T/extra.bin"
is_written() { [ -n "$(find "$T/out.d" -path '*/layer.sqsh' -size +1M)" ]; }
children() { cat "/proc/$build/task/$build/children" 2>/dev/null; }
unpacks() { [ -n "$(find "$T/out.d" -path '*/oci*/blobs/*' -size +1M)" ]; }
all_ended() {
	local pid
	for pid; do ! kill -0 "$pid" || return 1; done
}
started=0
interrupted() { # WHAT SIGNAL LINE UNTIL…
	local what=$1 signal=$2 child
	rm -f "$T/hanging" "$T/out.d/"*
	list "$3"
	shift 3
	find /var/tmp -mindepth 1 -maxdepth 1 \( -name 'oci*' -o -name 'docker-tar*' \) | sort >"$T/before"
	# A shell has its children in the background ignore SIGINT.
	env --default-signal=INT,TERM,HUP larder build --images "$T/list" --output "$T/out.d/l-1.sqsh" --name l --platform all --insecure >"$T/out" 2>&1 &
	build=$!
	until_true 30 "$@" || note "it did not come to that: $(cat "$T/out")"
	child=$(children)
	[ -n "$child" ] && started=$((started + 1))
	kill "-$signal" $build
	wait $build
	check_equal "$what: ends by SIG$signal" $? $((128 + $(kill -l "$signal")))
	# shellcheck disable=SC2086
	check "$what: what it waited for has ended" until_true 20 all_ended $child
	if [ "$signal" = KILL ]; then
		check_equal "$what: no layer is there" "$(find "$T/out.d" -name 'l-1*')" ""
		list "$name=oci:$T/one:tag"
		NAME=next-1.sqsh check "$what: the next build" B --platform all
		rm "$T/out.d/next"*
	fi
	check_equal "$what: nothing is left" "$(ls -A "$T/out.d" "$T/tmp")" "$T/out.d:

$T/tmp:"
	rm -rf "$T/out.d/"* "$T/tmp/"*
	check_equal "$what: nor in /var/tmp" "$(find /var/tmp -mindepth 1 -maxdepth 1 \( -name 'oci*' -o -name 'docker-tar*' \) | sort | comm -13 "$T/before" -)" ""
}
rounds=0
for signal in INT TERM HUP KILL; do
	liar /manifests/1 hang
	interrupted "a registry is asked" $signal "$name=docker://127.0.0.1:$lies/acme/app:1" test -s "$T/hanging"
	kill $liar
	liar "$large" hang
	interrupted "a registry sends" $signal "$name=docker://127.0.0.1:$lies/acme/app:1" test -s "$T/hanging"
	kill $liar
	interrupted "an archive is unpacked" $signal "$name=oci-archive:$T/slowest.tar:tag" unpacks
	rounds=$((rounds + 3))
	interrupted "the image is written" $signal "$name=oci:$T/large:tag" is_written
done
check_equal "a program was waited for each time" "$started" "$rounds"
done_testing
