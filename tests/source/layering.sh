#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A module includes only modules below it: src/LAYERS against the includes that are really there.
. "$LARDER_SOURCE/tests/lib/tap.sh"
cd "$LARDER_SOURCE" || exit 1

while IFS=: read -r module allowed; do
	case $module in '' | '#'*) continue ;; esac
	[ -d "src/$module" ] || { fail "src/LAYERS names $module, and there is no such folder"; continue; }
	bad=
	for file in "src/$module"/*.[ch]; do
		[ -e "$file" ] || continue
		while IFS= read -r included; do
			case " $module base $allowed " in
			*" ${included%%/*} "*) ;;
			*) bad+="$file includes $included; " ;;
			esac
		done < <(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file")
	done
	[ -z "$bad" ]
	status=0 verdict $? "$module includes only what it may${bad:+: $bad}"
done <src/LAYERS

for folder in src/*/; do
	folder=${folder#src/}
	grep -q "^${folder%/}:" src/LAYERS
	verdict $? "src/${folder%/} has its line in src/LAYERS"
done
done_testing
