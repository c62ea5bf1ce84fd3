#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A machine where larder.target was enabled and nothing was configured boots as it did before.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
vm_begin
vm_machine empty
check_status 1 "the package enables nothing" systemctl --root="$V/root" is-enabled larder.target
check "systemctl enable larder.target" vm_enable
vm_boot reach
done_testing
