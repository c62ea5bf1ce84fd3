#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the machine config needs in an initial RAM disk: the modules of each kind of cipher, and the files that the RAM disk's own config names,
# whatever is in their names.
. "$LARDER_SOURCE/tests/lib/tap.sh"
in_namespaces "$@"
mkdir "$T/etc" "$T/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$T/etc,workdir=$T/work" /etc || skip_all "overlayfs cannot be mounted here"
cleanup umount /etc
rm -rf /etc/larder && mkdir /etc/larder
needs() { sh "$LARDER_SOURCE/units/initramfs-needs" "$@"; }

encrypted() { # KEY [LINE]
	printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\nencryption:\n  provider: luks2\n  keys: [{slot: 0, %s}]\n  %s\n' "$1" "${2-}"
}
check "no config" needs modules
check_equal "needs nothing" "$(cat "$T/stdout")" ""
check "nor files" needs files
check_equal "none" "$(cat "$T/out")" ""

plain="crypto-aes crypto-ecb crypto-xts dm_crypt dm_mod"
modules() { # CIPHER MODULE…: beyond those of the default cipher
	local cipher=$1
	shift
	encrypted 'nodeID: {}' "cipher: '$cipher'" >/etc/larder/machine.yaml
	check "$cipher" needs modules
	check_equal "$cipher: what it needs" "$(xargs <"$T/stdout")" "$(printf '%s\n' $plain "$@" | LC_ALL=C sort | xargs)"
}
modules aes-xts-plain64
modules aes-cbc-essiv:sha256 crypto-cbc crypto-essiv crypto-sha256
modules serpent-xts-plain64 algif_skcipher crypto-serpent
modules aes-lrw-benbi algif_skcipher crypto-lrw
modules xchacha12,aes-adiantum-plain64 algif_skcipher crypto-adiantum crypto-nhpoly1305 crypto-xchacha12
encrypted 'tpm: {}' >/etc/larder/machine.yaml
check "a key of the TPM alone" needs modules
check_equal "is left to the boot after" "$(cat "$T/stdout")" ""

# The RAM disk's own config counts beside it.
{
	encrypted 'static: {passphrase: "a\tpassphrase, \"encryption.cipher\""}'
	printf -- '---\napiVersion: larder/v1alpha1\nkind: CacheLayerConfig\nlayers: [{name: main, version: 1.0.0, rootHash: %0128d}]\n' 1
	# shellcheck disable=SC1003 # a backslash, as YAML has it between single quotes
	printf 'trust: {keys: ["/etc/larder/keys/the site.pub", '"'%s'"', /etc/larder/keys/plain.pub, "/etc/larder/keys/ü.pub"]}\n' '/etc/larder/keys/ two  "of\them", '
} >/etc/larder/initramfs.yaml
chmod 600 /etc/larder/initramfs.yaml
check "a config for the RAM disk" needs modules
check_equal "needs what it asks for" "$(xargs <"$T/stdout")" "crypto-aes crypto-ecb crypto-sha512 crypto-xts dm_crypt dm_mod dm_verity"
check "names its files" needs files
check_equal "one a line, each whole" "$(cat "$T/stdout")" '/etc/larder/keys/the site.pub
/etc/larder/keys/ two  "of\them", 
/etc/larder/keys/plain.pub
/etc/larder/keys/ü.pub'
check_status 2 "anything else is refused" needs more
done_testing
