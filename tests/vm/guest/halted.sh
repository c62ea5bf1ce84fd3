#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The volume is made beside the running system. The power goes off in order while the layer is copied.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
guest_healthy
check_equal "the volume is on the disk of the system" "$(findmnt -no SOURCE /run/larder/volume)" /dev/nvme0n1p3
check_equal "which is that of the root" "$(findmnt -no SOURCE /)" /dev/nvme0n1p1
for disk in vda vdb; do
	check_equal "$disk is blank and is not taken" "$(status_field ".volume.disks[] | select(.disk == \"/dev/$disk\") | \"\(.matched) \(.taken)\"")" "false false"
done
guest_pulls
check "an image of the medium's cache tree is pulled" pull ghcr.io/acme/talos:1
check "the layer waits to be copied" until_true 300 eval '[ "$(systemctl show -p ActiveState --value larder-sync.service)" = activating ]'
touch /run/copy
part() { find /run/larder/volume/.tmp -name '*.part' -size +1M; }
check "a part of it is copied" until_true 300 eval '[ -n "$(part)" ]'
check "larder-sync says how far it is" until_true 60 eval 'systemctl show -p StatusText --value larder-sync.service | grep -E "copying .*main"'
check_equal "it is not done" "$(systemctl show -p ActiveState --value larder-sync.service)" activating
stat -c %i "$(part)" >/opt/vm/part
done_testing
