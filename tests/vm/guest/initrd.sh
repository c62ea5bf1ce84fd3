#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The volume was made and everything mounted in the initial RAM disk; the service of the real root found it there.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
. "$LARDER_SOURCE/tests/vm/guest/early.sh"
guest_healthy
early_said
check_output "the RAM disk's larder-boot made the volume" 'is the new IMAGECACHE'
check_output "with the config of the root filesystem, and all is well" 'the image cache is ready'
guest_took_over
guest_pulls
guest_copied
done_testing
