#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units as systemd reads them: no complaint, no ordering cycle in a whole boot, the registry's sandbox, the order before every
# runtime without pulling one in, no dependency on the network. And the completion of bash.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires systemd-analyze make
export MAKEFLAGS=
root=$T/root
check "make install" make -s -C "$LARDER_BUILD" install DESTDIR="$root"
prefix=$(sed -n 's/^prefix = //p' "$LARDER_BUILD/Makefile")
units=$root$prefix/lib/systemd/system
check "units are installed" test -e "$units/larder.target"

# A machine: the host's systemd with our units, and every runtime there is, all enabled.
machine=$T/machine
mkdir -p "$machine/etc/systemd/system/"{sysinit,multi-user}.target.wants "$machine/usr/lib/systemd"
cp -a /usr/lib/systemd/system "$machine/usr/lib/systemd/"
cp -a "$units"/. "$machine/usr/lib/systemd/system/"
runtimes="containerd crio docker podman podman-restart k3s k3s-agent rke2-server rke2-agent kubelet"
for runtime in $runtimes; do
	printf '[Unit]\nAfter=network-online.target local-fs.target\nWants=network-online.target\n[Service]\nExecStart=/bin/true\n' \
		>"$machine/usr/lib/systemd/system/$runtime.service"
	ln -sf "/usr/lib/systemd/system/$runtime.service" "$machine/etc/systemd/system/multi-user.target.wants/"
done

# One switch turns everything on and off; nobody else's presets do. Among our units alone, since presets are for every unit that there is.
switch=$T/switch
mkdir -p "$switch/etc/systemd/"{system,system-preset} "$switch/usr/lib/systemd/system-preset"
cp -a "$units" "$switch/usr/lib/systemd/system"
cp "$root$prefix/lib/systemd/system-preset/90-larder.preset" "$switch/usr/lib/systemd/system-preset/"
enabled() { (cd "$1/etc/systemd/system" && find . -name '*larder*' | sort | xargs); } # ROOT
switched=./sysinit.target.wants/larder.target
check "systemctl preset-all" systemctl --root="$switch" preset-all
check_equal "enables nothing" "$(enabled "$switch")" ""
check "systemctl enable larder.target" systemctl --root="$switch" enable larder.target
check_equal "enables it" "$(enabled "$switch")" "$switched"
check "systemctl disable larder.target" systemctl --root="$switch" disable larder.target
check_equal "takes it away" "$(enabled "$switch")" ""
echo 'enable larder.target' >"$switch/etc/systemd/system-preset/10-machine.preset"
check "systemctl preset-all of somebody who wants larder.target" systemctl --root="$switch" preset-all
check_equal "enables it" "$(enabled "$switch")" "$switched"
check "systemctl enable larder.target, on the machine" systemctl --root="$machine" enable larder.target
check_equal "which has it" "$(enabled "$machine")" "$switched"
for program in $(sed -n 's/^Exec[A-Za-z]*=[-+!@:|]*\(\/[^ ]*\).*/\1/p' "$machine"/usr/lib/systemd/system/*.service | sort -u); do
	install -D -m 755 /bin/true "$machine$program"
done

verify() { systemd-analyze verify --root="$machine" --man=no --recursive-errors=yes "$@"; }
# What the host's own units are told off for is not ours.
complaints() { grep -iE 'larder|cycle' "$T/out"; }
for unit in "$units"/*.{service,socket,target,timer}; do
	unit=${unit##*/}
	run verify "$unit"
	check_equal "$unit: systemd-analyze verify has no complaint" "$(complaints)" ""
done
run verify multi-user.target
check_equal "a whole boot with all runtimes has no ordering cycle" "$(complaints)" ""
for end in poweroff reboot halt kexec exit; do
	run verify "$end.target"
	check_equal "nor has the end by $end.target" "$(complaints)" ""
done
# The same where the config is on a filesystem of its own and volumes are encrypted, as systemd's own generators read fstab and crypttab.
printf '%s\n' 'UUID=1234-ABCD /etc/larder vfat defaults 0 2' '/dev/mapper/data /var ext4 defaults 0 2' '/dev/mapper/lib /var/lib ext4 _netdev 0 2' >"$T/fstab"
printf '%s\n' 'data /dev/disk/by-label/data none luks' 'lib /dev/disk/by-label/lib none luks,_netdev' >"$T/crypttab"
for generator in fstab cryptsetup; do
	mkdir -p "$T/generated/$generator"
	check "systemd-$generator-generator runs" env SYSTEMD_FSTAB="$T/fstab" SYSTEMD_CRYPTTAB="$T/crypttab" SYSTEMD_IN_INITRD=0 \
		"/usr/lib/systemd/system-generators/systemd-$generator-generator" "$T/generated/$generator" "$T/generated/$generator" "$T/generated/$generator"
	cp -a "$T/generated/$generator"/. "$machine/etc/systemd/system/"
done
check "and makes a mount of it" test -e "$machine/etc/systemd/system/etc-larder.mount"
install -D -m 755 /bin/true "$machine/lib/systemd/systemd-cryptsetup"
run verify multi-user.target
check_equal "nor is there one with encrypted volumes and a mount for the config" "$(complaints)" ""
# The checks above must be able to fail.
mkdir "$machine/etc/systemd/system/larder.socket.d"
printf '[Unit]\nAfter=kubelet.service\n' >"$machine/etc/systemd/system/larder.socket.d/cycle.conf"
run verify multi-user.target
check_output "a cycle would be found" 'cycle'

for runtime in $runtimes; do
	for unit in larder-boot larder-restore; do
		check "$unit is ordered before $runtime" grep -qE "^Before=.*\\b$runtime\\.service" "$units/$unit.service"
	done
done
check_equal "every boot pulls in what takes the runtimes' settings back, and nothing else of larder" \
	"$(cd "$units" && ls ./*.wants)" larder-restore.service
for place in etc run usr/lib; do
	check "which is nothing where larder.target is enabled in /$place" \
		grep -q "^ConditionPathExists=!/$place/systemd/system/sysinit.target.wants/larder.target" "$units/larder-restore.service"
done
check "larder.socket is bound before sysinit.target, and so before them" grep -qE "^Before=.*\\bsysinit\\.target" "$units/larder.socket"
check "so is larder-port.service done" grep -qE "^Before=.*\\bsysinit\\.target" "$units/larder-port.service"
check_equal "and reserves the ports that larder.socket binds" "$(sed -n 's/^ListenStream=.*://p' "$units/larder.socket" | sort -u | xargs)" \
	"$(sed -n 's/^Environment=PORTS=//p' "$units/larder-port.service")"
check_equal "which does not wait for it, and is first of all" "$(grep -h '^After=' "$units/larder.socket")$(grep -h '^\(Conflicts\|Before\)=.*\(shutdown\|larder\)' "$units/larder-port.service")" ""
for unit in larder-boot.service larder-restore.service larderd.service larder.socket larder.target; do
	file=$units/$unit
	run grep -hE '^(Wants|Requires|BindsTo|Requisite|Upholds)=' "$file"
	check_no_output "$unit pulls in no runtime" '(containerd|crio|docker|podman|k3s|rke2|kubelet)'
done
run grep -hE '^(After|Wants|Requires|Before)=.*\bnetwork(-online|-pre)?\.target' "$units"/larder*
check_equal "nothing waits for the network" "$(cat "$T/stdout")" ""
run grep -hE '^(After|Wants|Requires|Before)=.*local-fs' "$units"/larder*
check_equal "nothing is ordered against local-fs.target" "$(cat "$T/stdout")" ""

# 15 is 1.5: systemd-analyze counts the threshold in tenths.
check "the exposure of larderd.service is 1.5 or less" \
	systemd-analyze security --offline=true --threshold=15 --no-pager "$units/larderd.service"
note "$(tail -1 "$T/stdout")"
check "connections that are made before larderd runs have no pace of the machine's networks" grep -qx TCPCongestion=reno "$units/larder.socket"
for unit in larder.socket larderd.service; do check "being started often does not make $unit fail" grep -qx StartLimitIntervalSec=0 "$units/$unit"; done
check_equal "larder-port.service, which is root's, has what bpf(2) needs, and nothing else" \
	"$(sed -n 's/^CapabilityBoundingSet=//p' "$units/larder-port.service")" "CAP_BPF CAP_NET_ADMIN"
check_status 1 "and a service without a sandbox would not pass" \
	systemd-analyze security --offline=true --threshold=15 --no-pager "$units/larder-verify.service"

complete_with() { # WORDS…: what the last word can become
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	_larder
	printf '%s\n' "${COMPREPLY[@]}"
}
# shellcheck source=/dev/null
. "$root$prefix/share/bash-completion/completions/larder"
check_equal "completion knows the commands" "$(complete_with larder stat)" status
check_equal "and the options" "$(complete_with larder status --outp)" --output
check_equal "and the formats" "$(complete_with larder status --output j)" json
done_testing
