# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What scenarios share inside the guest.

is_active() { systemctl is-active --quiet "$1"; }
monotonic() { systemctl show --property "$2" --value "$1"; } # UNIT PROPERTY: microseconds since the kernel started

# What holds in every boot, whatever the cache does.
guest_healthy() {
	check "multi-user.target is reached" is_active multi-user.target
	check "larder.target is active" is_active larder.target
	check "larder.socket is active" is_active larder.socket
	check "larder-port.service is active" is_active larder-port.service
	check "larder-boot.service is active" is_active larder-boot.service
	check "larderd.service is active" is_active larderd.service
	check "containerd.service is active" is_active containerd.service
	run journalctl --boot --no-pager --quiet --grep 'ordering cycle|Found dependency on'
	check_equal "no ordering cycle" "$(cat "$T/stdout")" ""
	run systemctl --failed --no-legend --plain
	check_equal "no failed unit" "$(cat "$T/stdout")" ""
	check "larder-boot ended before containerd started" \
		test "$(monotonic larder-boot.service ActiveEnterTimestampMonotonic)" -le "$(monotonic containerd.service ExecMainStartTimestampMonotonic)"
	check_equal "what larder-boot said last is known to be its unit's, however soon it ended" \
		"$(journalctl --boot --no-pager --quiet --output=cat -n 1 OBJECT_SYSTEMD_UNIT=larder-boot.service)" \
		"$(journalctl --boot --no-pager --quiet --output=cat -n 1 --identifier larder-boot)"
	check "the registry's port was bound before containerd started" \
		test "$(monotonic larder.socket ActiveEnterTimestampMonotonic)" -le "$(monotonic containerd.service ExecMainStartTimestampMonotonic)"
	check "the registry answers" curl -sf --max-time 60 -o /dev/null http://127.0.0.1:3172/v2/
}

# As in tap.sh, with longer pauses: under emulation every look costs time that what is waited for could use.
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.5
	done
}

pull() { timeout 300 ctr images pull --hosts-dir /etc/containerd/certs.d "$1"; }

# Every image by tag and by digest, as containerd is configured, and a container from one; nobody asked the dead mirror.
guest_pulls_all() {
	local reference digest
	while read -r reference digest; do
		check "containerd pulls $reference by digest" pull "${reference%:*}@$digest"
	done </opt/vm/expected
	guest_pulls .
	# Were it asked, this would be seen.
	check_status 1 "what is not cached cannot be pulled" pull docker.io/library/absent:1
	check "and the dead mirror was asked for it" test "$(cat /run/dead-mirror)" -gt 0
	check_equal "the CRI plugin reads the same directory" \
		"$(containerd config dump | sed -n '/cri".registry\]/,/\[/s/.*config_path = "\(.*\)"/\1/p')" /etc/containerd/certs.d
}

# guest_pulls [REGEX]: the images whose reference matches, by tag, and a container; by default one image only: each takes seconds here.
guest_pulls() {
	local reference digest
	while read -r reference digest; do
		check "containerd pulls $reference" pull "$reference"
		check_equal "and has its digest" "$(ctr images ls "name==$reference" | awk 'NR == 2 { print $3 }')" "$digest"
	done < <(grep "${1-greeter}" /opt/vm/expected)
	check_equal "a container runs" "$(timeout 300 ctr run --rm "ghcr.io/acme/greeter:${GREETER-2.0}" "greeter-$RANDOM" 2>"$T/out")" "${GREETING-hello from greeter}"
	check "the dead mirror is up" test -e /run/dead-mirror
	check_equal "connections to the dead mirror" "$(cat /run/dead-mirror)" 0
}

# Two versions of one layer lie on the volume: exactly the higher one is active and mounted.
guest_one_version() {
	run larder layers
	note "$(cat "$T/out")"
	check_equal "one version is active, the other superseded" \
		"$(larder layers --output json | jq -r '.layers[] | select(.path | startswith("/run/larder/volume/")) | .name + " " + .version + " " + .state' | sort)" \
		"$(printf 'iscsi-tools v0.1.1 superseded\niscsi-tools v0.1.4 active')"
	check_equal "and only that one is mounted" "$(awk '$3 == "squashfs" { print $2 }' /proc/self/mounts | grep -c 'iscsi-tools-v0\.1\.4')/$(grep -c ' squashfs ' /proc/self/mounts)" 1/1
}

# What journalctl finds in this boot by MESSAGE_ID goes where check_output looks.
journal_event() { # NAME, as in base/events.h
	run journalctl --boot --no-pager --quiet --output=cat "MESSAGE_ID=$(sed -n "s/^#define EVENT_$1[[:space:]]*\"\(.*\)\"/\1/p" /opt/vm/events.h)"
}

layer_field() { larder layers --output json | jq -r --arg n "$1" ".layers[] | select(.name == \$n).$2"; } # NAME KEY
# The last part of the one screen of larder status.
status_problems() { larder status | sed -n '/^Problems/,$p'; }

status_field() { larder status --output json | jq -r "$1"; }

# A client that reads the beginning of a large blob and no further, until the machine is off: no shutdown ends it.
guest_stalls() {
	local blob
	blob=$(ls -S /run/larder/cache/blob | head -1)
	check "a client is started that no shutdown ends" systemd-run --quiet --unit=stalled --property=DefaultDependencies=no sh -c \
		"curl -s 'http://127.0.0.1:3172/v2/library/large/blobs/sha256:${blob#sha256-}?ns=docker.io' | { head -c 1000 >/run/stalled; exec sleep infinity; }"
	check "it reads a little, and then nothing more" until_true 300 test -s /run/stalled
}

# larderd dies and is restarted; whether somebody else got its port meanwhile is seen by port-thief.service, in every boot.
guest_larderd_dies() {
	local pid
	for _ in 1 2 3; do
		pid=$(systemctl show -p MainPID --value larderd.service)
		systemctl kill --signal=KILL larderd.service
		check "larderd is started again" until_true 300 eval '[ "$(systemctl show -p MainPID --value larderd.service)" -gt 0 ] && [ "$(systemctl show -p MainPID --value larderd.service)" != "$pid" ]'
	done
	systemctl restart larderd.service
	check "the registry answers again" curl -sf --max-time 60 -o /dev/null http://127.0.0.1:3172/v2/
}
