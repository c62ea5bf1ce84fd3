#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units as this systemd sees them, then what an administrator, a bug or bad luck does to them.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
all="larder.target larder.socket larderd.service larder-boot.service larder-sync.service larder-medium@vdb-1.service
larder-verify.service larder-verify.timer larder-port.service"

answers() {
	curl -sf --max-time 30 -o /dev/null "http://127.0.0.1:3172/v2/library/busybox/manifests/1.36?ns=docker.io"
}
# Whatever was done: after a start of the target everything is as it was after the boot.
check_recovered() { # AFTER WHAT
	check "after $1: larder.target starts" systemctl start larder.target
	check "after $1: the registry has the image" until_true 300 answers
	check "after $1: the volume is mounted" until_true 300 mountpoint -q /run/larder/volume
	check_equal "after $1: nothing is mounted twice" "$(awk '$2 ~ "^/run/larder/" { print $2 }' /proc/self/mounts | sort | uniq -d)" ""
	check_equal "after $1: each layer has one loop device" "$(losetup --list --noheadings --output BACK-FILE | grep sqsh | sort | uniq -d)" ""
	run systemctl --failed --no-legend --plain
	check_equal "after $1: no failed unit" "$(cat "$T/stdout")" ""
	[ ! -s "$T/stdout" ] || note "$(awk '{ print $1 }' "$T/stdout" | xargs -r systemctl status --no-pager --lines=20)"
}

guest_healthy
check "/etc/larder is a filesystem of its own" mountpoint -q /etc/larder
check "an encrypted volume is mounted" test "$(findmnt -no SOURCE /srv)" = /dev/mapper/secret
check "the volume is mounted" mountpoint -q /run/larder/volume
for runtime in crio docker k3s rke2-agent kubelet; do check "$runtime found the cache when it started" test -e "/run/$runtime.found"; done
for runtime in podman k3s-agent rke2-server; do
	check_equal "$runtime was not started: nobody enabled it" "$(systemctl show -p ActiveState --value "$runtime.service")" inactive
done

# shellcheck disable=SC2086
run systemd-analyze verify --man=no --recursive-errors=no $all
check_equal "systemd-analyze verify has no complaint" "$(cat "$T/out")" ""
check "the exposure of larderd.service is 1.5 or less" systemd-analyze security --threshold=15 --no-pager larderd.service
note "$(systemctl --version | head -1)" "$(tail -1 "$T/stdout")"
run systemctl list-dependencies --after --plain larder.target larder.socket larder-boot.service larderd.service larder-sync.service
check_output "what they are ordered after is known" systemd-remount-fs.service
check_no_output "no network is among it, directly or through others" 'network'
check "the verify timer is set" is_active larder-verify.timer
check "what it starts succeeds" systemctl start larder-verify.service
run timeout 20 setpriv --reuid=65534 --clear-groups /opt/vm/build/tests/port-thief 3173
check_output "the thief of the port would get one that is free" 'bound 127.0.0.1'

# An administrator, in orders that make no sense.
for step in "restart larderd.service" "stop larder-boot.service" "start larderd.service" "start larder-boot.service" \
	"restart larder-boot.service" "stop larderd.service" "start larder-sync.service" "reload larder-boot.service" "daemon-reload" "stop larder.target" \
	"start larder-sync.service" "restart larder.target" "try-restart larder-boot.service" "reload larderd.service"; do
	# shellcheck disable=SC2086
	check "systemctl $step" systemctl $step
done
check_recovered "steps in no order"
# These give PID 1's hold of the port up, for moments and for seconds.
for _ in $(seq 20); do systemctl restart larder.socket || break; done
check "larder.socket can be restarted 20 times" is_active larder.socket
check "systemctl stop larder.socket" systemctl stop larder.socket
check_status 7 "nobody listens" curl -s -o /dev/null http://127.0.0.1:3172/v2/
check "somebody wants the port, and has some seconds" is_active port-thief.service
sleep 5
check_recovered "a stop of the socket"
check_equal "the kernel has one link for each family" "$(cd /sys/fs/bpf/larder-port && echo *)" "bind4 bind6"
check "they can be renewed" systemctl reload larder-port.service
check "a stop of everything" systemctl stop larder.target larderd.service larder-boot.service larder-sync.service
check_equal "nothing stays mounted" "$(grep ' /run/larder/' /proc/self/mounts)" ""
check "somebody still listens on the port: systemd" is_active larder.socket
check_equal "and it says at once that it has nothing" "$(curl -s --max-time 60 -o /dev/null -w '%{http_code}' 'http://127.0.0.1:3172/v2/library/busybox/manifests/1.36?ns=docker.io')" 404
check_recovered "a stop of everything"

# larder-boot is killed in the middle, and systemd reads its units anew meanwhile.
for delay in 0.05 0.2 0.5 1; do
	systemctl reload --no-block larder-boot.service
	systemctl daemon-reload &
	sleep "$delay"
	systemctl kill --kill-who=control --signal=KILL larder-boot.service 2>/dev/null
	wait
	until_true 300 eval '[ "$(systemctl show -p ActiveState --value larder-boot.service)" = active ]'
done
check "larder-boot looks again" systemctl reload larder-boot.service
check_recovered "larder-boot was killed while it looked again"
for delay in 0.1 0.3 0.6 1; do
	systemctl stop larder-boot.service
	systemctl start --no-block larder-boot.service
	sleep "$delay"
	systemctl kill --signal=KILL larder-boot.service 2>/dev/null
	until_true 300 eval '[[ $(systemctl show -p ActiveState --value larder-boot.service) =~ ^(active|failed|inactive)$ ]]'
done
systemctl reset-failed
check "larder-boot starts" systemctl start larder-boot.service
check_recovered "larder-boot was killed while it started"

# As while systemd-tmpfiles-setup.service empties it, which has no order with larderd: what systemd makes in /tmp for a service is not there.
check "larderd starts where nothing can be made in /tmp" sh -c 'mount -t tmpfs -o ro none /tmp && systemctl restart larderd.service; status=$?; umount /tmp; exit $status'
# systemd would make a mount of it again, once it starts what needs /tmp.
systemctl daemon-reload
check_recovered "/tmp was read-only"

# larderd cannot start at all for a while.
restarts=$(systemctl show -p NRestarts --value larderd.service)
mv /usr/bin/larderd /usr/bin/larderd.away
systemctl kill --signal=KILL larderd.service
failed_starts() { [ "$(systemctl show -p NRestarts --value larderd.service)" -gt "$restarts" ]; }
check "systemd tries in vain to start it" until_true 300 failed_starts
check "without larderd the port is still ours" is_active larder.socket
check_status 28 "who asks waits" curl -s --max-time 2 -o /dev/null http://127.0.0.1:3172/v2/
mv /usr/bin/larderd.away /usr/bin/larderd
check "larderd comes back by itself" until_true 300 answers
check_recovered "larderd was not there"

# A machine config that cannot be read: nothing is touched, and it is said.
mv /etc/larder/machine.yaml /etc/larder/kept
unreadable() { # WHAT
	check_status 1 "a machine config that is $1 is refused" systemctl reload larder-boot.service
	# By its own name: of what a process says just before it ends, a busy journald may not find out the unit.
	run journalctl --boot --no-pager --quiet --output=cat --identifier larder-boot -n 5
	check_output "with its name" '/etc/larder/machine.yaml'
	check "what was served is served" answers
}
mkdir /etc/larder/machine.yaml
unreadable "a directory"
rmdir /etc/larder/machine.yaml
ln -s machine.yaml /etc/larder/machine.yaml
unreadable "a link to itself"
rm /etc/larder/machine.yaml
mv /etc/larder/kept /etc/larder/machine.yaml
check_recovered "an unreadable config"

# /run has no room left.
fallocate -l "$(df --output=avail -B1 /run | tail -1)" /run/filler 2>/dev/null || dd if=/dev/zero of=/run/filler bs=64k status=none 2>/dev/null
dd if=/dev/zero of=/run/filler2 bs=4k status=none 2>/dev/null
check_equal "/run is full" "$(df --output=avail /run | tail -1 | tr -d ' ')" 0
run systemctl reload larder-boot.service
note "larder-boot in a full /run: status $status" "$(journalctl --boot --no-pager --quiet --output=cat --unit larder-boot.service -n 3)"
check "what was served is served" answers
rm /run/filler /run/filler2
check "with room, larder-boot looks again" systemctl reload larder-boot.service
check_recovered "a full /run"

# udev tells of every disk again and again.
for _ in $(seq 20); do udevadm trigger --action=change --subsystem-match=block; done
check "udev becomes quiet" udevadm settle --timeout=300
check "larder-medium@.service ends, for every disk" until_true 300 eval '[ -z "$(systemctl list-units --plain --no-legend "larder-medium@*")" ]'
check_recovered "a storm of udev events"

# Rescue, and an emergency: the port stays, the cache comes back.
systemctl isolate --no-block rescue.target
check "rescue.target is reached" until_true 300 is_active rescue.target
check "the registry answers in it" until_true 300 answers
systemctl isolate --no-block emergency.target
check "emergency.target is reached" until_true 300 is_active emergency.target
check "the port is ours in it" is_active larder.socket
check "and reserved" is_active larder-port.service
systemctl isolate --no-block multi-user.target
check "multi-user.target is reached again" until_true 300 is_active multi-user.target
check_recovered "an emergency"
guest_pulls

# larderd hangs while it sends a large blob of the volume to somebody who does not read on. The shutdown is looked at from outside.
check "a layer is added to the volume" larder layers add /opt/vm/001-large-1.0.0.sqsh
check_equal "it is on the volume" "$(larder layers --output json | jq -r '.layers[] | select(.name == "large") | .state + " " + (.path | split("/")[3])')" "active volume"
guest_stalls
# Once its watchdog has ended it, PID 1 has the port, and gives it up a moment before systemd's last step.
date +%s >/opt/vm/hung
check "larderd hangs" systemctl kill --signal=STOP larderd.service
check_status 28 "who asks it waits" curl -s --max-time 2 -o /dev/null http://127.0.0.1:3172/v2/
done_testing
