#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The volume was made and everything mounted in the initial RAM disk; the service of the real root found it there.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
check "the volume is mounted" mountpoint -q /run/larder/volume
run journalctl --boot --no-pager --quiet --output=cat --unit larder-boot.service
check_no_output "larder-boot.service did not make it: it was there" 'GPT|make an ext4|is the new IMAGECACHE'
check_output "it took over" 'the image cache is ready'
check_equal "the layer is mounted once" "$(grep -c ' /run/larder/layers/.* squashfs ' /proc/self/mounts)" 1
guest_pulls
done_testing
