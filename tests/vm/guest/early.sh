# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What scenarios of initial RAM disks share inside the guest.

# What larder-boot said before the root filesystem was entered goes where check_output looks: all that is not of its unit.
early_said() {
	run sh -c 'journalctl --boot --no-pager --quiet --output=json --identifier=larder-boot --identifier=dracut-pre-pivot |
		jq -r "select(.OBJECT_SYSTEMD_UNIT != \"larder-boot.service\") | .MESSAGE"'
	sed 's/^/# in the RAM disk: /' "$T/stdout"
}

# larder-boot.service found all mounted, and did nothing.
guest_took_over() {
	check "the volume is mounted" mountpoint -q /run/larder/volume
	run journalctl --boot --no-pager --quiet --output=cat --unit larder-boot.service
	check_no_output "larder-boot.service neither made nor mounted it: it was there" 'GPT|make an ext4|is the new IMAGECACHE|mount partition'
	check_output "it took over" 'the image cache is ready'
	check_equal "as its status says" "$(status_field '"\(.volume.phase) \(.volume.adopted) \(.volume.formatted)"')" "ready true false"
	check_equal "the layer is mounted once" "$(grep -c ' /run/larder/layers/.* squashfs ' /proc/self/mounts)" 1
	check_equal "what is on the volume is the registry's" "$(stat -c %U /run/larder/volume/blob /run/larder/volume/layers | sort -u)" larder
}

# The layer is copied to the volume, for the next boot.
guest_copied() {
	check "larder-sync.service ends" until_true 300 eval '[ "$(systemctl show -p ActiveState --value larder-sync.service)" = inactive ]'
	check_equal "and it succeeded" "$(systemctl show -p Result --value larder-sync.service)" success
	# The RAM disk made the first generation, larder-boot.service none.
	run journalctl --boot --no-pager --quiet --output=cat --unit larder-sync.service
	check_output "its generation is the second" '1 layer copied to the volume; generation 2 is served'
	check "the layer lies on the volume" test -s /run/larder/volume/layers/000-main-1.0.0.sqsh
}

# Neither larder-boot.service nor a reload of it made another generation, and in this boot nobody wrote to what is on the volume, not even an owner.
guest_nothing_changed() {
	local booted
	check_equal "the generation is that of the RAM disk" "$(readlink /run/larder/cache)" gen/1
	check "larder-boot.service looks again" systemctl reload larder-boot.service
	check_equal "and leaves it" "$(readlink /run/larder/cache)" gen/1
	check "nothing was attached twice" test "$(losetup --list --noheadings | grep -c 'sqsh$')" -le 1
	booted=$(awk '$1 == "btime" { print $2 }' /proc/stat)
	check_equal "nothing on the volume was changed" "$(find /run/larder/volume/blob /run/larder/volume/manifests /run/larder/volume/layers /run/larder/volume/format -newerct "@$booted")" ""
}

# The volume is a device of dm-crypt, and the layer one of dm-verity.
guest_sealed() {
	local point device
	check_equal "the volume is encrypted" "$(status_field .volume.device)" /dev/mapper/larder-volume
	check_equal "it is mounted from there" "$(findmnt --noheadings --output SOURCE /run/larder/volume)" /dev/mapper/larder-volume
	check "by dm-crypt" grep -q '^CRYPT-LUKS2-' "/sys/dev/block/$(findmnt --noheadings --output MAJ:MIN /run/larder/volume | tr -d ' ')/dm/uuid"
	note "$(dmsetup table larder-volume | sed 's/:64:[^ ]*/:…/')"
	point=$(layer_field main mounted)
	device=$(findmnt --noheadings --output MAJ:MIN "$point" | tr -d ' ')
	check "the layer is mounted through dm-verity" grep -q '^CRYPT-VERITY-' "/sys/dev/block/$device/dm/uuid"
	check_equal "it is active" "$(layer_field main state)" active
}
