#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The tree itself: licence lines, formatting, shell scripts, man pages, strings written in two places.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires git clang-format shellcheck mandoc
cd "$LARDER_SOURCE" || exit 1
git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1 || skip_all "not a git checkout"
files() { git -c safe.directory='*' ls-files "$@"; }

missing=$(files '*.c' '*.h' '*.sh' '*.inc' '*.am' '*.ac' | xargs grep -L 'SPDX-License-Identifier: LGPL-2.1-or-later')
check_equal "every source file has its SPDX line" "$missing" ""

badly=$(files '*.c' '*.h' | xargs clang-format --dry-run 2>&1 | grep -o '^[^:]*:[0-9]*' | head -20)
check_equal "sources are formatted (./dev fmt)" "$badly" ""

mapfile -t scripts < <(
	files '*.sh'
	files dev .ci/run tests/run bench units | xargs grep -lE '^#!/bin/(ba)?sh' | grep -v '\.sh$'
)
check "shell scripts pass shellcheck" shellcheck -x -S warning -e SC1091,SC2034,SC2046,SC2086,SC2154 "${scripts[@]}"

mapfile -t pages < <(files 'man/*.[1-8]')
[ ${#pages[@]} = 0 ] || check "man pages pass mandoc's lint" mandoc -T lint -W warning "${pages[@]}"

while read -r event id; do
	check "$event is used, and larder-units(7) explains its MESSAGE_ID" eval "grep -rqw --include='*.c' $event src && grep -qx '.It Li $id' man/larder-units.7"
done < <(sed -n 's/^#define \(EVENT_[A-Z_]*\)[[:space:]]*"\(.*\)"/\1 \2/p' src/base/events.h)

# Names that formats own stand in base/names.h alone.
for name in '"IMAGECACHE' '"manifests/' '"blob"' '3172'; do
	twice=$(files 'src/*.c' 'src/*.h' | grep -v '^src/base/names.h$' | xargs grep -l -- "$name")
	check_equal "$name is written in src/base/names.h only" "$twice" ""
done
done_testing
