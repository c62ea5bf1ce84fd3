#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The first boot made an encrypted volume. It opens by each of its keys and by no other, it grows while it is mounted, and a second
# one is made whose only key is the TPM's.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
. "$LARDER_SOURCE/tests/vm/guest/encryption.sh"
guest_healthy
take_over
check_equal "the volume is ready" "$(status_field '.volume.phase + " " + .volume.device')" "ready /dev/mapper/larder-volume"
check_equal "what lies on the disk is LUKS2" "$(blkid -p -s TYPE -s VERSION -o value "$partition" | xargs)" "2 crypto_LUKS"
check_equal "the mapped device lies on it" "$(mapped_on)" "$partition"
check_equal "the cipher is the one of the config" "$(cipher)" serpent-xts-plain64
check_equal "and so are the size of the key" "$(key_bytes)" 32
check_equal "the size of the blocks, and the options" "$(mapped_options)" "no_read_workqueue same_cpu_crypt sector_size:4096"
check_equal "there are two keys, in their slots" "$(slots "$partition")" "0 1"
marker=marker-$RANDOM$RANDOM$RANDOM
echo "$marker" >/run/larder/volume/state/kept
sync -f /run/larder/volume
check_equal "nothing of what is in it can be read on the disk" "$(grep -c "$marker" "$partition")" 0
check_equal "no key is in the journal" "$(journalctl --boot | grep -cF "$passphrase")" 0

note "Other keys"
check "larder stop" larder stop
check "closes it" test ! -e /dev/mapper/larder-volume
before=$(head_of "$partition")
encrypted_config CACHE "slot: 0, static: {passphrase: wrong}"
check_status 1 "a wrong passphrase is refused" provision
check_output "and said so, with the device" "$partition.*none of the 1 keys in the machine config opens the encrypted volume"
check "the mapping is not left behind" test ! -e /dev/mapper/larder-volume
encrypted_config CACHE "slot: 0, nodeID: {}"
check_status 1 "a right key is refused in the wrong slot" provision
check_output "and said so" "none of the 1 keys"
plain_config CACHE
check_status 2 "a config without keys is refused" provision
check_output "and said so" "partition [0-9]+ of /dev/[a-z]+ is encrypted, and the machine config has no key for it"
check_status 2 "and by the plan" larder volume plan --config "$config"
check_output "with the same words" "is encrypted, and the machine config has no key for it"
encrypted_config CACHE "slot: 2, tpm: {}"
enabled
check_status 1 "the TPM has no key for it" provision
check_output "and said so" "none of the 1 keys"
check "larder-boot goes on without it" larder-boot --no-runtimes --config "$config"
check_equal "and says why in the status" "$(status_field '.state + ": " + .problems[0].part')" "degraded: volume"
check_equal "nothing was written" "$(head_of "$partition")" "$before"
check "the layer of the image is served meanwhile" curl -sf --max-time 60 -o /dev/null "http://127.0.0.1:3172/v2/library/busybox/manifests/1.36?ns=docker.io"

note "Each right key"
encrypted_config CACHE "slot: 1, nodeID: {}"
echo "  options: [no_write_workqueue]" >>"$config"
check "nodeID alone opens it" provision --output json
check_equal "with the option of this config" "$(mapped_options)" "no_write_workqueue sector_size:4096"
check_equal "with what is in it" "$(cat /run/larder/volume/state/kept)" "$marker"
check "larder stop" larder stop
encrypted_config CACHE "slot: 0, static: {passphrase: \"$passphrase\"}"
echo "  options: [no_read_workqueue]" >>"$config"
check "the passphrase alone opens it" provision --output json
check_equal "with the option of this one" "$(mapped_options)" "no_read_workqueue sector_size:4096"
check_equal "with what is in it" "$(cat /run/larder/volume/state/kept)" "$marker"

note "Growth of what is mounted"
before=$(df --output=size -B1 /run/larder/volume | tail -1)
encrypted_config CACHE "slot: 0, static: {passphrase: \"$passphrase\"}" "maxSize: 1500MiB" "grow: true"
exec 6</run/larder/volume/state/kept
check "it grows while it is mounted and in use" provision --output json
exec 6<&-
check_equal "it was not unmounted for that" "$(jq -r '"\(.adopted) \(.grown) \(.warning)"' "$T/stdout")" "true true null"
check_equal "the partition" "$(blockdev --getsize64 "$partition")" $((1500 << 20))
check_equal "its options stay" "$(mapped_options)" "no_read_workqueue sector_size:4096"
check "the mapped device" test "$(blockdev --getsize64 /dev/mapper/larder-volume)" -gt $((1480 << 20))
check "the filesystem" test "$(df --output=size -B1 /run/larder/volume | tail -1)" -gt $((before + (400 << 20)))
check_equal "with what is in it" "$(cat /run/larder/volume/state/kept)" "$marker"
check "a second run" provision --output json
check_equal "grows nothing" "$(jq -r '"\(.adopted) \(.grown) \(.table_written)"' "$T/stdout")" "true false false"
check "larder stop" larder stop
check "the filesystem is sound" sound "$partition" "$passphrase"
check "the key nodeID is the UUID of the machine and the name of the volume, as Talos has it" \
	sound "$partition" "$(tr A-Z a-z </sys/class/dmi/id/product_uuid)IMAGECACHE"

note "A volume whose only key is the TPM's"
check "there is a TPM" test -c /dev/tpmrm0
encrypted_config TPM "slot: 0, tpm: {}"
check "it is made" provision --output json
check_equal "and mounted" "$(jq -r '.phase + " " + .device' "$T/stdout")" "ready /dev/mapper/larder-volume"
check_equal "it has one key" "$(slots "$(volume_on TPM)" | wc -w)" 1
check_equal "a config that says nothing of it has aes-xts-plain64, 512 bits, the disk's own blocks, no options" \
	"$(cipher) $(key_bytes) $(mapped_options)" "aes-xts-plain64 64 "
check_equal "which is the TPM's" "$(tokens "$(volume_on TPM)")" systemd-tpm2
echo "$marker" >/run/larder/volume/state/kept
check "larder stop" larder stop
check "the TPM opens it" provision --output json
check_equal "with what is in it" "$(cat /run/larder/volume/state/kept)" "$marker"
mkdir /etc/larder/machine.yaml.d
cp "$config" /etc/larder/machine.yaml.d/50-tpm.yaml
echo "$marker" >/opt/vm/marker
done_testing
