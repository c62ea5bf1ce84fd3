#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every state that a layer can have, in one table; every kind of drift, by itself; upgrade after upgrade in a volume with room for few
# layers; and kills at every step of mounting, after which "larder stop" alone leaves nothing.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
in_namespaces "$@"
requires mksquashfs mkfs.ext4 jq strace
layers_start
real_root
V=$T/run/volume
B=$T/root/usr/lib/larder/layers
sync() { L layers sync --output json >"$T/sync.json"; }
size_of() { # as bytes, or as KiB with one digit after the point unless that is 0
	stat -c %s "$1" | awk '{ if ($1 < 1024) print $1 " B"; else { s = sprintf("%.1f", $1 / 1024); sub(/\.0$/, "", s); print s " KiB" } }'
}
drop_all() { # media out, everything down, nothing there
	larder stop --run-dir "$T/run" >"$T/out" 2>&1
	mountpoint -q "$V" && umount "$V"
	mkdir -p "$V/layers" "$V/.tmp" && echo 1 >"$V/format"
	rm -rf "$V/layers/"* "$V/.tmp/"* "$T/root/"{usr,var}/lib/larder/layers/*
}

note "One table"
layer "$V/layers/010-iscsi-tools-v0.1.4.sqsh" ghcr.io/x/iscsi:v0.1.4=new ghcr.io/x/more:1=more >"$T/out"
layer "$B/000-iscsi-tools-v0.1.1.sqsh" ghcr.io/x/iscsi:v0.1.1=old >"$T/out"
layer "$B/extra-2.0.sqsh" ghcr.io/x/extra:1=extra >"$T/out"
layer "$T/cut-1.sqsh" ghcr.io/x/cut:1=cut >"$T/out"
head -c 1500 "$T/cut-1.sqsh" >"$B/cut-1.sqsh"
layer "$T/medium/larder/stick-9.sqsh" ghcr.io/x/iscsi:v0.1.4=evil >"$T/out"
device=$(medium LARDER_1 "$T/medium") && cleanup losetup --detach "$device"
layers_config "volume.dev_path == \"$device\"" 'layers: [{name: iscsi-tools}, {name: cut}, {name: gone, version: "7"}, {name: stick}]'
check "all states at once are no failure" sync
cp "$T/sync.json" "$T/stdout"
check_equal "one of each, for programs" "$(jq -c '[.layers[] | [.name, .version, .state, .origin]] | sort' "$T/stdout")" \
	'[["cut","1","broken","built-in"],["extra","2.0","not configured","built-in"],["gone","7","missing",null],["iscsi-tools","v0.1.1","superseded","built-in"],["iscsi-tools","v0.1.4","active","volume"],["stick","9","refused","medium"]]'
check "the table" L layers
row() { # DESCRIPTION NAME VERSION STATE FROM FILE IMAGES WHERE
	local size
	size=$([ -e "$6" ] && size_of "$6" || echo -)
	check_output "$1" "^$2 +$3 +$4 +$5 +$size +$7 +$8\$"
}
row "active, and where it is mounted" iscsi-tools v0.1.4 active volume "$V/layers/010-iscsi-tools-v0.1.4.sqsh" 2 "$T/run/layers/iscsi-tools-v0.1.4-[0-9a-f]{8}"
row "superseded, and by which" iscsi-tools v0.1.1 superseded built-in "$B/000-iscsi-tools-v0.1.1.sqsh" 1 "version v0.1.4 is active"
row "missing" gone 7 missing - - 0 "CacheLayerConfig wants it, and it is nowhere"
row "broken, and why" cut 1 broken built-in "$B/cut-1.sqsh" 0 ".*truncated.*"
row "not configured" extra 2.0 "not configured" built-in "$B/extra-2.0.sqsh" 1 "CacheLayerConfig does not list it"
check_equal "what is not there has no id" "$(jq -c '[.layers[] | select(.id == null or .id == "") | [.name, .id]] | sort' "$T/sync.json")" '[["cut",null],["gone",null]]'
check_equal "and no other row" "$(sed '1d; /^$/,$d' "$T/stdout" | wc -l)" 6
check "it is mounted from the file that it is of" test "$(losetup --noheadings --output BACK-FILE "$(awk -v p="$T/run/layers/iscsi" 'index($2, p) == 1 { print $1 }' /proc/self/mounts)")" = "$V/layers/010-iscsi-tools-v0.1.4.sqsh"
drop_all
losetup --detach "$device"

note "Each kind of drift, by itself; none without it"
base() { # what is in order
	drop_all
	layer "$B/base-1.sqsh" ghcr.io/x/base:1=base >"$T/out"
	layer "$B/base-0.sqsh" ghcr.io/x/base:0=older >"$T/out"
	layers_config false "${1:-keep: 1}"
	sync
}
drift() { # DESCRIPTION REGEX
	check_status 1 "$1: check exits with 1" L layers check
	check_output "and says why" "^larder: $2"
	check_equal "in one line" "$(grep -c . "$T/out")" 1
	check_status 1 "$1: for programs" L layers check --output json
	check_equal "it says drift" "$(jq .drift "$T/stdout")" true
}
base
check "an older version is no drift" L layers check
base 'layers: [{name: base}, {name: other}]'
drift "missing" "other: missing: CacheLayerConfig wants it"
base 'layers: [{name: base, version: "3"}]'
check_status 1 "a configured version that is not there" L layers check
check_output "is missing" "^larder: base 3: missing: "
base
head -c 1500 "$T/cut-1.sqsh" >"$B/cut-1.sqsh" && sync
drift "broken" "cut 1: broken: .*truncated"
base 'layers: [{name: base}]'
layer "$B/extra-1.sqsh" ghcr.io/x/extra:1=extra >"$T/out" && sync
drift "not configured" "extra 1: not configured: "
openssl genpkey -algorithm ed25519 -out "$T/key" 2>"$T/out"
openssl pkey -in "$T/key" -pubout -out "$T/root/key.pub"
drop_all
LAYER_OPTIONS=(--sign "$T/key")
layer "$B/base-1.sqsh" ghcr.io/x/base:1=base >"$T/out"
LAYER_OPTIONS=()
layer "$B/unsigned-1.sqsh" ghcr.io/x/unsigned:1=unsigned >"$T/out"
layers_config false "trust: {keys: [$T/root/key.pub], required: true}" && sync
drift "refused" "unsigned 1: refused: it is not signed by a trusted key"
base
layer "$B/later-1.sqsh" ghcr.io/x/later:1=later >"$T/out"
drift "not in use yet" "later 1: not in use: "
base
rm "$B/base-1.sqsh"
check_status 1 "a file that is gone" L layers check
check_output "is drift" "base 1: gone: its file /usr/lib/larder/layers/base-1.sqsh is gone, and it is served still"
base
printf x | dd of="$B/base-1.sqsh" bs=1 seek=10 conv=notrunc status=none
check_status 1 "a file that was written to" L layers check
base
layer "$B/zz-1.sqsh" ghcr.io/x/base:1=another >"$T/out" && sync
drift "two digests for one tag" "base and zz give ghcr.io/x/base:1 different digests; that of zz counts"
base
larder stop --run-dir "$T/run" >"$T/out" 2>&1
mkdir -p "$V/layers" && echo 1 >"$V/format"
check_status 1 "nothing mounted at all" L layers check
check_output "is drift" "base 1: not in use: "

note "Upgrades"
drop_all
truncate -s 16M "$T/volume.img"
mkfs.ext4 -q -m 0 -O ^has_journal "$T/volume.img"
upgrades() { # KEEP HOW EXPECTED-FILES: seven versions of 3.5 MB, one after the other, into 16 MB
	local keep=$1 how=$2 v bad="" most=0 n
	drop_all
	mount -o loop "$T/volume.img" "$V"
	mkdir -p "$V/layers" "$V/.tmp" && rm -f "$V/layers/"* && echo 1 >"$V/format"
	for v in 1 2 3 4 5 6 7; do
		if [ "$how" = add ]; then
			layers_config false "keep: $keep"
			L layers add "$T/up/app-$v.sqsh" >"$T/out" 2>&1 || bad+="$v: $(tail -1 "$T/out"); "
		else
			mkdir -p "$T/stick/larder" && rm -f "$T/stick/larder/"* && cp "$T/up/app-$v.sqsh"* "$T/stick/larder/"
			device=$(medium "UP$v" "$T/stick" 16M)
			layers_config "volume.dev_path == \"$device\"" "keep: $keep"
			sync || bad+="$v: $(tail -1 "$T/stderr"); "
			losetup --detach "$device"
		fi
		[ "$(state app $v)" = active ] || bad+="$v is $(state app $v); "
		n=$(find "$V/layers" -name '*.sqsh' | wc -l)
		[ "$n" -le $most ] || most=$n
	done
	check_equal "keep $keep, by $how: each upgrade finds room" "$bad" ""
	check "and fills what there is before it prunes" test $most -ge 3
	check "prune" L layers prune
	check_equal "keeps so many" "$(cd "$V/layers" && echo *)" "$3"
	check_equal "nothing else is there" "$(ls -A "$V/.tmp")" ""
}
mkdir "$T/up"
for v in 1 2 3 4 5 6 7; do
	head -c 3500000 /dev/urandom >"$T/extra.bin"
	mkdir "$T/up/$v"
	IMAGE_EXTRA=$T/extra.bin make_image "$T/up/$v" tag "$v" riscv64 >/dev/null
	echo "ghcr.io/x/app:$v=oci:$T/up/$v:tag" | larder build --images - --output "$T/up/app-$v.sqsh" >"$T/out" 2>&1
	rm -rf "${T:?}/up/$v"
done
upgrades 0 add "app-7.sqsh app-7.sqsh.sha256"
upgrades 1 add "app-6.sqsh app-6.sqsh.sha256 app-7.sqsh app-7.sqsh.sha256"
upgrades 2 add "app-5.sqsh app-5.sqsh.sha256 app-6.sqsh app-6.sqsh.sha256 app-7.sqsh app-7.sqsh.sha256"
upgrades 1 sync "app-6.sqsh app-6.sqsh.sha256 app-7.sqsh app-7.sqsh.sha256"
drop_all

note "Killed at each step of mounting"
mounted() { grep -c " $T/run/" /proc/self/mounts; }
mkdir -p "$T/stick/larder" && rm -f "$T/stick/larder/"*
layer "$T/stick/larder/m-1.sqsh" ghcr.io/x/m:1=m >"$T/out"
device=$(medium LARDER_2 "$T/stick" 16M) && cleanup losetup --detach "$device"
layers_config "volume.dev_path == \"$device\""
kills=0 bad=""
for call in ioctl fsconfig fsmount move_mount mount symlink rename umount2; do
	for ((n = 1; n <= 40; n++)); do
		drop_all
		layer_again() { cp "$T/kept/"* "$B/"; }
		[ -d "$T/kept" ] || { mkdir "$T/kept" && layer "$T/kept/a-1.sqsh" ghcr.io/x/a:1=a >"$T/out" && layer "$T/kept/b-1.sqsh" ghcr.io/x/b:1=b >"$T/out"; }
		layer_again
		ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$T/trace" -e trace="$call" -e inject="$call:signal=KILL:when=$n" \
			larder layers sync --config "$T/machine.yaml" --run-dir "$T/run" >"$T/fault" 2>&1
		grep -q 'killed by SIGKILL' "$T/trace" || break
		kills=$((kills + 1))
		run larder stop --run-dir "$T/run"
		[ "$status $(mounted)" = "0 0" ] || bad+="$call $n: stop: $status, $(mounted) mounts: $(tail -1 "$T/out"); "
		loops=$(losetup --list --noheadings --output BACK-FILE | grep -c "^$T/root/\|^$T/run/\|^$B/")
		[ "$loops" = 0 ] || until_true 10 eval '[ "$(losetup --list --noheadings --output BACK-FILE | grep -c "^$T/root/\|^$T/run/\|^$B/")" = 0 ]' ||
			bad+="$call $n: a loop device is left; "
	done
done 2>"$T/shell"
note "$kills kills"
check "there were kills" test $kills -gt 20
check_equal "what each left is taken down by stop, loop devices and all" "$bad" ""
losetup --detach "$device"
done_testing
