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
	check "larder-boot.service is active" is_active larder-boot.service
	check "larderd.service is active" is_active larderd.service
	check "containerd.service is active" is_active containerd.service
	run journalctl --boot --no-pager --quiet --grep 'ordering cycle|Found dependency on'
	check_equal "no ordering cycle" "$(cat "$T/stdout")" ""
	run systemctl --failed --no-legend --plain
	check_equal "no failed unit" "$(cat "$T/stdout")" ""
	check "larder-boot ended before containerd started" \
		test "$(monotonic larder-boot.service ActiveEnterTimestampMonotonic)" -le "$(monotonic containerd.service ExecMainStartTimestampMonotonic)"
	check "the registry's port was bound before containerd started" \
		test "$(monotonic larder.socket ActiveEnterTimestampMonotonic)" -le "$(monotonic containerd.service ExecMainStartTimestampMonotonic)"
	check "the registry answers" curl -sf --max-time 60 -o /dev/null http://127.0.0.1:3172/v2/
}

# guest_pulls: every image by tag and by digest, as containerd is configured, and a container from one; nobody asked the dead mirror.
guest_pulls() {
	local reference digest
	while read -r reference digest; do
		check "containerd pulls $reference" timeout 120 ctr images pull --hosts-dir /etc/containerd/certs.d "$reference"
		check_equal "and has its digest" "$(ctr images ls "name==$reference" | awk 'NR == 2 { print $3 }')" "$digest"
		check "containerd pulls it by digest" timeout 120 ctr images pull --hosts-dir /etc/containerd/certs.d "${reference%:*}@$digest"
	done </opt/vm/expected
	check_equal "a container runs" "$(timeout 120 ctr run --rm "ghcr.io/acme/greeter:${GREETER-2.0}" "greeter-$RANDOM" 2>"$T/out")" "${GREETING-hello from greeter}"
	check_equal "the CRI plugin reads the same directory" \
		"$(containerd config dump | sed -n '/cri".registry\]/,/\[/s/.*config_path = "\(.*\)"/\1/p')" /etc/containerd/certs.d
	check "the dead mirror is up" test -e /run/dead-mirror
	check_equal "connections to the dead mirror" "$(cat /run/dead-mirror)" 0
}

# Two versions of one layer lie on the volume: exactly the higher one is active and mounted.
guest_one_version() {
	run larder layers
	note "$(cat "$T/out")"
	check_equal "one version is active, the other superseded" \
		"$(larder layers --output json | jq -r '.layers[] | select(.path | startswith("/run/larder/volume/")) | .name + " " + .version + " " + .state' | sort)" \
		"$(printf 'main 1.0.0 superseded\nmain 1.10.0 active')"
	check_equal "and only that one is mounted" "$(awk '$3 == "squashfs" { print $2 }' /proc/self/mounts | grep -c 'main-1\.10\.0')/$(grep -c ' squashfs ' /proc/self/mounts)" 1/1
}

status_field() { larder status --output json | jq -r "$1"; }

# Nobody else can listen on the registry's port, while it is up, while larderd dies, and while it is restarted.
bind_attempts() { # as nobody, until $T/stop exists; prints "bound" if one of them succeeded
	setpriv --reuid=65534 --regid=65534 --clear-groups python3 - "$1" <<-'PYTHON'
		import os, socket, sys
		tries = 0
		while not os.path.exists(sys.argv[1]):
		    for family, address in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET, "0.0.0.0"):
		        s = socket.socket(family)
		        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
		        try:
		            s.bind((address, 3172))
		            s.listen()
		            print("bound", address)
		        except OSError:
		            tries += 1
		        s.close()
		print("tries", tries)
	PYTHON
}
guest_port_is_ours() {
	local pid
	chmod 711 "$T"
	bind_attempts "$T/stop" >"$T/bind" 2>&1 &
	pid=$!
	for _ in 1 2 3; do
		systemctl kill --signal=KILL larderd.service
		sleep 1
	done
	systemctl restart larderd.service
	touch "$T/stop"
	wait "$pid"
	cp "$T/bind" "$T/out"
	check_output "somebody tried to bind the registry's port" '^tries [0-9]{2,}'
	check_no_output "and could not, while larderd was killed and restarted" '^bound|Traceback'
	check "the registry answers again" curl -sf --max-time 60 -o /dev/null http://127.0.0.1:3172/v2/
}
