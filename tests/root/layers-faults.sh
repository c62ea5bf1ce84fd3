#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A volume that is full, or fails, at any point of a copy: every system call that writes fails once at each of its calls. Whatever had a
# name keeps it and is whole, nothing lies about without its layer, and the next run succeeds.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
in_namespaces "$@"
requires mksquashfs mkfs.ext4 unsquashfs jq strace veritysetup
layers_start
real_root
layers_config
V=$T/run/volume
head -c 3000000 /dev/urandom >"$T/extra.bin"
mkdir "$T/image"
IMAGE_EXTRA=$T/extra.bin make_image "$T/image" 1 message riscv64 >/dev/null
openssl genpkey -algorithm ed25519 -out "$T/key" 2>"$T/out"
one() { # FILE: signed, with a hash tree
	echo "ghcr.io/acme/$2:1=oci:$T/image:1" | larder build --images - --output "$1" --sign "$T/key" --verity >"$T/out"
}
one "$T/new/a-1.sqsh" a
one "$T/old/a-1.sqsh" other

# What must hold at every moment.
whole() {
	local f
	for f in "$V/layers/"*; do
		[ ! -e "$f" ] || [ -e "${f%.sqsh*}.sqsh" ] || { echo "$f has no layer" && return 1; }
	done
	for f in "$V/layers/"*.sqsh; do
		[ -e "$f" ] || continue
		cmp -s "$f" "$T/new/a-1.sqsh" || cmp -s "$f" "$T/old/a-1.sqsh" || { echo "$f is neither" && return 1; }
		[ ! -e "$f.roothash" ] || veritysetup verify "$f" "$f.verity" "$(cat "$f.roothash")" || return 1
	done
	for f in "$V/blob/"sha256-*; do
		[ ! -e "$f" ] || [ "$(sha256sum <"$f" | cut -d' ' -f1)" = "${f##*/sha256-}" ] || { echo "$f is not whole" && return 1; }
	done
}
# faults WHAT CALL ERROR CMD…: the command with the call failing at its first use, its second, … until it does not come to that. Each
# time it starts from what prepare makes.
faults() {
	local what=$1 call=$2 error=$3 n=0 bad=""
	shift 3
	while [ $n -lt 40 ]; do
		prepare
		strace -f -qq -o "$T/trace" -e trace="$call" -e inject="$call:error=$error:when=$((++n))" "$@" >"$T/fault" 2>&1
		grep -q INJECTED "$T/trace" || break
		whole >"$T/whole" 2>&1 || bad+="$call $n: $(tail -1 "$T/whole"); "
		"$@" >"$T/again" 2>&1 || bad+="$call $n, afterwards: $(tail -1 "$T/again"); "
		whole >"$T/whole" 2>&1 || bad+="$call $n, afterwards: $(tail -1 "$T/whole"); "
	done
	check_equal "$what: $call fails with $error at each of its calls" "$bad" ""
	check "there were some, and an end" test $n -gt 1 -a $n -lt 40
}
add=(larder layers add "$T/new/a-1.sqsh" --config "$T/machine.yaml" --run-dir "$T/run")
prepare() { rm -rf "$V/layers/"* "$V/.tmp/"*; }
for call in pwrite64 write; do faults "add" $call ENOSPC "${add[@]}"; done
for call in fsync rename; do faults "add" $call EIO "${add[@]}"; done

# A full volume, of which a part is taken by a file that is served and has no name any more.
mount -t tmpfs -o size=8m tmpfs "$V"
mkdir "$V/layers" "$V/.tmp"
echo 1 >"$V/format"
check "a layer" "${add[@]}"
for part in "" .sha256 .sig .verity .roothash; do cp "$T/new/a-1.sqsh$part" "$V/copy" && mv "$V/copy" "$V/layers/a-1.sqsh$part"; done
cp "$T/new/a-1.sqsh" "$T/b-1.sqsh"
check_status 1 "another does not fit, since a file that was replaced is served" larder layers add "$T/b-1.sqsh" --config "$T/machine.yaml" --run-dir "$T/run"
check_output "which is said" "b-1.sqsh does not fit .* is served still, and takes room: \"larder layers sync\" lets go of it"
check "sync" larder layers sync --config "$T/machine.yaml" --run-dir "$T/run"
check "lets go of it" larder layers add "$T/b-1.sqsh" --config "$T/machine.yaml" --run-dir "$T/run"
rm "$V/layers/"*
check "nothing is served" larder layers sync --config "$T/machine.yaml" --run-dir "$T/run"
umount "$V"

# A file that the disk does not give back is broken for that reason, and the others are used.
check_status 1 "a layer that cannot be read is not added" env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -P "$T/new/a-1.sqsh" -e trace=pread64 \
	-e inject=pread64:error=EIO "${add[@]}"
check_output "for the disk's reason" "new/a-1.sqsh: cannot read it: Input/output error"
check "it can be" "${add[@]}"
check "a sync while the volume's copy cannot be read" env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -P "$V/layers/a-1.sqsh" -e trace=pread64 \
	-e inject=pread64:error=EIO larder layers sync --config "$T/machine.yaml" --run-dir "$T/run"
check_output "names that" "a 1: broken: cannot read it: Input/output error"
# So is a directory whose list breaks off: it is not taken for a short one.
unlisted() { # DIRECTORY CMD…
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -P "$1" -e trace=getdents64 -e inject=getdents64:error=EIO:when=2 \
		"${@:2}" --config "$T/machine.yaml" --run-dir "$T/run"
}
check "a sync while the volume's layers cannot be listed" unlisted "$V/layers" larder layers sync
check_output "says that" "layers may be missing: $V/layers cannot be read to its end: Input/output error"
check "a sync while what was interrupted cannot be listed" unlisted "$V/.tmp" larder layers sync
check_output "says that, too" "$V/.tmp: what was interrupted there is not known: Input/output error"
mkdir "$V/blob"
check_status 1 "blobs that cannot be listed are not sound" unlisted "$V/blob" larder images verify
check_output "for that reason" "$V/blob: it cannot be listed: Input/output error"
rmdir "$V/blob"
prepare() {
	rm -rf "$V/layers/"* "$V/.tmp/"*
	cp "$T/old/"* "$V/layers/"
}
for call in write rename; do faults "replace" $call ENOSPC "${add[@]}"; done

# Killed before each of its calls, where signatures are required: the next boot finds the old files or the new ones, all five of them,
# and uses them. Then the command is run again.
layer_set() { # old, new, or what lies there; also of layers that have less beside them
	local f set
	for set in old new bare; do
		for f in "$T/$set/"a-1.sqsh* "$V/layers/"*; do
			cmp -s "$T/$set/${f##*/}" "$V/layers/${f##*/}" || continue 2
		done
		echo $set && return
	done
	for f in "$V/layers/"*; do
		for set in old new bare neither; do cmp -s "$T/$set/${f##*/}" "$f" && break; done
		echo "${f##*/}: $set"
	done | xargs
}
openssl pkey -in "$T/key" -pubout -out "$T/root/key.pub"
mkdir "$T/bare" # the same as the new one, and nothing beside it but the sum
cp "$T/new/"a-1.sqsh{,.sha256} "$T/bare/"
kills() { # WHAT CALL FROM TO STATE: replaced by a command that is killed
	local what=$1 call=$2 from=$3 to=$4 state=$5 n=0 bad="" seen="" set
	local add=(larder layers add "$T/$to/a-1.sqsh" --config "$T/machine.yaml" --run-dir "$T/run")
	while [ $n -lt 60 ]; do
		larder stop --run-dir "$T/run" >"$T/out" 2>&1
		mkdir -p "$V/layers" "$V/.tmp" && echo 1 >"$V/format"
		rm -rf "$V/layers/"* "$V/.tmp/"*
		cp "$T/$from/"* "$V/layers/"
		L layers sync >"$T/out" 2>&1
		((++n))
		(
			strace -f -qq -o "$T/trace" -e trace="$call" -e inject="$call:signal=KILL:when=$n" "${add[@]}"
			true
		) >"$T/fault" 2>&1
		grep -q 'killed by SIGKILL' "$T/trace" || break
		# The boot after it: nothing is mounted any more.
		rm -rf "$T/kept" && mkdir "$T/kept" && cp -a "$V/layers" "$V/.tmp" "$T/kept/"
		larder stop --run-dir "$T/run" >"$T/out" 2>&1
		mkdir -p "$V/.tmp" && echo 1 >"$V/format"
		rm -rf "$V/layers" "$V/.tmp" && cp -a "$T/kept/"{layers,.tmp} "$V/"
		L layers sync >"$T/out" 2>&1
		set=$(layer_set)
		seen+="$set "
		[ "$set" = "$from" ] || [ "$set" = "$to" ] || bad+="$call $n: $set; "
		[ "$(state a)" = "$state" ] || bad+="$call $n: $(state a): $(reason a); "
		[ "$(find "$V/.tmp" -name '*.set*')" = "" ] || bad+="$call $n leaves $(ls -A "$V/.tmp"); "
		"${add[@]}" >"$T/again" 2>&1 && [ "$(layer_set)" = "$to" ] || bad+="$call $n, afterwards: $(layer_set); "
	done
	check_equal "$what: killed at each $call" "$bad" ""
	check "there were some, and an end" test $n -gt 1 -a $n -lt 60
	seen_all+=$seen
}
layers_config false "trust: {keys: [$T/root/key.pub], required: true}"
seen_all=""
for call in rename unlink link fsync; do kills "replace" $call old new active; done
check_equal "both were seen" "$(tr ' ' '\n' <<<"$seen_all" | grep . | sort -u | xargs)" "new old"
layers_config
for call in rename unlink; do kills "replaced by one with less beside it" $call old bare active; done

# A cache tree, in the same way.
mkdir -p "$T/talos"
unsquashfs -quiet -no-progress -f -d "$T/talos/imagecache" "$T/new/a-1.sqsh" >"$T/out"
rm -rf "$T/talos/imagecache/larder"
device=$(medium TALOS "$T/talos" 64M)
cleanup losetup --detach "$device"
layers_config "volume.dev_path == \"$device\""
prepare() { rm -rf "$V/layers/"* "$V/.tmp/"* "$V/blob" "$V/manifests"; }
sync=(larder layers sync --config "$T/machine.yaml" --run-dir "$T/run")
for call in write fsync renameat; do faults "sync of a cache tree" $call ENOSPC "${sync[@]}"; done
check_equal "nothing is left over at the end" "$(ls -A "$V/.tmp")" ""
done_testing
