#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The power goes at several moments of the first boot; the boot after them completes what was begun. Then a first boot whose writes are
# recorded: from each of over 300 states that a power cut could leave, the next boot is complete or says why not, nothing
# that is served is wrong, and the foreign partition is untouched.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
vm_begin
cache_images
dd if=/dev/urandom of="$T/filler" bs=1M count=48 status=none
IMAGE_EXTRA=$T/filler make_image "$T/images/large" 1 "large" >/dev/null
cp "$T/images/list" "$T/images/list.large"
echo "docker.io/library/large:1=oci:$T/images/large:1" >>"$T/images/list.large"
cache_layer main 1.0.0 "$T/iso/larder/000-main-1.0.0.sqsh"
cache_layer main 1.0.0 "$T/iso-large/larder/000-main-1.0.0.sqsh" "$T/images/list.large"
check "two ISOs are made" eval 'cache_iso LARDER_1 "$T/iso" "$T/small.iso" && cache_iso LARDER_1 "$T/iso-large" "$T/large.iso"'

# A disk that somebody else uses, with room behind: the first partition must stay as it is, to the byte.
foreign_disk() { # IMAGE
	truncate -s 1G "$1"
	printf 'label: gpt\nstart=2048, size=16MiB, name=foreign\n' | sfdisk -q "$1"
	dd if=/dev/urandom of="$1" bs=1M seek=1 count=16 conv=notrunc status=none
}
foreign_sum() { dd if="$1" bs=1M skip=1 count=16 status=none | sha256sum; }

foreign_disk "$T/cache.img"
foreign=$(foreign_sum "$T/cache.img")
mapfile -t disk < <(vm_disk "$T/cache.img" CACHE)
mapfile -t cdrom < <(vm_cdrom "$T/large.iso")
vm_machine cut
vm_enable
cache_config 'disk.serial == "CACHE" && !disk.readonly' 'volume.label.startsWith("LARDER_")' | cache_machine
VM_APPEND=systemd.journald.forward_to_console=1
# A fast machine may have done the next step before it is killed, so each moment is that one or the first later one that comes.
moments=('add partition' 'make an ext4 filesystem' 'rename partition' 'is the new IMAGECACHE' 'Starting larder-sync')
for ((i = 0; i < ${#moments[@]}; i++)); do
	VM_KILL=$(IFS='|'; echo "${moments[*]:i}") VM_KILL_AFTER=0 vm_boot whole "${disk[@]}" "${cdrom[@]}"
	check_equal "the foreign partition is untouched" "$(foreign_sum "$T/cache.img")" "$foreign"
done
# In the middle of the copy, which takes a minute from a drive like this.
mapfile -t cdrom < <(vm_cdrom "$T/large.iso" throttling.bps-read=1000000)
VM_KILL='Starting larder-sync' VM_KILL_AFTER=2 vm_boot whole "${disk[@]}" "${cdrom[@]}"
mapfile -t cdrom < <(vm_cdrom "$T/large.iso")
vm_boot whole "${disk[@]}" "${cdrom[@]}"
check_equal "the foreign partition is untouched" "$(foreign_sum "$T/cache.img")" "$foreign"
check_equal "the volume is clean" "$(disk_volume_state "$T/cache.img")" clean

# The recorded boot, on a disk like the first.
foreign_disk "$T/start.img"
foreign=$(foreign_sum "$T/start.img")
cp --sparse=always "$T/start.img" "$T/recorded.img"
: >"$T/log"
mapfile -t cdrom < <(vm_cdrom "$T/small.iso")
vm_boot whole -blockdev "driver=file,node-name=disk,filename=$T/recorded.img" -blockdev "driver=file,node-name=log,filename=$T/log" \
	-blockdev driver=blklogwrites,node-name=recorded,file=disk,log=log -device virtio-blk-pci,drive=recorded,serial=CACHE "${cdrom[@]}"

# The programs as they are now: a build in between must not disturb the states.
mkdir "$T/bin"
cp "$(command -v larder)" "$(command -v larder-boot)" "$T/bin/"
PATH=$T/bin:$PATH

# What every state must hold, checked here by the same programs, in namespaces of its own.
cat >"$T/state.sh" <<'INSIDE'
#!/bin/bash
# IMAGE STATE
. "$LARDER_SOURCE/tests/lib/machine.sh"
. "$LARDER_SOURCE/tests/lib/disks.sh"
wrong() { echo "$2: $1"; exit 1; }
loop=$(losetup --find --show "$1") || exit 1
disk_forget "$loop" # what an earlier user of the device left
trap 'larder stop --run-dir /run/larder >/dev/null 2>&1; disk_detach "$loop"' EXIT
only_disks "$loop"
mount -t tmpfs tmpfs /run
{ sed "s,disk.serial == \"CACHE\",disk.dev_path == \"$loop\"," "$CONFIG"; } >/run/config.yaml
larder-boot --no-runtimes --config /run/config.yaml >/run/log 2>&1 || wrong "larder-boot: $(tail -3 /run/log)" "$2"
state=$(jq -r .state /run/larder/status.json)
case $state in
ready) ;;
degraded) [ "$(jq '.problems | length' /run/larder/status.json)" -gt 0 ] || wrong "degraded without a reason" "$2" ;;
*) wrong "the state is $state" "$2" ;;
esac
[ "$(jq -r .volume.phase /run/larder/status.json)" = ready ] || echo "$2: volume: $(jq -c .problems /run/larder/status.json)" >>"$REASONS"
larder images verify --config /run/config.yaml >/run/log 2>&1 || wrong "images verify: $(tail -3 /run/log)" "$2"
echo "$2: $state, $(jq -r '[.layers[]? | select(.state == "active")] | length' /run/larder/status.json) layers" >>"$STATES"
larder stop --config /run/config.yaml >/run/log 2>&1 || wrong "larder stop: $(tail -3 /run/log)" "$2"
[ "$(dd if="$1" bs=1M skip=1 count=16 status=none | sha256sum)" = "$FOREIGN" ] || wrong "the foreign partition changed" "$2"
sfdisk --dump "$1" 2>/dev/null | grep -q 'start= *2048, size= *32768,.*name="foreign"' || wrong "the foreign partition's entry changed" "$2"
INSIDE
CACHE_WAIT=0s cache_config 'disk.serial == "CACHE"' >"$T/state.yaml"
export CONFIG=$T/state.yaml FOREIGN=$foreign STATES=$T/states REASONS=$T/reasons
: >"$STATES"
: >"$REASONS"
check "every crash state boots, complete or with a reason, and nothing served is wrong" \
	"$LARDER_SOURCE/tests/vm/lib/crash-states" "$T/log" 160 160 "$T/start.img" "$T/crash.img" \
	unshare --mount --propagation private bash "$T/state.sh"
note "$(tail -1 "$T/stdout")" "volume not ready in $(wc -l <"$REASONS") states"
note "$(cut -d: -f2 <"$STATES" | sort | uniq -c)" "$(sed 's/.*"message"://; s,/dev/loop[0-9]*,DISK,g' "$REASONS" | sort | uniq -c)"
check "over 300 states were looked at" test "$(wc -l <"$STATES")" -ge 300
check "some of them had no layer yet, some had it" eval 'grep -q " 0 layers" "$STATES" && grep -q " 1 layers" "$STATES"'
check "the last one is complete" grep -q "ready, 1 layers" <(tail -1 "$STATES")
done_testing
