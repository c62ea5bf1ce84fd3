#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units on a machine that makes their order hard: /etc/larder is a filesystem of its own, an encrypted volume is opened and mounted at
# boot, every runtime is installed. Then they are stopped, killed, starved and started in any order. At last larderd hangs, and the machine is
# turned off all the same, while somebody who wants the port heeds nothing but SIGKILL; another time by force.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/vm/lib/machine.sh"
. "$LARDER_SOURCE/tests/vm/lib/cache.sh"
vm_begin
cache_images
cache_layer main 1.0.0 "$T/layers/000-main-1.0.0.sqsh"
dd if=/dev/urandom of="$T/filler" bs=1M count=32 status=none
IMAGE_EXTRA=$T/filler make_image "$T/images/large" 1 large >/dev/null
echo "docker.io/library/large:1=oci:$T/images/large:1" >"$T/images/large.list"
cache_layer large 1.0.0 "$T/001-large-1.0.0.sqsh" "$T/images/large.list"
truncate -s 2G "$T/cache.img"
truncate -s 64M "$T/secret.img"

vm_machine units
vm_enable
cache_config 'disk.serial == "CACHE" && !disk.readonly' | cache_machine
mkdir -p "$V/root/var/lib/larder/layers"
cp "$T"/layers/* "$V/root/var/lib/larder/layers/"
cp "$T/001-large-1.0.0.sqsh" "$V/root/opt/vm/"

# What is in /etc/larder moves to a disk.
truncate -s 16M "$T/etc.img"
mkfs.ext4 -q -F -d "$V/root/etc/larder" "$T/etc.img"
rm "$V/root/etc/larder/machine.yaml"
echo '/dev/disk/by-id/virtio-ETC /etc/larder ext4 defaults 0 2' >>"$V/root/etc/fstab"

# An encrypted volume with a key of its own, made and mounted at every boot.
head -c 64 /dev/urandom >"$V/root/etc/secret.key"
chmod 600 "$V/root/etc/secret.key"
echo 'secret /dev/disk/by-id/virtio-SECRET /etc/secret.key plain,cipher=aes-xts-plain64,size=512,tmp=ext4' >"$V/root/etc/crypttab"
echo '/dev/mapper/secret /srv ext4 defaults 0 2' >>"$V/root/etc/fstab"

# Runtimes that say whether the cache was there when they started; some are installed only.
runtime() { # NAME
	cat >"$V/root/etc/systemd/system/$1.service" <<-'UNIT'
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/sh -c 'mountpoint -q /run/larder/volume && test -d /run/larder/cache/manifests && touch /run/%N.found'
	UNIT
}
for name in crio docker podman k3s k3s-agent rke2-server rke2-agent kubelet; do runtime "$name"; done
for name in crio docker k3s rke2-agent kubelet; do
	ln -s "../$name.service" "$V/root/etc/systemd/system/multi-user.target.wants/$name.service"
done

# Somebody who wants the port stays as long as systemd's last step lets a process that ignores SIGTERM, which is as long as any unit by default.
last_step=45
printf '[Manager]\nDefaultTimeoutStopSec=%s\n' "$last_step" >"$V/root/etc/systemd/system.conf.d/last-step.conf"
mkdir "$V/root/etc/systemd/system/port-thief.service.d"
printf '[Service]\nEnvironment=STAYS=stays\n' >"$V/root/etc/systemd/system/port-thief.service.d/stays.conf"

thief_was_killed() {
	run grep -aE 'Sending SIG|Waiting for process|excluded from killing' "$vm_console"
	note "$(cat "$T/stdout")" "$(grep -a 'port-thief: ' "$vm_result" | tail -1)"
	check_output "who wants the port did not heed SIGTERM, but SIGKILL" 'Sending SIGKILL to PID [0-9]+ \(port-thief\)'
	check_no_output "nothing of larder is left then" 'excluded from killing|PID [0-9]+ \(larder'
}

mapfile -t disks < <(vm_disk "$T/cache.img" CACHE && vm_disk "$T/etc.img" ETC && vm_disk "$T/secret.img" SECRET)
vm_boot units "${disks[@]}"
check_equal "the volume was unmounted before the power went" "$(disk_volume_state "$T/cache.img")" clean
run dumpe2fs -h "$V/root.ext4"
check_output "so was the root" 'Filesystem state: *clean'
check_no_output "or read-only by then" 'needs_recovery'
vm_open
run vm_journal --grep 'Failed to (stop|unmount)|ordering cycle'
check_equal "nothing was left to unmount, and there was no cycle" "$(cat "$T/stdout")" ""

# The shutdown with a larderd that hangs: its watchdog ends it while "larder stop" waits for the volume, which then is unmounted in order.
hung=$(cat "$V/root/opt/vm/hung")
run vm_journal --since "@$hung" --output=cat --grep 'Failed with result'
check_equal "no unit failed, but larderd by its watchdog" "$(grep -v '^larderd.service: .*watchdog' "$T/stdout")" ""
note "$(vm_journal --since "@$hung" --output=short-monotonic --unit larderd.service --unit larder.socket --unit larder-boot.service)"
run vm_journal --since "@$hung" --output=cat --unit larder-boot.service
check_output "larder-boot.service was stopped" 'Stopped larder-boot\.service'
check_no_output "and had nothing to say against it" 'cannot unmount'
run grep -aiE 'failed (to )?(un|re)mount|not all file systems unmounted|still (busy|mounted)|stop job is running' "$vm_console"
check_equal "nothing that could be unmounted was left" "$(cat "$T/stdout")" ""
thief_was_killed
# As long as the unit may take to stop, and then as long as systemd's last step may.
limit=$(sed -n 's/^TimeoutStopSec=\([0-9]*\)s$/\1/p' "$V/root/lib/systemd/system/larder-boot.service")
began=$(vm_journal --since "@$hung" --output=short-monotonic --grep 'Stopping larder-boot\.service' | sed -n 's/^\[ *\([0-9]*\)\..*/\1/p')
ended=$(tr -d '\r' <"$vm_console" | sed -n 's/^\[ *\([0-9]*\)\.[0-9]*\] reboot: Power down.*/\1/p')
note "the volume was being unmounted at second $began, the power went at second $ended"
check "the machine was off in bounded time" test "$((ended - began))" -le $((limit + last_step))

# A poweroff that goes to systemd's last step at once: no unit is stopped, and who wants the port goes on in it until SIGKILL.
vm_boot forced "${disks[@]}"
check_equal "the volume was unmounted all the same" "$(disk_volume_state "$T/cache.img")" clean
vm_open
run vm_journal --boot --output=cat --unit larder-boot.service
check_output "larder-boot.service had been started" 'Finished larder-boot\.service'
check_no_output "and was not stopped" 'Stopp(ed|ing) larder-boot'
thief_was_killed
vm_close
done_testing
