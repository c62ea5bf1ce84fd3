#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Which of two layers gives a tag: natural order of the file names, the last on top, and both are named. What is there and not configured
# is shown and not used. What a build left out of an image is shown.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
in_namespaces "$@"
requires mksquashfs jq skopeo
layers_start
L_DIR=$T/root/usr/lib/larder/layers
mkdir -p "$L_DIR"
real_root

layer "$L_DIR/9-nine-1.sqsh" ghcr.io/acme/app:1=nine ghcr.io/acme/nine:1=own >"$T/out"
layer "$L_DIR/10-ten-1.sqsh" ghcr.io/acme/app:1=ten ghcr.io/acme/ten:1=own >"$T/out"
layers_config
check "two layers with one tag" L layers sync
check_equal "both are active" "$(state nine) $(state ten)" "active active"
on_top=$(tag_digest ghcr.io acme/app 1)
in_ten=$(sha256sum <"$(echo "$T/run/layers/ten-1-"*/manifests/ghcr.io/acme/app/reference/1)" | cut -d' ' -f1)
in_nine=$(sha256sum <"$(echo "$T/run/layers/nine-1-"*/manifests/ghcr.io/acme/app/reference/1)" | cut -d' ' -f1)
check_equal "they differ" "$([ "$in_ten" != "$in_nine" ] && echo yes)" yes
check_equal "10 comes after 9 and is on top" "$on_top" "$in_ten"
check_status 1 "check reports the tag" L layers check
check_output "with both names" "nine and ten give ghcr.io/acme/app:1 different digests; that of ten counts"
check_equal "what only the lower one has is there, too" "$(ls "$T/run/cache/manifests/ghcr.io/acme" | sort | xargs)" "app nine ten"

note "There, and not configured"
layers_config false 'layers: [{name: nine}]'
check "only one is configured" L layers sync
check_equal "the other is shown as such" "$(state nine) $(state ten)" "active not configured"
check_equal "and not served" "$(tag_digest ghcr.io acme/app 1) $(ls "$T/run/cache/manifests/ghcr.io/acme" | sort | xargs)" "$in_nine app nine"
check_status 1 "it is drift" L layers check
check_output "and named" "ten 1: not configured"
check "layers" L layers
check_output "has it in its table" "^ten +1 +not configured "

note "Platforms that were left out"
make_image "$T/many" tag many amd64 arm64 riscv64 >/dev/null
echo "ghcr.io/acme/many:1=oci:$T/many:tag" >"$T/list"
check "a build for one platform of three" larder build --images "$T/list" --platform linux/arm64 --name many --version 1 --output "$L_DIR/20-many-1.sqsh"
layers_config
check "it is used" L layers sync
check "images" L images
check_output "has what is there, and what was left out" "^ghcr.io/acme/many:1 +sha256:[0-9a-f]{64} .* linux/arm64 +linux/amd64,[ ]?linux/riscv64 +many$"
check "for programs" L images --output json
check_equal "the same" "$(jq -c '.[] | select(.reference == "ghcr.io/acme/many:1") | [.platforms, .omitted]' "$T/stdout")" '[["linux/arm64"],["linux/amd64","linux/riscv64"]]'
done_testing
