# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What machines of the vm tier are fed with: images, layers, an ISO, a machine config whose mirrors are all dead.

. "$LARDER_SOURCE/tests/lib/images.sh"

# cache_images: three images below $T/images, their list for "larder build", and "reference digest" lines for guests.
cache_images() {
	local reference digest
	mkdir -p "$T/images"
	: >"$T/images/list"
	: >"$T/images/expected"
	while read -r reference name; do
		digest=$(make_image "$T/images/$name" "${reference##*:}" "hello from $name" amd64 arm64) || return
		printf '%s=oci:%s:%s\n' "$reference" "$T/images/$name" "${reference##*:}" >>"$T/images/list"
		printf '%s %s\n' "$reference" "$digest" >>"$T/images/expected"
	done <<-'LIST'
		docker.io/library/busybox:1.36 busybox
		registry.k8s.io/pause:3.10 pause
		ghcr.io/acme/greeter:2.0 greeter
	LIST
}

cache_layer() { # NAME VERSION FILE [IMAGES]
	mkdir -p "$(dirname "$3")"
	run larder build --images "${4:-$T/images/list}" --platform all --name "$1" --version "$2" --output "$3"
	[ "$status" = 0 ] && return
	fail "layer $1 $2 is built"
	note "$(cat "$T/out")"
	done_testing
}

cache_iso() { # LABEL DIRECTORY ISO
	xorriso -as mkisofs -quiet -V "$1" -r -o "$3" "$2" >"$T/xorriso" 2>&1 || { cat "$T/xorriso"; return 1; }
}

# The machine config: $1 selects the disk, $2 (optional) a medium. CACHE_WAIT: how long to wait for a disk when there is nothing to serve;
# long, since emulated machines on a busy host find their disks late.
cache_config() {
	cat <<-YAML
		version: v1alpha1
		machine:
		  features:
		    imageCache:
		      localEnabled: true
		  registries:
		    mirrors:
		      "*": {endpoints: ["http://127.0.0.1:2005"]}
		      docker.io: {endpoints: ["http://127.0.0.1:2005"]}
		      registry.k8s.io: {endpoints: ["http://127.0.0.1:2005"]}
		---
		apiVersion: v1alpha1
		kind: VolumeConfig
		name: IMAGECACHE
		provisioning:
		  diskSelector:
		    match: '$1'
		  waitTimeout: ${CACHE_WAIT:-120s}
		  minSize: 500MiB
		  maxSize: 1GiB
	YAML
	[ -z "${2-}" ] || cat <<-YAML
		---
		apiVersion: larder/v1alpha1
		kind: CacheMediaConfig
		match: '$2'
	YAML
}

# The machine that is off and open gets the config on standard input, the list of images, and the dead mirror as a service.
cache_machine() {
	mkdir -p "$V/root/etc/larder" "$V/root/etc/systemd/system/sysinit.target.wants"
	cat >"$V/root/etc/larder/machine.yaml"
	cp "$T/images/expected" "$V/root/opt/vm/expected"
	cat >"$V/root/etc/systemd/system/dead-mirror.service" <<-'UNIT'
		[Unit]
		Description=The mirror that nothing must ask
		DefaultDependencies=no
		Before=containerd.service
		After=systemd-remount-fs.service
		Conflicts=shutdown.target
		Before=shutdown.target
		[Service]
		ExecStart=/opt/vm/build/tests/dead-mirror 2005 /run/dead-mirror
	UNIT
	ln -sf ../dead-mirror.service "$V/root/etc/systemd/system/sysinit.target.wants/dead-mirror.service"
}

# The disk of a machine that is off: where its volume lies, as sfdisk tells, in its sectors.
disk_volume() { # IMAGE
	sfdisk --dump "$1" 2>/dev/null | sed -n 's/.*start= *\([0-9]*\), size= *\([0-9]*\),.*name="IMAGECACHE".*/\1 \2/p'
}
# What the volume's filesystem says of itself; "clean" only after it was unmounted.
disk_volume_state() { # IMAGE [SECTOR SIZE]
	local start size
	read -r start size < <(disk_volume "$1") || return
	dd if="$1" of="$T/volume.head" bs="${2:-512}" skip="$start" count=$(((32 << 20) / ${2:-512})) conv=sparse status=none
	dumpe2fs -h "$T/volume.head" 2>/dev/null | sed -n 's/^Filesystem state: *//p; s/^Filesystem features:.*needs_recovery.*/needs_recovery/p'
	rm -f "$T/volume.head"
}
