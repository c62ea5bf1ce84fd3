# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the scenarios of encrypted volumes share inside the guest.

passphrase='a passphrase, 17 letters'
PATH=$PATH:/usr/lib/larder
config=$T/config.yaml
volume_on() { # SERIAL: its partition IMAGECACHE
	echo "$(readlink -f "/dev/disk/by-id/virtio-$1")1"
}
partition=$(volume_on CACHE)

plain_config() { # SERIAL [LINE…]: below provisioning
	printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\nprovisioning:\n  diskSelector: {match: disk.serial == "%s"}\n' "$1" >"$config"
	shift
	[ $# = 0 ] || printf '  %s\n' "$@" >>"$config"
}
enabled() { # the config that was just made, for larder-boot
	printf -- '---\napiVersion: v1alpha1\nkind: ImageCacheConfig\nlocal: {enabled: true}\n' >>"$config"
}
# From here on the test opens and closes volumes itself: udev's rule must not have the machine's own volume opened in between.
take_over() {
	check "the volume is there" until_true 200 mountpoint -q /run/larder/volume
	systemctl mask --runtime larder-medium@.service >/dev/null 2>&1
	systemctl stop "larder-medium@*.service" >/dev/null 2>&1
	check "larder-boot has ended" until_true 60 eval '[ "$(systemctl show -p SubState --value larder-boot.service)" = exited ]'
}
encrypted_config() { # SERIAL KEY [LINE…]
	local key=$2
	plain_config "$1" "${@:3}"
	printf 'encryption:\n  provider: luks2\n  keys:\n    - {%s}\n' "$key" >>"$config"
}
provision() { larder volume provision --config "$config" "$@"; }

mapped_on() { echo "/dev/$(basename "$(echo /sys/class/block/"$(basename "$(readlink -f /dev/mapper/larder-volume)")"/slaves/*)")"; }
cipher() { dmsetup table larder-volume | cut -d' ' -f4; }
key_bytes() { dmsetup table larder-volume | cut -d' ' -f5 | cut -d: -f2; } # the key itself is in the kernel's keyring
mapped_options() { dmsetup table larder-volume | cut -d' ' -f10- | tr ' ' '\n' | LC_ALL=C sort | xargs; }
# The LUKS2 header's JSON lies behind the binary header of 4096 bytes.
header() { dd if="$1" bs=4096 skip=1 count=3 status=none | tr -d '\0'; } # PARTITION
slots() { header "$1" | jq -r '.keyslots | keys | join(" ")'; }
tokens() { header "$1" | jq -r '[.tokens[].type] | join(" ")'; }
head_of() { dd if="$1" bs=1M count=64 iflag=direct status=none | sha256sum; }
sound() { # PARTITION PASSPHRASE: the filesystem in it
	printf %s "$2" | /lib/systemd/systemd-cryptsetup attach look "$1" /dev/stdin luks 2>&1 && e2fsck -fn /dev/mapper/look
	local result=$?
	/lib/systemd/systemd-cryptsetup detach look
	return $result
}
