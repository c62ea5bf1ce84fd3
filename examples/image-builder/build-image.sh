#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Puts an image cache into the root file system $ROOT, and makes cache.img beside it. See README.md.
set -eu
: "${ROOT:?the root file system that is being built}"
here=$(dirname "$0")

install -D -m 600 "$here/machine.yaml" "$ROOT/etc/larder/machine.yaml"
larder config check --root "$ROOT"

# What the system in $ROOT needs, by the files in it, and what its owner adds. Programs of $ROOT are not run.
mkdir -p "$ROOT/usr/lib/larder/layers"
{ larder images default --root "$ROOT"; cat "$here/more-images.txt"; } |
	larder build --images - --output "$ROOT/usr/lib/larder/layers/000-site-1.sqsh"
larder runtime configure --root "$ROOT"

# The disk that will carry what comes later. With --seed and SOURCE_DATE_EPOCH, the same input gives the same image.
rm -f cache.img
truncate -s 1G cache.img
larder volume provision --image cache.img --config "$ROOT/etc/larder/machine.yaml" --seed site-1
larder volume status --image cache.img --config "$ROOT/etc/larder/machine.yaml"
