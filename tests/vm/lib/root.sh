# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The base with the project's package installed by apt, as anybody would, and what the scenarios need in /opt/vm. Kept as
# $vm_dir/root.ext4; made anew when the base or the package changes. larder.target is not enabled yet: that is the test's.
# VM_REUSE=1: the root that is there is good enough, for work on the tests themselves.

. "$LARDER_SOURCE/tests/vm/lib/base.sh"
. "$LARDER_SOURCE/tests/lib/deb.sh"

vm_mount() { # IMAGE DIRECTORY
	mkdir -p "$2" && mount -o loop "$1" "$2"
}

vm_install() { # ROOT PACKAGE…: installs packages of ours in a root, with what they depend on
	local root=$1 package
	shift
	mkdir -p "$root/opt/debs"
	rm -f "$root"/opt/debs/*
	for package; do cp "$debs/${package}"_*.deb "$root/opt/debs/" || return; done
	vm_apt "$root" '/opt/debs/*.deb'
}

vm_apt() { # ROOT PACKAGE…: installs packages in a root
	local root=$1
	shift
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	mount --bind /dev "$root/dev" && mount -t proc proc "$root/proc" && mount -t sysfs sysfs "$root/sys" || return
	DEBIAN_FRONTEND=noninteractive chroot "$root" sh -c "apt-get install -y --no-install-recommends $*" >&2
	local result=$?
	umount "$root/sys" "$root/proc" "$root/dev"
	rm -f "$root/etc/resolv.conf"
	return $result
}

vm_root_key() { { vm_base_key; deb_key; cat "$LARDER_SOURCE/tests/vm/lib/root.sh"; } | sha256sum | cut -d' ' -f1; }

vm_root() {
	local key new=$vm_dir/root.new
	[ -z "${VM_REUSE-}" ] || [ ! -e "$vm_dir/root.key" ] || return 0
	vm_base && build_debs || return
	key=$(vm_root_key)
	[ "$(cat "$vm_dir/root.key" 2>/dev/null)" = "$key" ] && return 0
	rm -f "$vm_dir/root.key"
	cp --sparse=always "$vm_dir/base.ext4" "$new.ext4" && vm_mount "$new.ext4" "$new" || return
	vm_install "$new" larder
	local result=$?
	umount "$new" && [ $result = 0 ] || return
	mv "$new.ext4" "$vm_dir/root.ext4" && echo "$key" >"$vm_dir/root.key"
}
