#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# --root is the prefix of everything: neither the disks nor the media of this machine are touched for another root, even if that root's
# /sys names them.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/disks.sh"
in_namespaces "$@"
requires mkfs.ext4 losetup sfdisk jq

R=$T/root
mkdir -p "$R/sys" "$R/dev" "$R/proc/self" "$R/usr/bin"
: >"$R/proc/cmdline"
: >"$R/proc/self/mountinfo"
disk_new 700M
blank=$disk
disk_new 16M
medium=$disk
mkfs.ext4 -q -L LARDER_1 "$medium"
disk_config "$blank"
printf -- '---\nmachine: {features: {imageCache: {localEnabled: true}}}\n---\napiVersion: larder/v1alpha1\nkind: CacheMediaConfig\nmatch: volume.label == "LARDER_1"\n' >>"$config"
mounts() { grep -c " $T/" /proc/self/mounts; }
larder_there() { larder "$@" --config "$config" --run-dir "$T/run" --root "$R"; }

for command in status "layers check"; do
	# shellcheck disable=SC2086
	run larder --root "$R" $command
	cp "$T/out" "$T/before-it"
	# shellcheck disable=SC2086
	run larder $command --root "$R"
	check_equal "larder $command is the same with --root before and after the command" "$(cat "$T/out")" "$(cat "$T/before-it")"
done
check_status 1 "larder status looks below that root" larder status --root "$R"
check_output "and says so" "$R/run/larder"

for command in boot stop status layers "layers sync" images "images default" "runtime configure" "runtime restore" "runtime status" "config check" "config show" disks \
	"volume status" "volume plan"; do
	# shellcheck disable=SC2086
	check_status 2 "larder $command with a root that is not there" larder $command --root "$T/none" --run-dir "$T/run-none"
	check_output "says so" "--root names a directory, and \"$T/none\" is none: No such file or directory"
done
check_status 2 "the same for --config-root" larder config check --config-root "$T/fifo"
check_output "says so" "--config-root names a directory"
check_status 2 "a root without a name is not this system" larder runtime restore --root ""
check_output "and is wrong usage" '--root names a directory, and "" is none: No such file or directory'
mkdir "$T/linked" "$T/outside"
for link in run run/larder; do
	rm -rf "$T/linked/run"
	mkdir -p "$(dirname "$T/linked/$link")"
	ln -s "$T/outside" "$T/linked/$link"
	check_status 2 "a link in the place of /$link" larder boot --root "$T/linked"
	check_output "is named" "$T/linked/$link is a symbolic link, and may lead out of --root: put a directory in its place"
	check_equal "and nothing is written where it leads" "$(ls "$T/outside")" ""
done
check "which does not matter with --run-dir" larder boot --root "$T/linked" --run-dir "$T/run-linked"
check_equal "nothing was made" "$(ls -d "$T/none" "$T/run-none" 2>/dev/null)" ""

check "larder boot with a root that has no /sys/block" larder_there boot
check_output "names the place where it looked" "disks: cannot list the disks in $R/sys/block: No such file"
check_equal "nothing of this machine is mounted" "$(mounts)" 0
check_status 1 "larder volume plan looks there, too" larder_there volume plan
check_output "and says so" "cannot list the disks in $R/sys/block"

rmdir "$R/sys" && ln -s /sys "$R/sys"
for command in boot "layers sync"; do
	# shellcheck disable=SC2086
	run larder_there $command
	check_equal "larder $command where that root names disks of this machine: no mount" "$(mounts)" 0
done
check_equal "no medium is listed" "$(larder_there layers --output json | jq -c .media)" "[]"
run larder_there volume provision
check_output "larder volume provision opens no disk" "$blank +no +is of another root \(--root\): it is not opened"
check_equal "nothing was written" "$(tr -d '\0' <"$T/disk0.img" | wc -c)" 0
check "the same without a root" larder-boot --no-runtimes --config "$config" --run-dir "$T/run"
cleanup "larder stop --run-dir '$T/run'"
check_equal "takes both" "$(awk -v t="$T/" 'index($2, t) == 1 { print $1 }' /proc/self/mounts | sed "s/\([0-9]\)p1\$/\1/" | sort | xargs)" "$(printf '%s\n' "$blank" "$medium" | sort | xargs)"
done_testing
