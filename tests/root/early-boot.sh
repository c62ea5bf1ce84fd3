#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larder-boot as initial RAM disks run it: whose machine config counts, where the keys that it names are read, that nobody waits for a
# disk, and that the volume stays whose it is while nobody knows the user larder.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/disks.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
in_namespaces "$@"
requires mkfs.ext4 mksquashfs losetup sfdisk jq openssl

disk_new 700M
root=$T/sysroot own=$T/own
mkdir -p "$root/etc/larder/machine.yaml.d" "$own/etc/larder"
early() { larder-boot --no-runtimes --no-wait --config-root "$root" --config-fallback "$own" --run-dir "$T/run"; }
state() { jq -r "$1" "$T/run/status.json"; }
mounted() { grep -c " $T/run/volume " /proc/self/mounts; }
enabled() { printf -- '---\napiVersion: v1alpha1\nkind: ImageCacheConfig\nlocal: {enabled: true}\n'; }
cleanup "larder stop --run-dir '$T/run'"

check "no machine config anywhere" early
check_equal "nothing is done" "$(state .state) $(mounted)" "disabled 0"
echo 'machine: {features: {imageCache: {localEnable: true}}}' >"$own/etc/larder/machine.yaml"
check_status 2 "the RAM disk's own config is invalid, and there is no other" early
check_output "whose it is" "there is no machine config below $root; that of $own counts"
check_output "where it is wrong" "$own/etc/larder/machine\.yaml:1:.*localEnable"
check_equal "nothing is done" "$(state .state) $(mounted)" "failed 0"
echo 'machine: {features: {imageCache: {localEnabled: false}}}' >"$root/etc/larder/machine.yaml.d/10-off.yaml"
check "the root filesystem has one, in a drop-in alone" early
check_no_output "then the other is not read" "$own"
check_equal "nothing is done" "$(state .state) $(mounted)" "disabled 0"

# Nobody waits for a disk. That it waits without the option is seen by what it says then.
{ disk_config /dev/none 'waitTimeout: 100ms' && cat "$T/machine-none.yaml" && enabled; } >"$root/etc/larder/machine.yaml.d/10-off.yaml"
check "a disk that is not there" early
check_no_output "is not waited for" 'came within'
check_output "and that none matches is said" 'no disk has the volume IMAGECACHE or has room for it'
check "the same without --no-wait" larder-boot --no-runtimes --config-root "$root" --run-dir "$T/run"
check_output "it is waited for" 'no disk and no medium came within 100 ms'

# The user larder is known or not, as /etc/passwd has it.
grep -v '^larder:' /etc/passwd >"$T/passwd"
check "/etc/passwd is ours" mount --bind "$T/passwd" /etc/passwd
rm "$root/etc/larder/machine.yaml.d/10-off.yaml"
disk_config "$disk" && { cat "$T/machine-${disk##*/}.yaml" && enabled; } >"$own/etc/larder/machine.yaml"
check "the RAM disk's own config counts" early
check_equal "the volume is mounted" "$(state .volume.phase) $(mounted)" "ready 1"
check_equal "root made what is on it" "$(stat -c %u "$T/run/volume/blob")" 0
check "another one has it" chown -R 4242:4242 "$T/run/volume/"{blob,manifests,layers,state,.tmp}
check "larder-boot where nobody is called larder" early
check_equal "leaves it to that one" "$(stat -c %u:%g "$T/run/volume/blob" "$T/run/volume/layers" | sort -u)" 4242:4242
echo 'larder:x:4343:4343::/:/bin/false' >>"$T/passwd"
check "larder-boot where somebody is" early
check_equal "gives it to that one" "$(stat -c %u:%g "$T/run/volume/blob" "$T/run/volume/layers" | sort -u)" 4343:4343

# Keys lie where the config does.
openssl genpkey -algorithm ed25519 -out "$T/site.key" 2>"$T/out"
mkdir -p "$own/etc/larder/keys" "$T/images"
openssl pkey -in "$T/site.key" -pubout -out "$own/etc/larder/keys/early-boot.pub"
make_image "$T/images/one" 1 one >/dev/null
echo "ghcr.io/acme/one:1=oci:$T/images/one:1" >"$T/images/list"
check "a signed layer is built" larder build --images "$T/images/list" --name one --version 1.0 --output "$T/run/volume/layers/one-1.0.sqsh" --sign "$T/site.key"
printf -- '---\napiVersion: larder/v1alpha1\nkind: CacheLayerConfig\ntrust: {keys: [/etc/larder/keys/early-boot.pub], required: true}\n' >>"$own/etc/larder/machine.yaml"
check "a config that trusts a key beside it" early
check_equal "the layer is active" "$(state '.layers[] | "\(.name) \(.state) \(.signed)"')" "one active true"

# Links lead where they would lead in that root: those of the config, and those of the keys.
mkdir -p "$own/usr/share/site"
mv "$own/etc/larder/keys/early-boot.pub" "$own/etc/larder/machine.yaml" "$own/usr/share/site"
ln -s /usr/share/site/early-boot.pub "$own/etc/larder/keys/early-boot.pub"
ln -s /usr/share/site/machine.yaml "$root/etc/larder/machine.yaml"
ln -s ../../usr/share/site/machine.yaml "$own/etc/larder/machine.yaml"
check_status 2 "a link of the root filesystem that leads nowhere there" early
check_output "is named" "$root/etc/larder/machine.yaml: this symbolic link leads to /usr/share/site/machine.yaml, and nothing is there below $root"
check_no_output "and the RAM disk's own config does not count in its place" "that of $own counts"
rm "$root/etc/larder/machine.yaml"
check "links of a config and of a key beside it" early
check_equal "the layer is active" "$(state '.layers[] | "\(.name) \(.state) \(.signed)"')" "one active true"
cp -a "$own/." "$root" && rm -r "$own" && mkdir "$own"
ln -sf /usr/share/site/machine.yaml "$root/etc/larder/machine.yaml"
check "those of the root filesystem" early
check_no_output "which has a config then" "there is no machine config"
check_equal "the layer is active" "$(state '.layers[] | "\(.name) \(.state) \(.signed)"')" "one active true"
done_testing
