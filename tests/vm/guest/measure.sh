#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# When containerd was started and when the first container had run, in ms since the kernel started.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
containerd=$(monotonic containerd.service ExecMainStartTimestampMonotonic)
container=$(monotonic first-container.service ExecMainExitTimestampMonotonic)
echo "# measured $((containerd / 1000)) $((container / 1000)) larder-boot $(($(monotonic larder-boot.service ExecMainStartTimestampMonotonic) / 1000))-$(($(monotonic larder-boot.service ExecMainExitTimestampMonotonic) / 1000)) larderd $(($(monotonic larderd.service ExecMainStartTimestampMonotonic) / 1000))-$(($(monotonic larderd.service ActiveEnterTimestampMonotonic) / 1000)) $(systemctl show -p Result --value first-container.service)"
for unit in larder-boot larderd containerd first-container; do
	echo "# processor time of $unit: $(($(systemctl show -p CPUUsageNSec --value $unit.service) / 1000000)) ms"
done
done_testing
