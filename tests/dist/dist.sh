#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The release: make install DESTDIR= puts everything in its place, make distcheck builds and tests the tarball out of tree.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires make autoreconf xz
export MAKEFLAGS=
unset TESTS_MUST_RUN # the vectors beside this tree are not beside the unpacked release

check "make install" make -s -C "$LARDER_BUILD" install DESTDIR="$T/root"
for file in usr/bin/larder usr/share/man/man1/larder.1 usr/lib/systemd/system/larder.socket; do
	check "it installs $file" test -e "$T/root/$file"
done
run grep -rl "@[a-z]*@" "$T/root/usr/lib/systemd"
check_equal "no template is left in a unit" "$(cat "$T/stdout")" ""
check "make uninstall" make -s -C "$LARDER_BUILD" uninstall DESTDIR="$T/root"
check_equal "and nothing is left" "$(find "$T/root" ! -type d)" ""

# Builds the tarball, and from it, in a read-only source tree, everything; tests, installs, uninstalls, cleans.
check "make distcheck" make -s -j"$(nproc)" -C "$LARDER_BUILD" distcheck

# What is in the tree and not in the release is found here, not by those who unpack it.
if git -C "$LARDER_SOURCE" -c safe.directory='*' rev-parse --git-dir >"$T/out" 2>&1; then
	git -C "$LARDER_SOURCE" -c safe.directory='*' ls-files ':!.gitignore' | sort >"$T/tracked"
	tar -tf "$(find "$LARDER_BUILD" -maxdepth 1 -name 'larder-*.tar.xz')" | sed 's|^[^/]*/||' | sort >"$T/released"
	check_equal "the tarball has every file of the tree" "$(comm -23 "$T/tracked" "$T/released")" ""
fi
done_testing
