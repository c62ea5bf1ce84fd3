#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Hostile layers, made here: each is broken with a reason, the good one beside them works, nothing outside is read or written.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
in_namespaces "$@"
requires mksquashfs unsquashfs jq python3 strace
layers_start
D=$T/root/var/lib/larder/layers
reference=ghcr.io/acme/app:1
layer "$D/good-1.sqsh" $reference=good ghcr.io/acme/other:2=other >"$T/out"
layer "$T/base.sqsh" $reference=good ghcr.io/acme/other:2=other >"$T/out" # its manifest is base.yaml
unsquashfs -quiet -no-progress -d "$T/base" "$T/base.sqsh" >"$T/out"

declare -A expected
# tree NAME REGEX: a copy of the good tree in $tree, as layer NAME; pack makes the image of it.
tree() {
	tree=$T/tree name=$1 expected[$1]=$2
	rm -rf "$tree"
	cp -r "$T/base" "$tree"
	mv "$tree/larder/layers/base.yaml" "$tree/larder/layers/$name.yaml"
	sed -i "s/^name: .*/name: \"$name\"/" "$tree/larder/layers/$name.yaml"
}
# All times are one: what is flipped below must not be another thing in each run.
pack() {
	env --unset=SOURCE_DATE_EPOCH mksquashfs "$tree" "$D/$name-1.sqsh" -noappend -quiet -no-progress -comp zstd -all-time 0 -mkfs-time 0 \
		"${@:--no-xattrs}" >"$T/out" 2>&1
}
# poke NAME REGEX OFFSET BYTES…: a good image of that name, with bytes written over.
poke() {
	tree "$1" "$2"
	pack
	python3 - "$D/$1-1.sqsh" "$3" "${@:4}" <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    f.seek(int(sys.argv[2]))
		    f.write(bytes(int(b, 0) for b in sys.argv[3:]))
	END
}
file() { expected[$1]=$2; cat >"$D/$1-1.sqsh"; }
xattr() { python3 -c 'import os, sys; os.setxattr(sys.argv[1], sys.argv[2], sys.argv[3].encode())' "$@"; }
blob=$(cd "$T/base/blob" && ls | head -1)
app=manifests/ghcr.io/acme/app

# Not images.
file empty "only 0 bytes" </dev/null
file short "only 14 bytes" < <(printf 'hsqs too short')
file zeros "no squashfs image" < <(head -c 65536 /dev/zero)
file text "no squashfs image" < <(cat /etc/passwd; head -c 8192 /dev/zero)
file half "truncated" < <(head -c $(($(stat -c %s "$T/base.sqsh") / 2)) "$T/base.sqsh")
file head "truncated" < <(head -c 96 "$T/base.sqsh")
mkdir "$D/directory-1.sqsh"; expected[directory]="no regular file"
mkfifo "$D/fifo-1.sqsh"; expected[fifo]="no regular file"
ln -s nowhere-1.sqsh "$D/dangling-1.sqsh"; expected[dangling]="cannot open it"
ln -s loop-1.sqsh "$D/loop-1.sqsh"; expected[loop]="cannot open it"

# Superblock, byte by byte (little-endian; Documentation/filesystems/squashfs.rst).
poke magic "no squashfs image" 0 0x78
poke major "squashfs 5.0" 28 5
poke block-size "block size" 12 0 0 0 0
poke block-log "block size" 22 0xff 0xff
poke bytes-used "truncated" 40 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0x7f
poke compression "the kernel does not mount it" 20 99 0
poke inode-table "not in their order" 64 0xff 0xff 0xff 0xff 0 0 0 0
poke directory-table "not in their order" 72 1 0 0 0 0 0 0 0
poke id-table "not in their order" 48 0xff 0xff 0xff 0xff 0xff 0xff 0xff 0xff
poke root-inode "does not mount|cannot be read" 32 0xff 0x1f 0xff 0xff 0 0 0 0
poke no-ids "no user ids" 26 0 0

# Tables: what follows the data is inodes, directories and ids.
for n in a b c d; do
	tree flip-inode-$n "."
	pack
	python3 - "$D/$name-1.sqsh" $n <<-'END'
		import struct, sys
		with open(sys.argv[1], "r+b") as f:
		    data = bytearray(f.read())
		    inodes, directories = struct.unpack_from("<QQ", data, 64)
		    at = inodes + 2 + (directories - inodes - 2) * " abcd".index(sys.argv[2]) // 6
		    for i in range(4):
		        data[at + i] ^= 0xff
		    f.seek(0)
		    f.write(data)
	END
done
for n in a b c; do
	tree flip-directory-$n "."
	pack
	python3 - "$D/$name-1.sqsh" $n <<-'END'
		import struct, sys
		with open(sys.argv[1], "r+b") as f:
		    data = bytearray(f.read())
		    directories, = struct.unpack_from("<Q", data, 72)
		    at = directories + {"a": 0, "b": 20, "c": 60}[sys.argv[2]]
		    for i in range(8):
		        data[at + i] ^= 0xff
		    f.seek(0)
		    f.write(data)
	END
done

# An entry that claims a name of 40,001 bytes, which a reader without a limit writes over its stack.
tree long-entry "cannot be read|no layer manifest"
pack -no-xattrs -noI
python3 - "$D/$name-1.sqsh" <<-'END'
	import struct, sys
	with open(sys.argv[1], "r+b") as f:
	    data = f.read()
	    directories, = struct.unpack_from("<Q", data, 72)
	    f.seek(data.index(b"manifests", directories) - 2)
	    f.write(struct.pack("<H", 40000))
END

# Uncompressed tables, in which one field of an inode, of the directory table or of the ids lies.
lying() { # NAME REGEX KIND: the field is set by the script
	tree "$1" "$2"
	pack -no-xattrs -noI -noD -noF -noId -no-fragments
	python3 - "$D/$name-1.sqsh" "$3" <<-'END'
		import struct, sys
		with open(sys.argv[1], "r+b") as f:
		    data = bytearray(f.read())
		    inodes, directories, = struct.unpack_from("<QQ", data, 64)
		    ids, = struct.unpack_from("<Q", data, 48)
		    root = inodes + 2 + (struct.unpack_from("<Q", data, 32)[0] & 0xffff)
		    # type, mode, uid, gid, time, number; then of a file: start, fragment, offset, size; of a directory: block, links, size, offset
		    at, files = inodes + 2, []
		    while at < root:
		        kind, = struct.unpack_from("<H", data, at)
		        if kind == 2:
		            fragment, _, size = struct.unpack_from("<III", data, at + 20)
		            files.append(at)
		            at += 32 + 4 * -(-size // 131072)
		        elif kind == 1:
		            at += 32
		        elif kind == 9: # of more than one link: start, size, sparse, links, fragment, offset, xattr
		            size, = struct.unpack_from("<Q", data, at + 24)
		            at += 56 + 4 * -(-size // 131072)
		        else:
		            sys.exit("inode type %d" % kind)
		    put = {
		        "block-size": lambda: [struct.pack_into("<I", data, i + 32, 0x01ffffff) for i in files],
		        "block-start": lambda: [struct.pack_into("<I", data, i + 16, 0xfffffff0) for i in files],
		        "fragment": lambda: [struct.pack_into("<I", data, i + 20, 0x7fffffff) for i in files],
		        "file-size": lambda: [struct.pack_into("<I", data, i + 28, 0xffffffff) for i in files],
		        "root-block": lambda: struct.pack_into("<I", data, root + 16, 0x7fffffff),
		        "root-offset": lambda: struct.pack_into("<H", data, root + 26, 0xffff),
		        "root-size": lambda: struct.pack_into("<H", data, root + 24, 3),
		        "id-pointer": lambda: struct.pack_into("<Q", data, ids, 0x7fffffffffffffff),
		        "uid-index": lambda: struct.pack_into("<H", data, root + 4, 0xffff),
		        "directory-inode": lambda: struct.pack_into("<I", data, directories + 2 + 4, 0x7fffffff),
		        "directory-count": lambda: struct.pack_into("<I", data, directories + 2, 0xffffffff),
		    }
		    put[sys.argv[2]]()
		    f.seek(0)
		    f.write(data)
	END
}
for lie in block-size block-start fragment file-size root-block root-offset root-size id-pointer uid-index directory-inode directory-count; do
	lying lying-$lie . $lie
done

# Entries called "." and "..": of directories, of a file, at the root, in what is served and in what is not looked at otherwise.
dotted() { # NAME PATH DOTS: an entry of that path, which mksquashfs would not make, is renamed
	tree "$1" 'an entry called "." or ".."'
	if [[ ${2##*/} == z* ]]; then mkdir -p "$tree/$2"; else echo x >"$tree/$2"; fi
	pack -no-xattrs -noI
	python3 - "$D/$name-1.sqsh" "${2##*/}" "$3" <<-'END'
		import struct, sys
		with open(sys.argv[1], "r+b") as f:
		    data = f.read()
		    directories, = struct.unpack_from("<Q", data, 72)
		    of, to = sys.argv[2].encode(), sys.argv[3].encode()
		    # type, size - 1, name
		    at = [i for kind in (1, 2) for i in [data.find(struct.pack("<HH", kind, len(of) - 1) + of, directories)] if i >= 0][0]
		    f.seek(at + 2)
		    f.write(struct.pack("<H", len(to) - 1) + to)
	END
}
dotted dots-registry manifests/zz ..
dotted dots-repository manifests/ghcr.io/acme/zz ..
dotted dots-tag "$app/reference/yy" ..
dotted dots-blob blob/yy ..
dotted dots-layers larder/layers/zz ..
dotted dots-root zz ..
dotted dot-repository manifests/ghcr.io/acme/z .

# Names and kinds of files.
tree symlink-blob "symlink"; ln -sf /etc/shadow "$tree/blob/$blob"; pack
tree symlink-out "symlink"; ln -s ../../../../../../etc/passwd "$tree/$app/reference/2"; pack
tree symlink-manifests "symlink|cannot be read"; rm -r "$tree/manifests"; ln -s /etc "$tree/manifests"; pack
tree symlink-yaml "symlink"; ln -sf /etc/passwd "$tree/larder/layers/symlink-yaml.yaml"; pack
tree symlink-layers "symlink"; rm -r "$tree/larder/layers"; ln -s /etc "$tree/larder/layers"; pack
tree device "no regular file"; mknod "$tree/blob/sda" b 8 0; pack
tree whiteout "no regular file"; mknod "$tree/$app/reference/gone" c 0 0; pack
tree fifo-inside "no regular file"; mkfifo "$tree/blob/pipe"; pack
tree socket "no regular file"; python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$tree/blob/s"; pack
tree opaque "extended attributes"; xattr "$tree/manifests" trusted.overlay.opaque y; pack -xattrs
tree redirect "extended attributes"; xattr "$tree/blob" trusted.overlay.redirect /etc; pack -xattrs
tree newline "not valid"; mkdir -p "$tree/manifests/ghcr.io/ac
me/reference"; pack
tree dots "not valid"; mkdir -p "$tree/manifests/ghcr.io/..."; pack
tree capitals "not valid"; mkdir -p "$tree/manifests/ghcr.io/ACME"; pack
tree registry "not valid"; mkdir -p "$tree/manifests/-bad-/x"; pack
tree bad-tag "not valid"; cp "$tree/$app/reference/1" "$tree/$app/reference/-x"; pack
tree deep "nested deeper"; mkdir -p "$tree/manifests/$(printf 'a/%.0s' {1..200})"; pack

# Layer manifests that lie.
yaml() { echo "$tree/larder/layers/$name.yaml"; }
tree no-yaml "no layer manifest"; rm -r "$tree/larder"; pack
tree two-yaml "more than one"; cp "$(yaml)" "$tree/larder/layers/x.yaml"; pack
tree name-differs "called \"else\""; sed -i 's/^name: .*/name: else/' "$(yaml)"; pack
tree name-leaves "no name of a layer"; sed -i 's|^name: .*|name: ../../etc|' "$(yaml)"; pack
tree version-leaves "no version"; sed -i '3i version: ../../../etc' "$(yaml)"; sed -i '/^version: "/d' "$(yaml)"; pack
tree not-yaml "not YAML"; echo '[[[' >"$(yaml)"; pack
tree binary-yaml "not YAML"; python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(4096) + bytes(1))' >"$(yaml)"; pack
tree other-kind "CacheLayer"; sed -i 's/^kind: .*/kind: Pod/' "$(yaml)"; pack
tree huge-yaml "larger than 4 MiB"; truncate -s 100M "$(yaml)"; pack
tree sparse-yaml "larger than 4 MiB"; truncate -s 300M "$(yaml)"; pack
tree deep-yaml "nested deeper"; { printf 'x: '; printf '[%.0s' {1..5000}; } >"$(yaml)"; pack
tree bomb-yaml "no \"name\""; { echo 'a0: &a0 [x,x]'; for i in {1..60}; do echo "a$i: &a$i [*a$((i - 1)),*a$((i - 1))]"; done; } >"$(yaml)"; pack
tree unlisted-tag "does not list"; cp "$tree/$app/reference/1" "$tree/$app/reference/latest"; pack
tree missing-tag "not there"; rm "$tree/$app/reference/1"; pack
tree other-tag "not the one"; cp "$tree/manifests/ghcr.io/acme/other/reference/2" "$tree/$app/reference/1"; pack
tree missing-blob "not there"; rm "$tree/blob/$blob"; pack
tree listed-twice "listed twice"; sed -i '/^images:/,/^blobs:/{/^images:/!{/^blobs:/!{H}}};/^blobs:/{x;G}' "$(yaml)"; pack
tree huge-tag "cannot be read"; truncate -s 200M "$tree/$app/reference/1"; pack
tree sparse-blob "larger than 64 times"; rm "$tree/blob/$blob"; truncate -s 300M "$tree/blob/$blob"; pack

layers_config
marker=$T/run/volume/marker
echo untouched >"$marker"
start=$(find "$T/root" "$marker" -printf '%p %s %T@ %i\n' | sort | sha256sum)
check "all of them at once are no failure" L layers sync
check_equal "the good one is active" "$(state good)" active
check "and serves" test -s "$T/run/cache/manifests/ghcr.io/acme/app/reference/1"
check_equal "it is the only one that is mounted" "$(grep -c " $T/run/layers/" /proc/self/mounts)" 1
L layers --output json >"$T/layers.json" 2>"$T/out"
for name in "${!expected[@]}"; do
	got=$(jq -r --arg n "$name" '.layers[] | select(.name == $n) | .state + ": " + .reason' "$T/layers.json")
	if [[ $got =~ ^broken:.*(${expected[$name]}) ]]; then pass "$name is broken and says why"; else
		fail "$name is broken and says why"
		note "expected: ${expected[$name]}" "got: $got"
	fi
done
check_equal "nothing was written" "$(find "$T/root" "$marker" -printf '%p %s %T@ %i\n' | sort | sha256sum)" "$start"
check_loops "no loop device is left for them" 1 "$D/"
check_status 1 "check tells of them" L layers check
check_equal "by one line each" "$(grep -c '^larder: .*broken: ' "$T/out")" ${#expected[@]}
check_equal "none of which holds a control character" "$(grep -c '[[:cntrl:]]' "$T/out")" 0

# No file is opened through any of them: neither what links lead to, nor a device.
trace() { ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -e trace=open,openat,openat2 "$@" --config "$T/machine.yaml" --run-dir "$T/run" --root "$T/root"; }
for command in "layers sync" "layers verify" "images verify" images; do
	for calls in none loop=ENXIO; do
		# shellcheck disable=SC2086
		if [ $calls = none ]; then trace larder $command; else trace without-syscalls $calls larder $command; fi >"$T/out" 2>&1
		check_equal "$command ($calls) opens nothing that is led to" \
			"$(grep -E '"(/etc/(shadow|passwd)|/dev/sda|[^"]*/(shadow|passwd))"' "$T/trace" | grep -v ENOENT | head -3)" ""
		check "and did open what is there" grep -q 'good-1.sqsh' "$T/trace"
	done
done

# The same where nothing can be mounted, and libsquashfuse reads what is in them.
without-syscalls loop=ENXIO larder layers --output json --config "$T/machine.yaml" --run-dir "$T/run" --root "$T/root" >"$T/layers.json" 2>"$T/out"
check_no_output "no sanitizer complains" "Sanitizer|runtime error"
# Owners are not read then, and a lie about them is none that anybody could be told.
owners=$(jq -r '.layers[] | select(.name == "lying-id-pointer" or .name == "lying-uid-index") | .state' "$T/layers.json" | sort -u)
check_equal "what lies about owners holds what it says, read in place" "$owners" active
unset "expected[lying-id-pointer]" "expected[lying-uid-index]"
for name in "${!expected[@]}"; do
	reason=${expected[$name]//the kernel does not mount it/its compression is not supported}
	reason=${reason//does not mount/tables cannot be read|cannot be read}
	got=$(jq -r --arg n "$name" '.layers[] | select(.name == $n) | .state + ": " + .reason' "$T/layers.json")
	if [[ $got =~ ^broken:.*($reason) ]]; then pass "$name is broken and says why, read in place"; else
		fail "$name is broken and says why, read in place"
		note "expected: $reason" "got: $got"
	fi
done

# Names that are no UTF-8, of a file and of a medium: every output still is.
: >"$D/"$'\xff\nodd-1.sqsh'
mkdir "$T/none"
real_root
device=$(medium $'LARDER\xfe' "$T/none")
cleanup losetup --detach "$device"
check "names that are no UTF-8" L layers --output json
check_equal "the file is in the JSON, escaped" "$(jq '.layers[].name | select(test("odd"))' "$T/stdout")" '"\\xff\nodd-1.sqsh"'
check_equal "and the medium" "$(jq --arg d "$device" '.media[] | select(.device == $d).label' "$T/stdout")" '"LARDER?"'
check "and in the table" L layers
check_output "a row of the file" 'xff.x0aodd-1.sqsh +- +broken'
check_output "a row of the medium" 'LARDER. +ext4'
check_status 1 "and in what check says" L layers check
check_equal "with no byte that could forge a line" "$(grep -c '[[:cntrl:]]' "$T/out")" 0
losetup --detach "$device"
ROOT=(--root "$T/root")

# Wrong bytes in a blob are found when it is hashed.
rm -rf "$D"; mkdir -p "$D"
tree wrong-bytes .
printf x | dd of="$tree/blob/$blob" bs=1 seek=10 conv=notrunc status=none
pack
check_status 1 "wrong bytes are found by verify" L layers verify
check_output "with the digest" "sha256:${blob#sha256-}: its bytes are not right"
check_status 1 "and not added to the volume without a sum" L layers add "$D/wrong-bytes-1.sqsh"
check_output "for that reason" "its bytes are not right"
check_equal "nothing is left of the copy" "$(find "$T/run/volume" -type f ! -name format ! -name marker)" ""

# Places that cannot be looked into are named.
rm -rf "$D" && ln -s layers "$D"
check "where built-in layers lie leads to itself" L layers sync --output json
check_equal "and is named" "$(jq -r '.notes[]' "$T/stdout")" "no layers are looked for in $D: Too many levels of symbolic links"
rm -rf "$T/run/volume/blob" && ln -s /nowhere "$T/run/volume/blob"
check_status 1 "blobs of the loose tree that cannot be listed are not sound" L images verify
check_output "and named" "volume/blob: it cannot be listed: Not a directory"
rm "$T/run/volume/blob" "$D"

# In the loose tree, a few files that lead to each other eight million times.
"$LARDER_SOURCE/tests/lib/nested.py" "$T/run/volume"
check "indexes of indexes of indexes are not followed without end" timeout 120 larder images --output json --config "$T/machine.yaml" --run-dir "$T/run" "${ROOT[@]}"
check_equal "and what they lead to is not taken for there" "$(jq '.[] | select(.reference == "registry.test/nested:1").missing | length > 0' "$T/stdout")" true
done_testing
