# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The Debian system that every machine of the vm tier starts from: installed by mmdebstrap from the package sources of this host,
# kept under build/vm and made anew when this file or the sources change. Nothing of larder is in it.
#
#	$vm_dir/base.ext4     its root filesystem
#	$vm_dir/vmlinuz       Debian's cloud kernel (NVMe and ext4 built in: a root on NVMe needs no initramfs)

vm_dir=$LARDER_BUILD/vm
vm_packages="systemd-sysv udev dbus kmod linux-image-cloud-amd64 initramfs-tools zstd containerd runc curl jq iproute2 procps
e2fsprogs fdisk util-linux less python3-minimal gdisk"
# What a test machine has no use for, and what only costs time under emulation.
vm_masked="fstrim.timer e2scrub_all.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer man-db.timer
getty@tty1.service serial-getty@ttyS0.service systemd-networkd-wait-online.service"

vm_suite() { (. /etc/os-release && echo "$VERSION_CODENAME"); }
vm_sources() {
	apt-get indextargets 'Created-By: Packages' 'Origin: Debian' --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' | sort -u
}
vm_base_key() { { cat "$LARDER_SOURCE/tests/vm/lib/base.sh"; vm_sources; } | sha256sum | cut -d' ' -f1; }

# Set up inside the new root, before it is packed: $1 is the root.
vm_base_customize() {
	local root=$1 unit
	for unit in $vm_masked; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
	echo machine >"$root/etc/hostname"
	printf '127.0.0.1 localhost machine\n::1 localhost\n' >"$root/etc/hosts"
	printf '/dev/nvme0n1 / ext4 defaults 0 1\n' >"$root/etc/fstab"
	mkdir -p "$root/var/log/journal"
	# Emulated processors have no use for these, and probing them takes seconds.
	printf 'blacklist %s\n' kvm_amd kvm_intel kvm pcspkr psmouse i2c_piix4 >"$root/etc/modprobe.d/machine.conf"
	install -D -m 644 "$LARDER_SOURCE/tests/vm/guest/vm-agent.service" "$root/etc/systemd/system/vm-agent.service"
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
	ln -sf ../vm-agent.service "$root/etc/systemd/system/multi-user.target.wants/vm-agent.service"
	passwd --root "$root" --delete root >/dev/null
	: >"$root/etc/machine-id"
}

# Makes the base unless it is there. Needs root: the packages' own scripts run in a chroot.
vm_base() {
	local key root
	key=$(vm_base_key)
	[ "$(cat "$vm_dir/base.key" 2>/dev/null)" = "$key" ] && return 0
	mkdir -p "$vm_dir"
	rm -f "$vm_dir/base.key"
	root=$vm_dir/base
	rm -rf --one-file-system "$root"
	mmdebstrap --quiet --mode=root --variant=apt --include="$(tr -s '\n ' ',,' <<<"$vm_packages" | sed 's/,$//')" \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='Acquire::Languages "none"' --skip=cleanup/apt/lists,cleanup/apt/cache \
		"$(vm_suite)" "$root" - < <(vm_sources) || return
	vm_base_customize "$root" || return
	rm -f "$root"/var/cache/apt/archives/*.deb
	cp "$root"/boot/vmlinuz-* "$vm_dir/vmlinuz" &&
		vm_ext4 "$vm_dir/base.ext4" "$root" && rm -rf --one-file-system "$root" && echo "$key" >"$vm_dir/base.key"
}

vm_ext4() { # IMAGE DIRECTORY
	rm -f "$1"
	truncate -s 3G "$1"
	mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1 -d "$2" "$1"
}
