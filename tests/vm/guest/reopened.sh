#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The boot after: the TPM opened its volume before anything else ran; the other one opens by its passphrase; a TPM in another state
# opens nothing.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
. "$LARDER_SOURCE/tests/vm/guest/encryption.sh"
marker=$(cat /opt/vm/marker)
guest_healthy
take_over
check_equal "the volume was opened at boot" "$(status_field '.volume.phase + " " + .volume.device')" "ready /dev/mapper/larder-volume"
check_equal "it is the TPM's" "$(mapped_on)" "$(volume_on TPM)"
check_equal "it was not made anew" "$(status_field .volume.formatted)" false
check_equal "with what was in it" "$(cat /run/larder/volume/state/kept)" "$marker"

encrypted_config CACHE "slot: 0, static: {passphrase: \"$passphrase\"}"
check_status 1 "while it is open, no other takes its name" provision
check_output "and said so" "$(volume_on TPM)"
check_equal "and it stays" "$(mapped_on)" "$(volume_on TPM)"
check "larder stop" larder stop
check "the other one opens by its passphrase" provision --output json
check_equal "and is not made anew" "$(jq -r '"\(.phase) \(.formatted)"' "$T/stdout")" "ready false"
check_equal "with what was in it" "$(cat /run/larder/volume/state/kept)" "$marker"
check "larder stop" larder stop

# The state of the TPM changes, as when another system is booted: PCR 7 is extended.
extend_pcr7() {
	printf '\x80\x02\x00\x00\x00\x41\x00\x00\x01\x82\x00\x00\x00\x07\x00\x00\x00\x09\x40\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x0b%032d' 0 |
		python3 -c 'import os, sys; t = os.open("/dev/tpmrm0", os.O_RDWR); os.write(t, sys.stdin.buffer.read()); sys.exit(os.read(t, 4096)[6:10] != bytes(4))'
}
check "the state of the TPM changes" extend_pcr7
encrypted_config TPM "slot: 0, tpm: {}"
check_status 1 "the TPM does not open the volume any more" provision
check_output "and said so" "$(volume_on TPM).*none of the 1 keys"
check "nothing is left open" test ! -e /dev/mapper/larder-volume
rm /etc/larder/machine.yaml.d/50-tpm.yaml
done_testing
