#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larder config check and show: exit statuses, and messages that name file, line and column.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires jq

check "no config at all is fine" larder config check --root "$T"
check_output "and says so" "There is no machine config"

check "the example is valid" larder config check "$LARDER_SOURCE/examples/machine.yaml"
check_output "and enables the cache" "valid; the cache is enabled"

# The examples of larder-machine.yaml(5), each a document.
awk '/^\.Bd/ { if (n++) print "---"; inside = 1; next } /^\.Ed/ { inside = 0 } inside' \
	"$LARDER_SOURCE/man/larder-machine.yaml.5" >"$T/manual.yaml"
check_equal "the manual has examples" "$(grep -c '^---' "$T/manual.yaml")" 4
check "and they are valid" larder config check "$T/manual.yaml"

bad() { # NAME; the document on standard input
	cat >"$T/$1"
}
bad syntax.yaml <<'YAML'
machine:
  features: [
YAML
check_status 2 "broken YAML is invalid input" larder config check "$T/syntax.yaml"
check_output "with file, line and column" "syntax.yaml:3:1: this is not YAML: "

bad key.yaml <<'YAML'
apiVersion: v1alpha1
kind: VolumeConfig
name: IMAGECACHE
provisoning:
  minSize: 1GiB
YAML
check_status 2 "an unknown key is invalid input" larder config check "$T/key.yaml"
check_output "with the key that was meant" \
	"key.yaml:4:1: VolumeConfig IMAGECACHE: unknown key provisoning; did you mean provisioning\?"
check_equal "in one line" "$(wc -l <"$T/stderr")" 1

bad selector.yaml <<'YAML'
apiVersion: v1alpha1
kind: VolumeConfig
name: IMAGECACHE
provisioning:
  diskSelector:
    match: |
      disk.size > 1u * GB &&
        !cdrom
YAML
check_status 2 "a selector that does not compile is invalid input" larder config check "$T/selector.yaml"
check_output "placed inside the block of text, with the name that was meant" \
	"selector.yaml:8:10: VolumeConfig IMAGECACHE: provisioning.diskSelector.match: .*did you mean disk.cdrom\?"
check_output "with the line and a caret" '^ +!cdrom$'
check_output "below it" '^ +\^$'

bad install.yaml <<'YAML'
machine: {install: {diskSelector: {size: '>= 100GB', model: "a\"b*", type: ssd}}}
YAML
check "Talos's install.diskSelector becomes an expression that compiles" larder config check "$T/install.yaml"

cp "$T/key.yaml" "$T/a
larder: all is well.yaml"
check_status 2 "a file with a newline in its name" larder config check "$T/a
larder: all is well.yaml"
check_equal "makes one line" "$(grep -c . "$T/stderr")" 1
check_output "all the same" "a\?larder: all is well.yaml:4:1: VolumeConfig"
printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\n' >"$T/a
b.yaml"
run larder config check "$T/a
b.yaml"
check_output "in a note, too" "a\?b.yaml:1: VolumeConfig EPHEMERAL is not larder's"

check_status 2 "a file that is not there is invalid input" larder config check "$T/none.yaml"
check_output "and is named" "none.yaml: there is no such file"
check_status 2 "by --config as well" larder config show --config "$T/none.yaml"
check_status 2 "a wrong option is wrong usage" larder config check --frobnicate
check_status 2 "an argument too many, too" larder config show extra

check_status 2 "invalid input as JSON" larder config check --output json "$T/key.yaml"
check_equal "has the place as numbers" "$(jq -c '[.valid, .error.line, .error.column]' "$T/stdout")" "[false,4,1]"

mkdir -p "$T/root/etc/larder/machine.yaml.d" "$T/root/proc" "$T/root/usr/lib/larder"
cat >"$T/root/usr/lib/larder/machine.yaml" <<'YAML'
machine: {features: {imageCache: {localEnabled: false}}}
YAML
cat >"$T/root/etc/larder/machine.yaml" <<'YAML'
machine: {features: {imageCache: {localEnabled: true}}}
---
apiVersion: v1alpha1
kind: RegistryAuthConfig
name: ghcr.io
username: me
password: hunter2
YAML
cat >"$T/root/boot.yaml" <<'YAML'
apiVersion: larder/v1alpha1
kind: CacheLayerConfig
keep: 3
YAML
echo "quiet larder.config=/boot.yaml" >"$T/root/proc/cmdline"
chmod 644 "$T/root/etc/larder/machine.yaml"
check "show merges the standard places" larder config show --root "$T/root"
check_output "each value with its place" "localEnabled +true +$T/root/etc/larder/machine.yaml:1"
check_output "defaults too" "waitTimeout +10s +default"
check_output "the kernel's command line last" "keep +3 +$T/root/boot.yaml:3"
check_no_output "no secret is shown" hunter2
check_output "but that there is one" 'password +\*{8}'
check_output "and that everyone can read it" "machine.yaml:7: every user can read this secret"
check "the same as JSON" larder config show --root "$T/root" --output json
check_equal "with types" "$(jq -c '[.values[] | select(.key == "keep") | .value, .line]' "$T/stdout")" "[3,3]"
check_no_output "and without the secret" hunter2
check "and as YAML" larder config show --root "$T/root" --output yaml
chmod 600 "$T/root/etc/larder/machine.yaml"
check "a private file" larder config check --root "$T/root"
check_no_output "is not warned about" "every user"

# Links of the root lead where they would lead there, and one that leads nowhere is no absence.
mv "$T/root/etc/larder/machine.yaml" "$T/root/usr/share.yaml"
ln -s /usr/share.yaml "$T/root/etc/larder/machine.yaml"
check "an absolute link is followed inside of the root" larder config show --root "$T/root"
check_output "and keeps its name" "localEnabled +true +$T/root/etc/larder/machine.yaml:1"
check "the same with --config-root" larder config check --config-root "$T/root"
check_output "which is all that is moved" "the cache is enabled"
ln -s "$T/key.yaml" "$T/root/etc/larder/machine.yaml.d/10.yaml"
check_status 2 "one to a file of this machine leads nowhere" larder config check --root "$T/root"
check_output "and is named, and where it leads, and what to do" \
	"machine.yaml.d/10.yaml: this symbolic link leads to $T/key.yaml, and nothing is there below $T/root: put there what it stands for, or remove the link"
rm "$T/root/etc/larder/machine.yaml.d/10.yaml"
ln -sf gone.yaml "$T/root/etc/larder/machine.yaml"
check_status 2 "a link to nothing is invalid input" larder config check --root "$T/root"
check_output "and is named" "etc/larder/machine.yaml: this symbolic link leads to gone.yaml, and nothing is there"
mv "$T/root/usr/share.yaml" "$T/root/etc/larder/machine.yaml"

# Links of the run directory of --root stay in it, whatever --config-root is.
mkdir -p "$T/other/run/larder" "$T/other/usr"
ln -s "$T/key.yaml" "$T/other/run/larder/machine.yaml"
check_status 2 "a link of the run directory to a file of this machine leads nowhere" larder config check --root "$T/other" --config-root "$T/root"
check_output "and is named" "run/larder/machine.yaml: this symbolic link leads to $T/key.yaml, and nothing is there below $T/other"
echo 'machine: {features: {imageCache: {localEnabled: true}}}' >"$T/other/usr/share.yaml" && ln -sf /usr/share.yaml "$T/other/run/larder/machine.yaml"
check "one inside of that root" larder config show --root "$T/other" --config-root "$T/root"
check_output "is followed" "localEnabled +true +$T/other/run/larder/machine.yaml:1"

# Every command reads the same: the kernel's command line of that root counts for volumes, too, and this machine's does not.
printf 'apiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\nprovisioning: {minSize: 7GiB, maxSize: 9GiB}\n' >"$T/other/boot.yaml"
mkdir -p "$T/other/proc" && echo "larder.config=/boot.yaml" >"$T/other/proc/cmdline"
truncate -s 64M "$T/disk.img"
check_status 1 "volume plan with the config that the command line of another root names" larder volume plan --root "$T/other" --image "$T/disk.img"
check_output "takes its sizes" "7(\.0)? GiB"

check_equal "nothing was written anywhere" "$(find "$T/root" -type f | wc -l)" 4
done_testing
