# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The project's Debian packages, built from the tree as it is, once per state of the tree.
#
#	build_debs || …       makes them, in $debs
#	$debs/larder_*.deb    one per package; $debs/build.log is dpkg-buildpackage's output

debs=$LARDER_BUILD/debs

# What goes into a package: everything that git knows or would know, or, without git, the unpacked release.
deb_files() {
	if git -c safe.directory='*' -C "$LARDER_SOURCE" rev-parse --git-dir >/dev/null 2>&1; then
		(cd "$LARDER_SOURCE" && git -c safe.directory='*' ls-files -co --exclude-standard)
	else
		(cd "$LARDER_SOURCE" && find . -type f ! -path './build*' ! -path './_build*')
	fi | grep -vE '^(\./)?(tests/(vm|root|image|dist|demo)|\.ci)/' | while IFS= read -r file; do
		[ -e "$LARDER_SOURCE/$file" ] && printf '%s\n' "$file"
	done | LC_ALL=C sort
}
deb_key() { (cd "$LARDER_SOURCE" && deb_files | tr '\n' '\0' | xargs -0 sha256sum) | sha256sum | cut -d' ' -f1; }

build_debs() { # in a directory of its own; the source tree is not touched
	local key
	mkdir -p "$debs"
	exec 8>"$debs/.lock" && flock 8 || return
	key=$(deb_key)
	[ "$(cat "$debs/key" 2>/dev/null)" = "$key" ] && { exec 8>&-; return 0; }
	rm -rf "$debs"/{source,key,*.deb}
	mkdir -p "$debs/source" &&
		(cd "$LARDER_SOURCE" && deb_files | tar -T - -cf -) | tar -C "$debs/source" -xf - &&
		(cd "$debs/source" && unset TESTS_MUST_RUN && MAKEFLAGS='' DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-parallel=$(nproc)}" \
			dpkg-buildpackage --build=binary --no-sign --no-pre-clean) >"$debs/build.log" 2>&1 8>&- &&
		echo "$key" >"$debs/key"
	local result=$?
	exec 8>&-
	return $result
}
