# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# How the demo speaks.
title() { printf '\n== %s\n' "$*"; }
say() { printf '   %s\n' "$*"; }
quote() { sed 's/^/   | /'; }
die() {
	printf '\nThe demo failed: %s\n' "$*" >&2
	exit 1
}
