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
	usr/share/initramfs-tools/scripts/local-bottom/larder usr/lib/dracut/modules.d/95larder/module-setup.sh; do
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
done_testing
