# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Small real images made by hand as OCI layouts (OCI image specification 1.1): a static busybox, deterministic to the byte.

# blob LAYOUT FILE: moves FILE into the layout; prints "sha256:HEX SIZE".
image_blob() {
	local hex size
	hex=$(sha256sum "$2" | cut -d' ' -f1) size=$(stat -c %s "$2")
	mv "$2" "$1/blobs/sha256/$hex"
	echo "sha256:$hex $size"
}

# Writes standard input as a blob; prints "sha256:HEX SIZE".
image_text_blob() {
	cat >"$1/.new"
	image_blob "$1" "$1/.new"
}

image_layout() { # LAYOUT
	mkdir -p "$1/blobs/sha256"
	printf '{"imageLayoutVersion": "1.0.0"}' >"$1/oci-layout"
}

# image_rootfs LAYOUT NAME MESSAGE ARCH: a layer's tar; prints its path. Only the host's own architecture gets a real busybox.
image_rootfs() {
	local root=$1/.root link
	rm -rf "$root"
	mkdir -p "$root"/{bin,etc,proc,sys,dev,tmp}
	if [ "$4" = "$(image_host_arch)" ]; then
		install -m 755 /bin/busybox "$root/bin/busybox"
		for link in sh echo cat ls uname sleep id true; do ln -s busybox "$root/bin/$link"; done
	fi
	printf '%s\n' "$3" >"$root/etc/message"
	printf '%s\n' "$2" >"$root/etc/image"
	tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$root" -cf "$1/.layer.tar" .
	rm -rf "$root"
	echo "$1/.layer.tar"
}

image_host_arch() {
	case $(uname -m) in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) uname -m ;; esac
}

# image_manifest LAYOUT NAME MESSAGE ARCH [EXTRA_FILE]: config, layers and manifest; prints "sha256:HEX SIZE" of the manifest. EXTRA_FILE
# becomes a second layer, so that an image can be made as large as a test wants it.
image_manifest() {
	local layout=$1 tar diff layer config layers diffs
	tar=$(image_rootfs "$@")
	diff=sha256:$(sha256sum "$tar" | cut -d' ' -f1)
	gzip -n1 "$tar"
	read -r -a layer < <(image_blob "$layout" "$tar.gz")
	layers='{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"'${layer[0]}'","size":'${layer[1]}'}'
	diffs='"'$diff'"'
	if [ -n "${5-}" ]; then
		tar --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$(dirname "$5")" -cf "$layout/.extra.tar" "$(basename "$5")"
		diffs+=',"sha256:'$(sha256sum "$layout/.extra.tar" | cut -d' ' -f1)'"'
		read -r -a layer < <(image_blob "$layout" "$layout/.extra.tar")
		layers+=',{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"'${layer[0]}'","size":'${layer[1]}'}'
	fi
	read -r -a config < <(image_text_blob "$layout" <<-JSON
		{"architecture":"$4","os":"linux","config":{"Cmd":["/bin/sh","-c","cat /etc/message"],"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":[$diffs]}}
	JSON
	)
	image_text_blob "$layout" <<-JSON
		{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"${config[0]}","size":${config[1]}},"layers":[$layers]}
	JSON
}

# make_image LAYOUT TAG MESSAGE [ARCH…]: an OCI layout with one tag. More than one architecture makes a multi-platform index. Prints the
# digest that the tag points to. IMAGE_EXTRA=FILE adds that file as a second layer.
make_image() {
	local layout=$1 tag=$2 message=$3 arch manifest descriptors='' type=manifest
	shift 3
	[ $# -gt 0 ] || set -- "$(image_host_arch)"
	image_layout "$layout"
	for arch; do
		read -r -a manifest < <(image_manifest "$layout" "$(basename "$layout"):$tag" "$message" "$arch" ${IMAGE_EXTRA:+"$IMAGE_EXTRA"})
		descriptors+=${descriptors:+,}'{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"'${manifest[0]}'","size":'${manifest[1]}',"platform":{"architecture":"'$arch'","os":"linux"}}'
	done
	if [ $# -gt 1 ]; then
		type=index
		read -r -a manifest < <(image_text_blob "$layout" <<<'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":['"$descriptors"']}')
	fi
	printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.%s.v1+json","digest":"%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}' \
		"$type" "${manifest[0]}" "${manifest[1]}" "$tag" >"$layout/index.json"
	echo "${manifest[0]}"
}
