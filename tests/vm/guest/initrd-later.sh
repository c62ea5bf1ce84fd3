#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The RAM disk's config is invalid, and the machine's own could not be seen before the root filesystem was entered: larder-boot.service does it all.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
. "$LARDER_SOURCE/tests/vm/guest/early.sh"
guest_healthy
early_said
check_output "the RAM disk's larder-boot says whose config it reads" 'there is no machine config below /root; that of / counts'
check_output "and what is wrong with it" '/etc/larder/machine\.yaml:5:.*localEnabled'
check_output "and what follows" 'ended with status 2 in the initial RAM disk; larder-boot\.service tries again'
check_no_output "it mounted nothing" 'mount partition|the image cache is'
run journalctl --boot --no-pager --quiet --output=cat --unit larder-boot.service
check_output "larder-boot.service mounts the volume" 'mount partition'
check_output "and all is well" 'the image cache is ready'
check_equal "the layer is mounted once" "$(grep -c ' /run/larder/layers/.* squashfs ' /proc/self/mounts)" 1
guest_pulls
done_testing
