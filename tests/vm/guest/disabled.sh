#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larder.target was disabled since the last boot: nothing of larder runs, and no runtime is told to ask the port that nobody keeps.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
check_equal "the runtimes' settings were taken back before they started" "$(grep -rl 127.0.0.1:3172 /etc/containerd)" ""
check "by larder-restore.service" test "$(systemctl show -p Result --value larder-restore.service)" = success
check "which was ordered before containerd" test "$(systemctl show -p ExecMainExitTimestampMonotonic --value larder-restore.service)" -lt \
	"$(systemctl show -p ExecMainStartTimestampMonotonic --value containerd.service)"
check_equal "nobody listens on the port" "$(ss -Hltn 'sport = :3172')" ""
check_equal "nothing of larder is mounted" "$(grep ' /run/larder/' /proc/self/mounts)" ""
check_equal "no unit failed" "$(systemctl list-units --state=failed --plain --no-legend)" ""
done_testing
