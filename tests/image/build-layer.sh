#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larder build from a layer, which is read in place: the same bytes however it was packed; nothing of it is unpacked, whatever it
# expands to; and what is damaged, cut off or wrong is refused with words.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
requires mksquashfs unsquashfs jq busybox python3
export SOURCE_DATE_EPOCH=1700000000
mkdir "$T/bin" "$T/work" "$T/out.d" "$T/first" "$T/second" "$T/large"
printf '#!/bin/sh\n: >"%s"\nexit 1\n' "$T/called" >"$T/bin/unsquashfs" && chmod +x "$T/bin/unsquashfs"
# One that would be unpacked is noticed.
B() { PATH=$T/bin:$PATH larder build --images "$T/list" --output "$T/out.d/${NAME:-l-1.sqsh}" --name l --platform all "$@"; }
list() { printf '%s\n' "$@" >"$T/list"; }
squash() { env --unset=SOURCE_DATE_EPOCH mksquashfs "$T/tree" "$T/$1.sqsh" -noappend -quiet -no-progress -no-xattrs "${@:2}" >"$T/out" 2>&1; }

head -c 3000000 /dev/urandom >"$T/extra.bin"
{ seq 400000; cat "$T/extra.bin"; } >"$T/mixed.bin"
IMAGE_EXTRA=$T/mixed.bin make_image "$T/first" tag first amd64 arm64 riscv64 >/dev/null
IMAGE_EXTRA=$T/extra.bin make_image "$T/second" tag second riscv64 >/dev/null
list "ghcr.io/acme/second:2=oci:$T/second:tag" "registry.local:5000/acme/first:1=oci:$T/first:tag"
check "a layer" B
cp "$T/out.d/l-1.sqsh" "$T/l-1.sqsh"
unsquashfs -quiet -no-progress -d "$T/tree" "$T/l-1.sqsh" >"$T/out"
again() { # WHAT
	rm -rf "$T/out.d/"*
	list "layer:$T/$1.sqsh"
	check "$2: built from it" B
	check "$2: the same bytes" cmp "$T/l-1.sqsh" "$T/out.d/l-1.sqsh"
}
again l-1 "as larder packs"
squash plain && again plain "as mksquashfs packs"
squash zstd -comp zstd -b 4096 && again zstd "in blocks of 4 KiB by zstd"
squash xz -comp xz -no-fragments -b 1M && again xz "in blocks of 1 MiB by xz"
squash stored -noI -noD -noF -always-use-fragments && again stored "stored, in fragments"

# In part, by name, twice, and by turns with another, with few files open.
list "ghcr.io/acme/second:2=layer:$T/l-1.sqsh"
check "one image of it" B --json
check_equal "alone" "$(jq -c '[.images[].reference]' "$T/stdout")" '["ghcr.io/acme/second:2"]'
cp "$T/out.d/l-1.sqsh" "$T/second-1.sqsh"
list "ghcr.io/acme/third:2=layer:$T/l-1.sqsh"
check_status 2 "an image that it has not" B
check_output "is named with the layer" "l-1.sqsh: it has no ghcr.io/acme/third:2"
for _ in {1..40}; do
	echo "ghcr.io/acme/second:2=layer:$T/second-1.sqsh"
	echo "registry.local:5000/acme/first:1=layer:$T/plain.sqsh"
done >"$T/list"
check "two layers by turns, with few files open" bash -c "ulimit -n 32; PATH='$T/bin':\$PATH exec larder build --images '$T/list' --output '$T/out.d/l-1.sqsh' --name l --platform all"
check "the same bytes" cmp "$T/l-1.sqsh" "$T/out.d/l-1.sqsh"

# Beside the images what fills a disk when it is unpacked: a sparse file, one that expands a thousandfold, devices, and very many files.
truncate -s 2G "$T/tree/sparse"
yes | head -c 200000000 >"$T/tree/blob/repeated"
python3 -c 'import sys
for i in range(20000): open(f"{sys.argv[1]}/{i}", "w").close()' "$(mkdir -p "$T/tree/many" && echo "$T/tree/many")"
squash bomb -p "tree/zero c 666 0 0 1 5" -p "zero c 666 0 0 1 5" -b 1M
check "a bomb is small" test "$(stat -c %s "$T/bomb.sqsh")" -lt 20000000
rm -r "$T/tree/sparse" "$T/tree/blob/repeated" "$T/tree/many"
size=$(stat -c %s "$T/l-1.sqsh")
list "layer:$T/bomb.sqsh"
mkdir "$T/small"
# shellcheck disable=SC2016
check "needs no more room than the new layer" unshare --map-root-user --mount bash -c 'mount -t tmpfs -o size=$(($1 + 262144)),nr_inodes=20 tmpfs "$0/small" &&
	TMPDIR=$0/small PATH=$0/bin:$PATH larder build --images "$0/list" --output "$0/small/l-1.sqsh" --name l --platform all && cmp "$0/small/l-1.sqsh" "$0/l-1.sqsh"' "$T" "$size"

# Images of it that do.
bomb() { # FILE REGEX: it becomes a blob of an image
	local hex config digest repository=$T/hostile/manifests/x.io/bomb
	rm -rf "$T/hostile" && mkdir -p "$T/hostile/blob" "$repository/"{digest,reference}
	hex=$(printf %064d 7)
	mv "$1" "$T/hostile/blob/sha256-$hex"
	printf '{"os":"linux","architecture":"amd64"}' >"$T/config"
	config=$(sha256sum <"$T/config" | cut -d' ' -f1)
	cp "$T/config" "$T/hostile/blob/sha256-$config"
	jq -cn --arg c "sha256:$config" --argjson cs "$(stat -c %s "$T/config")" --arg l "sha256:$hex" --argjson ls "$(stat -c %s "$T/hostile/blob/sha256-$hex")" '{schemaVersion: 2,
		mediaType: "application/vnd.oci.image.manifest.v1+json", config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $c, size: $cs},
		layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar", digest: $l, size: $ls}]}' >"$repository/reference/1"
	digest=$(sha256sum <"$repository/reference/1" | cut -d' ' -f1)
	cp "$repository/reference/1" "$repository/digest/sha256-$digest"
	rm -f "$T/hostile.sqsh"
	mksquashfs "$T/hostile" "$T/hostile.sqsh" -quiet -no-progress -no-xattrs -b 1M >"$T/out" 2>&1
	list "layer:$T/hostile.sqsh"
}
truncate -s 2G "$T/blob" && bomb "$T/blob"
check_status 2 "a blob that is a hole" B
check_output "is out of proportion" "hostile.sqsh: its images have [0-9]+ bytes, which is more than 64 times the file"
yes | head -c 300000000 >"$T/blob" && bomb "$T/blob"
check_status 2 "a blob that expands a thousandfold" B
check_output "is out of proportion, too" "more than 64 times the file"
head -c 100000 /dev/urandom >"$T/blob" && bomb "$T/blob"
check_status 1 "a blob whose bytes are others" B
check_output "is named, and its layer" "hostile.sqsh/blob/sha256-0{63}7: its bytes are not those of sha256:0{63}7"
head -c 100000 /dev/urandom >"$T/blob" && bomb "$T/blob" && rm "$T/hostile/blob/sha256-0"*
mksquashfs "$T/hostile" "$T/hostile.sqsh" -noappend -quiet -no-progress -no-xattrs >"$T/out" 2>&1
check_status 1 "a blob that is not there" B
check_output "is named" "x.io/bomb:1: the blob sha256:0{63}7 is not in the source"
for kind in "symlink" "device" "directory"; do
	head -c 100000 /dev/urandom >"$T/blob" && bomb "$T/blob"
	name=sha256-$(printf %064d 7)
	rm "$T/hostile/blob/$name"
	case $kind in
	symlink) ln -s /etc/passwd "$T/hostile/blob/$name" ;;
	device) mknod "$T/hostile/blob/$name" p ;;
	directory) mkdir "$T/hostile/blob/$name" ;;
	esac
	mksquashfs "$T/hostile" "$T/hostile.sqsh" -noappend -quiet -no-progress -no-xattrs >"$T/out" 2>&1
	check_status 1 "a $kind as a blob" B
	check_output "is none" "the blob sha256:0{63}7 is not in the source"
done
mkdir "$T/empty" && mksquashfs "$T/empty" "$T/hostile.sqsh" -noappend -quiet -no-progress >"$T/out" 2>&1
check_status 2 "a squashfs without a cache tree" B
check_output "is no layer" "hostile.sqsh: there is no cache tree"

# Cut off, damaged, or something else.
refused() { # WHAT REGEX
	rm -rf "$T/out.d/"*
	list "layer:$T/damaged-1.sqsh"
	run B
	check_equal "$1: refused" "$((status == 1 || status == 2))" 1
	check_output "$1: with words" "$2"
	check_equal "$1: nothing is left" "$(ls -A "$T/out.d")" ""
}
for part in 0 1 95 96 5000 50% 90%; do
	n=$part
	[ "$n" = "${n%\%}" ] || n=$((size * ${n%\%} / 100))
	head -c "$n" "$T/l-1.sqsh" >"$T/damaged-1.sqsh"
	refused "cut off after $part" "only $n bytes? long|it is truncated: the file has $n bytes of [0-9]+"
done
echo "#!/bin/sh" | cat - /etc/passwd >"$T/damaged-1.sqsh"
refused "a script" "it is no squashfs image"
cp "$T/plain.sqsh" "$T/damaged-1.sqsh" && printf '\x63' | dd of="$T/damaged-1.sqsh" bs=1 seek=20 conv=notrunc status=none
refused "a compression that there is none of" "its compression is not supported"
# In what holds the data compressed.
cp "$T/plain.sqsh" "$T/damaged-1.sqsh" && head -c 300 /dev/urandom | dd of="$T/damaged-1.sqsh" bs=1 seek=2000 conv=notrunc status=none
refused "data that is damaged" "it cannot be read: the layer is damaged, or its disk is|its bytes are not those of"
# What says that data, or where data is told of, begins at 0, where libsquashfuse has nothing in its caches.
cat >"$T/zero.py" <<'PYTHON'
import struct, sys
source, to, what = sys.argv[1:]
data = bytearray(open(source, "rb").read())
inodes, directories, fragments = struct.unpack_from("<QQQ", data, 64)
pointer, = struct.unpack_from("<Q", data, fragments)
if what == "table":
    struct.pack_into("<Q", data, fragments, 0)
elif what == "fragment":
    for at in range(pointer + 2, fragments - 15, 16):
        struct.pack_into("<Q", data, at, 0)
else: # of each file that lies in a fragment alone: it does not any more
    block_size, = struct.unpack_from("<I", data, 12)
    at = inodes + 2
    while at < directories:
        kind, = struct.unpack_from("<H", data, at)
        if kind == 2:
            start, fragment, offset, size = struct.unpack_from("<IIII", data, at + 16)
            if fragment != 0xffffffff and size < block_size:
                struct.pack_into("<I", data, at + 20, 0xffffffff)
            at += 32 + 4 * (size // block_size + (fragment == 0xffffffff and size % block_size > 0))
        elif kind == 1:
            at += 32
        else:
            break
open(to, "wb").write(data)
PYTHON
for what in table fragment data; do
	python3 "$T/zero.py" "$T/stored.sqsh" "$T/damaged-1.sqsh" "$what"
	refused "$what at 0" "it cannot be read: the layer is damaged, or its disk is"
done
# Whatever is hit of the tables, it is refused, or what is built is right.
cat >"$T/hit.py" <<'PYTHON'
import random, struct, sys
source, to, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = bytearray(open(source, "rb").read())
inodes, = struct.unpack_from("<Q", data, 64)
r = random.Random(seed)
for _ in range(r.choice((1, 1, 4))):
    data[r.randrange(inodes, len(data))] = r.randrange(256)
open(to, "wb").write(data)
PYTHON
sound=0 refused=0 wrong=
for seed in {1..60}; do
	source=$T/stored.sqsh
	[ $((seed % 3)) = 0 ] && source=$T/plain.sqsh
	python3 "$T/hit.py" "$source" "$T/damaged-1.sqsh" "$seed"
	rm -rf "$T/out.d/"*
	list "layer:$T/damaged-1.sqsh"
	run timeout 60 env PATH="$T/bin:$PATH" larder build --images "$T/list" --output "$T/out.d/l-1.sqsh" --name l --platform all
	case $status in
	0) sound=$((sound + 1)) ;;
	1 | 2)
		refused=$((refused + 1))
		grep -q "damaged-1.sqsh\|sha256:\|the layer is damaged" "$T/out" && [ -z "$(ls -A "$T/out.d")" ] || wrong+=" $seed: $(cat "$T/out")"
		;;
	*) wrong+=" $seed: status $status: $(cat "$T/out")" ;;
	esac
done
check_equal "60 layers whose tables are damaged: refused with words, or built" "$wrong" ""
check "some of each" test $sound -gt 0 -a $refused -gt 0
check_status 1 "unsquashfs was never called" test -e "$T/called"
done_testing
