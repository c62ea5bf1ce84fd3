#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larder-port: who may bind the registry's port. In a control group and a network namespace of the test's own.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires python3 setpriv unshare ip
in_namespaces "$@"
PATH=/usr/sbin:/usr/bin:/sbin:/bin # programs that every user may run
chmod 755 "$T"
group=
in_group() { (echo "$BASHPID" >"$group/cgroup.procs" && exec "$@"); }
tried() { in_group "$@" | paste -sd' '; } # CMD… [PORT]: what became of each way
try=(python3 "$T/try-bind.py")
user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
port() { run "$LARDER_BUILD/src/larder-port/larder-port" --cgroup "$group" --pins "$T/bpf/larder-port" "$@"; }
release() { run "$LARDER_BUILD/src/larder-port/larder-port" --pins "$T/bpf/larder-port" --release; }
free="tcp bound any bound other bound reuse bound mptcp bound tcp6 bound any6 bound mapped bound udp bound"
kept="tcp EPERM any EPERM other EPERM reuse EPERM mptcp EPERM tcp6 EPERM any6 EPERM mapped EPERM udp bound"

mkdir "$T/cgroup" "$T/bpf" "$T/plain"
cp "$LARDER_SOURCE/tests/lib/try-bind.py" "$T/"
check "there are control groups of version 2" mount -t cgroup2 none "$T/cgroup"
cleanup umount "$T/cgroup"
check "and a BPF filesystem" mount -t bpf none "$T/bpf"
cleanup umount "$T/bpf"
group=$T/cgroup/larder-test-$$
mkdir "$group"
cleanup rmdir "$group"

check_equal "before: everybody may bind the port" "$(tried "${user[@]}" "${try[@]}" 3172)" "$free"
port 3172 3173
check_equal "it is reserved" "$status" 0
check_output "which is said" '^larder-port: port 3172 of TCP is reserved'
for p in 3172 3173; do check_equal "nobody but root may bind $p, in any way" "$(tried "${user[@]}" "${try[@]}" $p)" "$kept"; done
check_equal "root may" "$(tried "${try[@]}" 3172)" "$free"
check_equal "another port is everybody's" "$(tried "${user[@]}" "${try[@]}" 3174)" "$free"
check_equal "so is that whose bytes are in the other order" "$(tried "${user[@]}" "${try[@]}" $(((3172 & 255) << 8 | 3172 >> 8)))" "$free"
check_equal "a capability is not root" "$(tried setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps +net_bind_service --ambient-caps +net_bind_service \
	"${try[@]}" 3172)" "$kept"
check_equal "nor is a program with the set-user-ID bit" "$(tried setpriv --ruid 65534 --euid 0 --clear-groups "${try[@]}" 3172)" "$kept"
check_equal "but root whose effective user is another one" "$(tried setpriv --ruid 0 --euid 65534 --clear-groups "${try[@]}" 3172)" "$free"
check_equal "nor is root of a user namespace" "$(tried "${user[@]}" unshare --user --map-root-user "${try[@]}" 3172)" "$kept"
check_equal "who has a network of his own has its ports, too" \
	"$(tried "${user[@]}" unshare --user --map-root-user --net sh -c 'ip link set lo up && exec "$@"' - "${try[@]}" 3172)" "$free"
check_equal "a group below is bound to it" "$(mkdir "$group/below" && (echo "$BASHPID" >"$group/below/cgroup.procs" && exec "${user[@]}" "${try[@]}" 3172) | paste -sd' ')" "$kept"
until_true 10 rmdir "$group/below"

# Again and otherwise: one program for each family, at any time.
port 3172
check_equal "it is reserved once more" "$status" 0
check_equal "a port that is not named any more is free" "$(tried "${user[@]}" "${try[@]}" 3173)" "$free"
check_equal "there is one link for each family" "$(cd "$T/bpf/larder-port" && echo *)" "bind4 bind6"
# The others' tries go on while it is done again and again: none must find the port free.
(echo "$BASHPID" >"$group/cgroup.procs" && exec "${user[@]}" python3 -c '
import errno, os, socket, sys
tries = bound = 0
while os.getppid() == int(sys.argv[1]):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", 3172))
            bound += 1
        except OSError as e:
            if e.errno != errno.EPERM: raise
    tries += 1
    if tries == 1000 or tries % 100000 == 0: print(tries, bound, flush=True)
    if os.path.exists(sys.argv[2]): break
print(tries, bound)
' $$ "$T/end") >"$T/tries" 2>"$T/tries.err" &
thief=$!
cleanup end_child "$thief"
check "somebody tries" until_true 60 grep -q . "$T/tries"
for _ in $(seq 50); do port 3172 3173 && [ "$status" = 0 ] || break; done
check_equal "it can be done 50 times" "$status" 0
: >"$T/end"
wait "$thief"
check_equal "at none of them the port is free" "$(tail -1 "$T/tries" | sed -n 's/^[1-9][0-9]* //p')$(cat "$T/tries.err")" 0
note "tries, and how many got it: $(tail -1 "$T/tries")"

release
check_equal "it is given back" "$status" 0
check_equal "then everybody may bind it again" "$(tried "${user[@]}" "${try[@]}" 3172)" "$free"
check_equal "and nothing is left" "$(find "$T/bpf" -name "larder*")" ""
release
check_equal "a second time is no error" "$status" 0

# Sixteen ports, the first and the last.
# shellcheck disable=SC2046
port $(seq 4001 4016)
check_equal "sixteen ports can be reserved" "$status" 0
for p in 4001 4016; do check_equal "$p is" "$(tried "${user[@]}" "${try[@]}" $p)" "$kept"; done
check_equal "4017 is not" "$(tried "${user[@]}" "${try[@]}" 4017)" "$free"
release

# What it says when it cannot.
run "$LARDER_BUILD/src/larder-port/larder-port" --cgroup "$T/plain" --pins "$T/bpf/larder-port" 3172
check_equal "a directory that is no control group is refused" "$status" 1
check_output "and named" "$T/plain has no control groups of version 2"
run "$LARDER_BUILD/src/larder-port/larder-port" --cgroup "$group" --pins "$T/plain/pins" 3172
check_equal "so is one that is on no BPF filesystem" "$status" 1
check_output "and named, too" "$T/plain/pins"
check_equal "nothing was reserved" "$(tried "${user[@]}" "${try[@]}" 3172)" "$free"
run "${user[@]}" "$LARDER_BUILD/src/larder-port/larder-port" --cgroup "$group" --pins "$T/bpf/larder-port" 3172
check_equal "a user cannot reserve it" "$status" 1
run setpriv --bounding-set=-all,+dac_override "$LARDER_BUILD/src/larder-port/larder-port" --cgroup "$group" --pins "$T/bpf/larder-port" 3172
check_equal "nor root without the capabilities" "$status" 1
check_output "which are named" 'CAP_BPF and CAP_NET_ADMIN'
for arguments in "" "0" "65536" "-1" "3172x" "99999999999999999999" "--release 3172" "$(seq -s' ' 17)" "--nothing"; do
	# shellcheck disable=SC2086
	port $arguments
	check_equal "\"$arguments\" is a mistake in usage" "$status" 2
done
port " 3172"
check_equal "so is a blank before the number" "$status" 2
done_testing
