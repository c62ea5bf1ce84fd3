# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Machines under qemu. A test file makes one or more, changes their root while they are off, boots them, reads what they left.
#
#	. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
#	vm_begin                                      # skips the file where there is no qemu; builds what is missing
#	vm_machine alpha                              # $V: its directory; its root is mounted on $V/root
#	…files into $V/root…
#	vm_boot first -drive …                        # runs tests/vm/guest/first.sh in it; its TAP lines become ours
#	vm_open; …; vm_close                          # the root again, while it is off
#
# A boot ends when the guest powered off; one that hangs is ended after VM_DEADLINE seconds and fails. VM_KILL: an extended
# regular expression; qemu is killed when the console or the result shows it, as if the power went; VM_KILL_AFTER: seconds later.

. "$LARDER_SOURCE/tests/vm/lib/root.sh"

: "${VM_DEADLINE:=1200}"
vm_boots=0

# The test starts over in a mount namespace of its own: nobody who makes one meanwhile must inherit, and keep, a mounted root of ours.
vm_private() {
	requires_root
	[ -z "${VM_PRIVATE-}" ] || return 0
	rm -rf "$T"
	VM_PRIVATE=1 exec unshare --mount --propagation private bash "$0"
}

vm_begin() {
	vm_private
	requires qemu-system-x86_64 mmdebstrap mkfs.ext4 dpkg-buildpackage xorriso losetup
	mkdir -p "$vm_dir"
	# Several files may run at once; what they share is made by the first.
	exec 7>"$vm_dir/.lock" && flock 7
	run vm_root
	exec 7>&-
	[ "$status" = 0 ] && { note "$(grep -h . "$T/out" | grep -a '^larder:')"; return; }
	fail "the machine's root is built"
	note "$(tail -30 "$T/out")"
	[ ! -e "$debs/build.log" ] || note "$(tail -30 "$debs/build.log")"
	done_testing
}

vm_open() {
	vm_mount "$V/root.ext4" "$V/root"
}
vm_close() { umount "$V/root"; }

# The machine's root is a copy: what it writes is its own.
vm_machine() { # NAME
	V=$T/$1
	mkdir -p "$V"
	cp --sparse=always "$vm_dir/root.ext4" "$V/root.ext4"
	cleanup umount "$V/root"
	vm_open
	vm_agent
}

# What the guest needs of the tests.
vm_agent() {
	mkdir -p "$V/root/opt/vm/tests/vm" "$V/root/opt/vm/build/tests"
	cp -a "$LARDER_SOURCE/tests/lib" "$V/root/opt/vm/tests/"
	cp -a "$LARDER_SOURCE/tests/vm/guest" "$V/root/opt/vm/tests/vm/"
	install -m 755 "$LARDER_SOURCE/tests/vm/guest/vm-agent" "$V/root/opt/vm/agent"
	install -m 644 "$LARDER_SOURCE/src/base/events.h" "$V/root/opt/vm/events.h"
	install -m 644 "$LARDER_SOURCE/tests/vm/guest/vm-agent.service" "$V/root/etc/systemd/system/vm-agent.service"
	install -m 755 "$LARDER_BUILD/tests/dead-mirror" "$LARDER_BUILD/tests/port-thief" "$V/root/opt/vm/build/tests/"
	install -D -m 644 "$LARDER_SOURCE/tests/vm/guest/port-thief.service" "$V/root/etc/systemd/system/port-thief.service"
	# Disks that are there from the start are there before larder-boot looks, however busy the host: udev alone would load this later.
	echo virtio_blk >"$V/root/etc/modules-load.d/machine.conf"
	# Nor is it an emergency that a device or a service took minutes there.
	mkdir -p "$V/root/etc/systemd/system.conf.d"
	printf '[Manager]\nDefaultDeviceTimeoutSec=15min\nDefaultTimeoutStartSec=15min\n' >"$V/root/etc/systemd/system.conf.d/machine.conf"
	mkdir -p "$V/root/etc/systemd/system/sysinit.target.wants"
	[ -n "${VM_NO_THIEF-}" ] || ln -sf ../port-thief.service "$V/root/etc/systemd/system/sysinit.target.wants/"
}

# vm_enable: what "systemctl enable larder.target" does, done by systemctl.
vm_enable() { systemctl --root="$V/root" enable larder.target; }

vm_ended() { grep -qa '^vm: end ' "$1"; }

# vm_watch PID CONSOLE RESULT: until qemu has ended. 0: by itself; 1: killed by VM_KILL; 2: killed by the deadline. A machine of which
# nothing is heard for 20 seconds is woken (see wake).
vm_watch() {
	local end=$((SECONDS + VM_DEADLINE)) heard=$SECONDS size='' now
	while kill -0 "$1" 2>/dev/null; do
		now=$(stat -c %s "$2" "$3")
		[ "$now" = "$size" ] || heard=$SECONDS size=$now
		if ((SECONDS - heard >= 20)); then
			"$LARDER_SOURCE/tests/vm/lib/wake" "$V/monitor" >/dev/null 2>&1
			heard=$SECONDS
		fi
		if [ -n "${VM_KILL-}" ] && grep -qaE "$VM_KILL" "$2" "$3"; then
			sleep "${VM_KILL_AFTER:-0}"
			kill -KILL "$1"
			wait "$1" 2>/dev/null
			return 1
		fi
		if [ $SECONDS -ge $end ]; then
			kill -KILL "$1"
			wait "$1" 2>/dev/null
			return 2
		fi
		sleep 0.2
	done
	wait "$1" 2>/dev/null
	return 0
}

# The guest's TAP lines, counted on from ours.
vm_report() { # NAME RESULT
	local line
	while IFS= read -r line; do
		case $line in
		"ok "*) pass "$1: ${line#ok * - }" ;;
		"not ok "*) fail "$1: ${line#not ok * - }" ;;
		"# "*) printf '%s\n' "$line" ;;
		1..* | "vm: "* | "port-thief: "*) ;;
		*) printf '# %s\n' "$line" ;;
		esac
	done < <(tr -d '\r' <"$2")
}

# The machine's own hardware; the test's is added by vm_boot. VM_LIVE: there is no disk with a root, the kernel is told this instead.
# VM_COUNT: the machine has one processor, and its clock counts instructions, whatever else this host does meanwhile. (With more, the
# one that waits for another spins until its turn ends.)
vm_qemu() {
	local root="root=/dev/nvme0n1 rootfstype=ext4 ro"
	local processor=(-accel 'tcg,thread=multi' -smp 2)
	[ -z "${VM_COUNT-}" ] || processor=(-accel 'tcg,thread=single' -icount 'shift=1' -smp 1)
	printf '%s\0' qemu-system-x86_64 -M pc "${processor[@]}" -cpu max,la57=off -m "${VM_MEMORY:-1024}" \
		-nodefaults -no-user-config -display none -no-reboot -serial "file:$console" -serial "file:$result" \
		-kernel "${VM_KERNEL:-$vm_dir/vmlinuz}" ${VM_INITRD:+-initrd "$VM_INITRD"} \
		-append "console=ttyS0 ${VM_LIVE:-$root} panic=-1 no_timer_check mitigations=off systemd.log_color=0 systemd.show_status=1 vm.scenario=$scenario ${VM_APPEND-}" \
		-device virtio-rng-pci -monitor "unix:$V/monitor,server=on,wait=off"
	[ -n "${VM_LIVE-}" ] ||
		printf '%s\0' -drive "if=none,id=root,file=$V/root.ext4,format=raw,cache=unsafe" -device nvme,drive=root,serial=ROOT
}

vm_boot() { # SCENARIO [QEMU OPTION…]
	local scenario=$1 console result pid qemu
	shift
	mountpoint -q "$V/root" && vm_close
	console=$V/console.$((++vm_boots)) result=$V/result.$vm_boots
	: >"$console"
	: >"$result"
	mapfile -d '' -t qemu < <(vm_qemu)
	"${qemu[@]}" "$@" >"$V/qemu.$vm_boots" 2>&1 &
	pid=$!
	cleanup kill -KILL "$pid"
	vm_watch "$pid" "$console" "$result"
	vm_outcome=$?
	vm_console=$console vm_result=$result
	[ -n "${VM_KEEP-}" ] && { mkdir -p "$VM_KEEP" && cp "$console" "$VM_KEEP/$(basename "$V").console.$vm_boots"; cp "$result" "$VM_KEEP/$(basename "$V").result.$vm_boots"; }
	[ -n "${VM_KILL-}" ] && { vm_killed "$scenario"; vm_port_kept "$scenario"; return; }
	vm_report "$scenario" "$result"
	vm_port_kept "$scenario"
	if [ $vm_outcome = 0 ] && vm_ended "$result"; then
		pass "$scenario: the boot ran to its end and powered off"
	else
		fail "$scenario: the boot ran to its end and powered off"
		note "$(cat "$V/qemu.$vm_boots")" "$(tail -40 "$console" | tr -d '\r' | cat -v)"
	fi
}

# Nobody but the registry had its port, in a boot that ran to its end or was cut.
vm_port_kept() { # NAME
	[ -z "${VM_NO_THIEF-}" ] || return 0
	run grep -a 'port-thief: ' "$vm_result"
	check_no_output "$1: at no moment somebody else got the registry's port" 'bound'
	[ -n "${VM_KILL-}" ] || check_output "$1: which somebody tried to get from the first moment to the last, and beyond SIGTERM" 'has tried [0-9]{3,} times since SIGTERM'
}

vm_killed() {
	[ $vm_outcome = 1 ] && { pass "$1: the power was cut at: $VM_KILL"; return; }
	fail "$1: the power was cut at: $VM_KILL"
	note "$(tail -40 "$vm_console" | tr -d '\r' | cat -v)"
}

# What the journal of the machine says; it must be off and open.
vm_journal() { journalctl --directory="$V/root/var/log/journal" --no-pager --quiet "$@"; }

# Disks beside the root, on virtio.
vm_disk() { # IMAGE SERIAL [OPTION,… [DEVICE OPTION,…]]
	printf '%s\n' -drive "if=none,id=d$2,file=$1,format=raw,${3:-cache=writeback}" -device "virtio-blk-pci,drive=d$2,serial=$2${4:+,$4}"
}
vm_cdrom() { # ISO [OPTION,…]
	printf '%s\n' -device virtio-scsi-pci -drive "if=none,id=cd,file=$1,format=raw,media=cdrom,readonly=on${2:+,$2}" -device scsi-cd,drive=cd
}
