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
	check "larderd was ready before containerd started" \
		test "$(monotonic larderd.service ActiveEnterTimestampMonotonic)" -le "$(monotonic containerd.service ExecMainStartTimestampMonotonic)"
	check "the registry answers" curl -sf --max-time 60 -o /dev/null http://127.0.0.1:3172/v2/
}
