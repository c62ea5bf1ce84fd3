#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Random partition tables, the same at every run; "./dev fuzz tables" takes others.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires python3 mkfs.ext4 e2fsck debugfs sfdisk strace unshare
run "$LARDER_SOURCE/tests/fuzz/tables.py" --seed 1 --cases 40
verdict "$status" "random tables: $(tail -1 "$T/out")"
done_testing
