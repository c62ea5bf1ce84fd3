#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The next boot, without the ISO: the encrypted volume was opened in the initial RAM disk by its other key, which the RAM disk's own config has,
# and the layer on it mounted through dm-verity.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
. "$LARDER_SOURCE/tests/vm/guest/early.sh"
guest_healthy
early_said
check_output "the RAM disk's larder-boot says whose config it reads" 'there is no machine config below /root; that of / counts'
check_output "it mounts the volume" 'mount partition'
check_output "and all is well" 'the image cache is ready'
guest_took_over
guest_sealed
guest_nothing_changed
guest_pulls
done_testing
