#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The Debian packages: dpkg-buildpackage makes them, lintian has no error, everything is in its place, and installing one starts
# nothing, enables nothing, and at an upgrade restarts larderd alone.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/deb.sh"
requires dpkg-buildpackage dh lintian fakeroot

check "dpkg-buildpackage builds the packages" build_debs
[ "$status" = 0 ] || { note "$(tail -30 "$debs/build.log")"; done_testing; }
check "lintian has no error" lintian --allow-root --fail-on error --suppress-tags bad-distribution-in-changes-file "$debs"/*.changes
note "$(cat "$T/out")"

mkdir "$T/root" "$T/control"
for package in larder larder-initramfs larder-dracut; do
	check "$package unpacks" dpkg-deb -x "$debs/$package"_*.deb "$T/root"
	mkdir "$T/control/$package"
	dpkg-deb -e "$debs/$package"_*.deb "$T/control/$package"
done
for file in usr/bin/larder lib/systemd/system/larder.target lib/systemd/system/run-larder-.mount.d/10-larder.conf \
	lib/udev/rules.d/90-larder-media.rules usr/lib/sysusers.d/larder.conf usr/lib/tmpfiles.d/larder.conf \
	usr/share/bash-completion/completions/larder usr/share/initramfs-tools/hooks/larder \
	usr/lib/larder/initramfs-needs usr/share/initramfs-tools/scripts/local-bottom/larder usr/share/initramfs-tools/conf-hooks.d/larder usr/lib/dracut/modules.d/95larder/module-setup.sh; do
	check "there is $file" test -e "$T/root/$file"
done
# What units start must be in the package that has the units.
for program in $(sed -n 's/^Exec[A-Za-z]*=[-+!@:]*\([^ ]*\).*/\1/p' "$T"/root/lib/systemd/system/*.service | grep '/usr/.*larder' | sort -u); do
	check "there is $program, which a unit starts" test -x "$T/root$program"
done

scripts=("$T"/control/larder/{preinst,postinst,prerm,postrm})
run grep -hE 'deb-systemd-invoke (re)?start|deb-systemd-invoke \$|try-restart' "${scripts[@]}"
check_equal "an upgrade restarts larderd and nothing else" \
	"$(grep -ohE "(re)?start [^>]*|\\\$_dh_action [^>]*" "$T/stdout" | grep -o "[a-z-]*\.\(service\|socket\|target\|timer\)" | sort -u)" larderd.service
run cat "$T/control/larder/prerm"
check_output "a removal stops everything" 'stop larder.target'
run grep -hE "systemd-sysusers" "$T/control/larder/postinst"
check_output "the user is made" 'larder.conf'

# Removal and purge, carried out on a system below a directory (DPKG_ROOT, dpkg(1)), each script twice, as dpkg may after a failure.
sys=$T/sys
mkdir -p "$sys/etc/containerd/certs.d/quay.io" "$sys/etc/larder" "$sys/var/lib" "$sys/run/larder" "$sys/etc/docker"
dpkg-deb -x "$debs"/larder_*.deb "$sys"
touch "$sys/usr/bin/containerd" "$sys/usr/bin/podman"
printf '[host."https://mine"]' >"$sys/etc/containerd/certs.d/quay.io/hosts.toml"
printf '{"mtu":1450}' >"$sys/etc/docker/daemon.json"
printf 'machine: {features: {imageCache: {localEnabled: true}}}\n---\napiVersion: v1alpha1\nkind: RegistryTLSConfig\nname: tls.example\ninsecureSkipVerify: true\n' \
	>"$sys/etc/larder/machine.yaml"
users() { (cd "$sys" && find etc -path etc/larder -prune -o -path etc/systemd -prune -o -type f -print0 | sort -z | xargs -0 sha256sum); }
script() { DPKG_ROOT=$sys DPKG_MAINTSCRIPT_PACKAGE=larder PATH=$sys/usr/bin:$PATH sh "$T/control/larder/$1" "${@:2}"; }
check "postinst configure" script postinst configure ""
check "postinst configure again" script postinst configure ""
before=$(users)
check "the runtimes are set up" "$sys/usr/bin/larder" runtime configure --root "$sys"
check_equal "there is something to take back" "$(grep -rl 3172 "$sys/etc" | grep -vc /etc/larder/)" 7
check "prerm upgrade" script prerm upgrade 2.0
check_equal "an upgrade takes nothing back" "$(grep -rl 3172 "$sys/etc" | grep -vc /etc/larder/)" 7
check "prerm remove" script prerm remove
check "prerm remove again" script prerm remove
check_equal "runtimes have their own settings back, to the byte" "$(users)" "$before"
dpkg-deb -c "$debs"/larder_*.deb | awk '!/\/$/ { print $6 }' | (cd "$sys" && xargs rm -f)
check "postrm remove" script postrm remove
mkdir -p "$sys/etc/larder/runtime/original" "$sys/var/lib/larder/layers" && touch "$sys/etc/larder/runtime/original/x"
check "postrm purge" script postrm purge
check "postrm purge again" script postrm purge
check_equal "what the administrator wrote is all that is left" \
	"$(cd "$sys" && find etc var run -path '*larder*' ! -path '*/systemd/*' -print | sort | xargs)" "etc/larder etc/larder/machine.yaml"
done_testing
