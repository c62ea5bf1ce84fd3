#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Layers through dm-verity: see tests/vm/verity.sh.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/guest/lib.sh"
devices() { cat /sys/block/dm-*/dm/name 2>/dev/null; }
guest_healthy
run larder layers
note "$(cat "$T/out")"
check_equal "the sound layer is active" "$(layer_field main state)" active
check_equal "through dm-verity, by the root hash of the config" "$(layer_field main verity)" "$(cat /var/lib/larder/layers/main-1.0.sqsh.roothash)"
point=$(layer_field main mounted)
device=$(findmnt --noheadings --output MAJ:MIN "$point" | tr -d ' ')
check_output "the table shows it" "main .* $point \(dm-verity\)"
check "what is mounted is a device of dm-verity" grep -q '^CRYPT-VERITY-' "/sys/dev/block/$device/dm/uuid"
check "of ours" grep -q '^larder-verity-[0-9a-f]*$' "/sys/dev/block/$device/dm/name"
check_equal "larder status shows it" "$(larder status --output json | jq -r '.layers[] | select(.name == "main").verity')" "$(layer_field main verity)"
check_equal "a layer whose tables are not right is broken" "$(layer_field bent state)" broken
check_equal "the reason names the root hash" "$(layer_field bent reason)" "its bytes are not those of the root hash $(cut -c1-16 /var/lib/larder/layers/bent-1.0.sqsh.roothash)… (dm-verity)"
check_equal "a layer that the config gives another root hash is broken" "$(layer_field wrong state)" broken
check_equal "and the reason says which" "$(layer_field wrong reason)" "its bytes are not those of the root hash abababababababab… (dm-verity)"
check_equal "neither is mounted" "$(grep -cE '/run/larder/layers/(bent|wrong)-' /proc/self/mounts)" 0
guest_pulls

# A flipped byte in a blob is found when it is read, and never served.
base=http://127.0.0.1:3172/v2/acme/rotten
manifest=$(curl -s "$base/manifests/1?ns=ghcr.io" -H 'Accept: application/vnd.oci.image.index.v1+json')
digest=$(jq -r '.manifests[0].digest' <<<"$manifest")
config=$(curl -s "$base/manifests/$digest?ns=ghcr.io" -H 'Accept: application/vnd.oci.image.manifest.v1+json' | jq -r .config.digest)
check "a blob with a flipped byte is not served" test "$(curl -s -o /dev/null -w '%{http_code}' "$base/blobs/$config?ns=ghcr.io")" != 200
check_equal "its layer is broken from then on" "$(layer_field rotten state)" broken
check_equal "and says why" "$(layer_field rotten reason)" "its bytes are not those of the root hash $(cut -c1-16 /var/lib/larder/layers/rotten-1.0.sqsh.roothash)… (dm-verity)"
check_status 1 "layers check says so, too" larder layers check
check_output "with its name" "rotten 1.0: broken"
check_equal "the sound layer is served as before" "$(layer_field main state)" active

# Killed at any moment: the next run brings all back, and a stop leaves nothing.
for i in 1 2 3 4 5 6; do
	larder layers sync >"$T/out" 2>&1 &
	sleep "0.$i"
	kill -KILL $! 2>/dev/null
	wait $!
done
check "after kills, a run brings all back" larder layers sync
# What a kill between the making of a device and its table leaves, seen by no luck.
check "a device without a table is there" dmsetup create --notable larder-verity-00000000000000000000000000000000
check "a run goes on" larder layers sync
check_equal "and takes it away" "$(devices | grep -c 0000000000000000)" 0
check_equal "the layer is mounted once" "$(grep -c ' /run/larder/layers/main-' /proc/self/mounts)" 1
check "larder.target stops" systemctl stop larder.target
check "larder-boot.service stops with it" until_true 90 eval '[ "$(systemctl show -p ActiveState --value larder-boot.service)" = inactive ]'
check_equal "nothing stays mounted" "$(grep ' /run/larder/' /proc/self/mounts)" ""
check "no device of dm-verity stays" until_true 20 eval '[ -z "$(devices)" ]'
check_equal "no loop device stays attached" "$(losetup --list --noheadings | grep -c sqsh)" 0
check "larder.target starts" systemctl start larder.target
check "the registry answers again" until_true 60 curl -sf --max-time 10 -o /dev/null \
	"http://127.0.0.1:3172/v2/library/busybox/manifests/1.36?ns=docker.io"
check_equal "through dm-verity again" "$(devices | grep -c '^larder-verity-')" "$(larder layers --output json | jq '[.layers[] | select(.verity != null and .mounted != null)] | length')"
done_testing
