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
# What dracut would add here in its hostonly mode: this machine's root is on NVMe, and the cache and the medium are not.
dracut_adds() { # HOSTONLY
	bash -c '. /usr/lib/dracut/dracut-functions.sh && . /usr/lib/dracut/modules.d/95larder/module-setup.sh || exit
		hostonly=$1
		instmods() { printf "%s\n" "$@"; }
		installkernel' bash "$1"
}
check "what dracut would add for any host" dracut_adds ""
check_no_output "is no driver of a disk" 'virtio_blk|nvme'
check "what it would add for this host" dracut_adds -h
check_output "is the driver of the disk with the cache" '^virtio_blk$'
# As udev knows it in the real root, too.
check "what is mapped can be closed" systemctl stop larder.target
check "larder-boot.service stops with it" until_true 300 eval '[ "$(systemctl show -p ActiveState --value larder-boot.service)" = inactive ]'
check_equal "nothing stays mounted" "$(grep ' /run/larder/' /proc/self/mounts)" ""
check "no device of device-mapper stays" until_true 60 eval '[ -z "$(cat /sys/block/dm-*/dm/name 2>/dev/null)" ]'
check "larder.target starts" systemctl start larder.target
check_equal "and the volume is open again" "$(status_field '"\(.state) \(.volume.device)"')" "ready /dev/mapper/larder-volume"
done_testing
