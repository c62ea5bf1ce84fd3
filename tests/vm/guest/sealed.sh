#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An encrypted volume was made in the initial RAM disk, and a layer mounted there through dm-verity.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
. "$LARDER_SOURCE/tests/vm/guest/early.sh"
guest_healthy
early_said
check_output "the RAM disk's larder-boot made the volume" 'is the new IMAGECACHE'
check_output "and all is well" 'the image cache is ready'
guest_took_over
guest_sealed
guest_pulls
guest_copied
done_testing
