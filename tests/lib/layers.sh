# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Layers, media and a volume for tests of layers. Needs tests/lib/images.sh. The run directory is $T/run; its "volume" is a plain
# directory with the mark of a prepared volume, unless the test mounts something there.

# layer FILE.sqsh REFERENCE=MESSAGE…: a layer of tiny images, one for each argument.
layer() {
	local file=$1 pair layout list=$T/layer.txt
	shift
	: >"$list"
	for pair; do
		layout=$(mktemp -d "$T/layout.XXXXXX")/image # the name is part of the content
		mkdir "$layout"
		make_image "$layout" tag "${pair#*=}" riscv64 >/dev/null
		echo "${pair%%=*}=oci:$layout:tag" >>"$list"
	done
	larder build --images "$list" --output "$file" "${LAYER_OPTIONS[@]+"${LAYER_OPTIONS[@]}"}" ||
		{ echo "the layer $file could not be made: what follows means nothing" >&2 && return 1; }
}
LAYER_OPTIONS=()

# medium LABEL DIR: an ext4 image of the directory on a read-only loop device; prints the device. The caller detaches it.
medium() {
	local image
	image=$(mktemp "$T/medium.XXXXXX")
	truncate -s "${3:-32M}" "$image"
	mkfs.ext4 -q -L "$1" -d "$2" "$image" && losetup --find --show --read-only "$image" ||
		{ echo "the medium $1 could not be made: what follows means nothing" >&2 && return 1; }
}

layers_start() {
	mkdir -p "$T/run/volume/layers" "$T/run/volume/.tmp" "$T/root" "$T/medium/larder"
	echo 1 >"$T/run/volume/format"
	cleanup layers_end
}

# Takes down whatever is mounted below $T, the newest first.
layers_end() {
	local point
	while read -r point; do umount -l "$point"; done < <(awk -v t="$T/" 'index($2, t) == 1 { print $2 }' /proc/self/mounts | tac)
}

# layers_config [EXPRESSION] [YAML…]: the machine config $T/machine.yaml; media are those that match the expression.
layers_config() {
	{
		printf 'apiVersion: larder/v1alpha1\nkind: CacheMediaConfig\nmatch: %s\n' "'${1:-false}'"
		printf -- '---\napiVersion: larder/v1alpha1\nkind: CacheLayerConfig\n%s\n' "${2:-keep: 1}"
	} >"$T/machine.yaml"
}

# Of a root only files are read: media need the real one. Where built-in layers lie is then $T/root's, in this mount namespace.
ROOT=(--root "$T/root")
real_root() {
	local of
	for of in usr var; do
		mkdir -p "$T/points/larder/layers" "$T/root/$of/lib/larder/layers"
		mount -t overlay -o "ro,lowerdir=$T/points:/$of/lib" points "/$of/lib" &&
			mount --bind "$T/root/$of/lib/larder/layers" "/$of/lib/larder/layers" || fail "built-in layers in /$of/lib"
	done
	ROOT=()
}

L() { larder "$@" --config "$T/machine.yaml" --run-dir "$T/run" "${ROOT[@]+"${ROOT[@]}"}"; }

# state NAME [VERSION]: as larder layers shows it.
state() {
	L layers --output json 2>/dev/null | jq -r --arg n "$1" --arg v "${2-}" '.layers[] | select(.name == $n and ($v == "" or .version == $v)) | .state' | paste -sd,
}
reason() {
	L layers --output json 2>/dev/null | jq -r --arg n "$1" --arg v "${2-}" '.layers[] | select(.name == $n and ($v == "" or .version == $v)) | .reason' | paste -sd,
}

# message REFERENCE: what the tag in the served generation leads to, as the message that the image was made with.
tag_digest() { # REGISTRY REPOSITORY TAG
	sha256sum <"$T/run/cache/manifests/$1/$2/reference/$3" | cut -d' ' -f1
}
