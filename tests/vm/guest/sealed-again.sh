#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The next boot, without the ISO: the encrypted volume was opened in the initial RAM disk by its other key, and the layer on it mounted
# through dm-verity.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
. "$LARDER_SOURCE/tests/vm/guest/early.sh"
guest_healthy
early_said
check_output "the RAM disk's larder-boot mounts the volume" 'mount partition'
check_output "and all is well" 'the image cache is ready'
guest_took_over
guest_sealed
guest_nothing_changed
guest_pulls
# As udev knows it in the real root, too.
check "what is mapped can be closed" systemctl stop larder.target
check "larder-boot.service stops with it" until_true 300 eval '[ "$(systemctl show -p ActiveState --value larder-boot.service)" = inactive ]'
check_equal "nothing stays mounted" "$(grep ' /run/larder/' /proc/self/mounts)" ""
check "no device of device-mapper stays" until_true 60 eval '[ -z "$(cat /sys/block/dm-*/dm/name 2>/dev/null)" ]'
check "larder.target starts" systemctl start larder.target
check_equal "and the volume is open again" "$(status_field '"\(.state) \(.volume.device)"')" "ready /dev/mapper/larder-volume"
done_testing
