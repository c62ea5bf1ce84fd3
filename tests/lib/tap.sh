# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What shell tests source: TAP output, a work directory, a stack of cleanups that runs on every exit.
#
#	. "$LARDER_SOURCE/tests/lib/tap.sh"
#	requires mkfs.ext4
#	check "two and two" test $((2 + 2)) = 4
#	check_status 2 "unknown key is refused" larder config check "$T/bad.yaml"
#	check_output "and named" "unknown key"          # looks into what the last command said
#	done_testing
#
# $T is a fresh directory. The last command's output (both streams) is in $T/out, its standard output alone in $T/stdout.

set -u -o pipefail
: "${LARDER_SOURCE:?run me through tests/run}" "${LARDER_BUILD:?run me through tests/run}"
PATH=$LARDER_BUILD/src/larder:$LARDER_BUILD/src/larderd:$LARDER_BUILD/src/larder-boot:$LARDER_BUILD/tests:$PATH
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C
umask 022
# What is asked on loopback is asked there, whatever this host's environment says of proxies.
export no_proxy="127.0.0.1,localhost,::1${no_proxy:+,$no_proxy}"
export NO_PROXY=$no_proxy

tap_count=0 tap_failed=0
T=$(mktemp -d "${TMPDIR:-/tmp}/larder-test.XXXXXX")
cleanups=()

cleanup() { cleanups+=("$*"); }            # one command, run last in, first out
run_cleanups() {
	local i
	for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do eval "${cleanups[i]}" >/dev/null 2>&1; done
	cleanups=()
	rm -rf --one-file-system "$T"
}
trap run_cleanups EXIT
trap 'exit 130' INT TERM

pass() { echo "ok $((++tap_count)) - $*"; }
fail() {
	echo "not ok $((++tap_count)) - $*"
	tap_failed=1
}
note() { sed 's/^/# /' <<<"$*"; }

# The whole file cannot run here. tests/run makes a failure of it where TESTS_MUST_RUN is set.
skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}
requires() {
	local program
	for program; do command -v "$program" >/dev/null || skip_all "$program is not installed"; done
}
requires_root() { [ "$(id -u)" = 0 ] || skip_all "needs root"; }

# run CMD…: keeps status in $status, output in $T/out and $T/stdout; a sanitizer's report is shown and fails the file.
run() {
	"$@" >"$T/stdout" 2>"$T/stderr" </dev/null
	status=$?
	cat "$T/stdout" "$T/stderr" >"$T/out"
	if grep -qE 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$T/out"; then
		fail "sanitizer report from: $*"
		note "$(head -40 "$T/out")"
	fi
	return 0
}
verdict() { # TRUTH DESCRIPTION
	if [ "$1" = 0 ]; then pass "$2"; else
		fail "$2"
		note "status ${status-}; output:" "$(head -c 4000 "$T/out" 2>/dev/null)"
	fi
}
check() { # DESCRIPTION CMD…
	local description=$1
	shift
	run "$@"
	verdict "$status" "$description"
}
check_status() { # STATUS DESCRIPTION CMD…
	local expected=$1 description=$2
	shift 2
	run "$@"
	[ "$status" = "$expected" ]
	verdict $? "$description"
}
check_output() { # DESCRIPTION REGEX: the last output matches
	grep -qE -- "$2" "$T/out"
	verdict $? "$1"
}
check_no_output() { # DESCRIPTION REGEX
	! grep -qE -- "$2" "$T/out"
	verdict $? "$1"
}
check_equal() { # DESCRIPTION ACTUAL EXPECTED
	if [ "$2" = "$3" ]; then pass "$1"; else
		fail "$1"
		note "got:      $2"
		note "expected: $3"
	fi
}

# tap_from CMD…: a program that says "ok WHAT" or "not ok WHAT" for each check, whatever else it says, and ends with 0.
tap_from() {
	local line
	"$@" >"$T/lines" 2>&1
	status=$?
	while IFS= read -r line; do
		case $line in
		"ok "*) pass "${line#ok }" ;;
		"not ok "*) fail "${line#not ok }" ;;
		*) note "$line" ;;
		esac
	done <"$T/lines"
	cp "$T/lines" "$T/out"
	[ "$status" = 0 ] && grep -q '^ok ' "$T/lines"
	verdict $? "$(basename "$1") came to its end"
}

done_testing() {
	echo "1..$tap_count"
	exit $tap_failed
}

# attach_loop FILE [losetup options]: prints the device; no partition scanning, detached at the end by the caller's cleanup.
attach_loop() {
	local file=$1
	shift
	losetup --find --show "$@" "$file"
}

# check_loops DESCRIPTION N PATTERN: so many loop devices have such files. One that udev, or whoever else looks at what is new, has open
# is let go a moment later.
check_loops() {
	local end=$((SECONDS + 20)) n
	until n=$(losetup --list --noheadings --output BACK-FILE | grep -c -- "$3"); [ "$n" = "$2" ] || [ $SECONDS -ge $end ]; do sleep 0.1; done
	check_equal "$1" "$n" "$2"
}

# end_child PID: ends it, if it is still there; its number may be somebody else's by then.
end_child() { grep -qs "^PPid:[[:space:]]*$$\$" "/proc/$1/status" && kill "$1"; }

# The rest of the file runs in mount and network namespaces of its own, with loopback up; sockets hold as much as by default there.
in_namespaces() { # "$@" of the test
	requires_root
	requires unshare ip
	[ -n "${LARDER_IN_NAMESPACES-}" ] && {
		ip link set lo up
		echo "4096 16384 4194304" >/proc/sys/net/ipv4/tcp_wmem
		return
	} 2>/dev/null
	rm -rf "$T"
	LARDER_IN_NAMESPACES=1 exec unshare --mount --net --propagation private bash "$0" "$@"
}

# until_true SECONDS CMD…: polls.
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
