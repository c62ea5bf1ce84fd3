#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What larder keeps of the user's files is deleted, changed or of an earlier version: no file of the user's goes for that, and what was
# found is said.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires_root
requires jq strace base64

R=$T/root
saved=/etc/larder/runtime
daemon=/etc/docker/daemon.json
auth=/root/.config/containers/auth.json
yaml=/etc/rancher/k3s/registries.yaml
hosts=/etc/containerd/certs.d/quay.io/hosts.toml
put() { mkdir -p "$(dirname "$R$1")" && cat >"$R$1"; }
pem() { printf -- '-----BEGIN %s-----\n%s\n-----END %s-----\n' "$1" "$(printf %s "$2" | base64)" "$1"; }
fresh() { # every runtime, each with a file of its user, and a mirror with a certificate and credentials
	rm -rf "$R"
	mkdir -p "$R/usr/bin" "$R/usr/local/bin" "$R/root" "$R/etc/larder"
	touch "$R/usr/bin/"{containerd,podman,dockerd} "$R/usr/local/bin/k3s"
	printf '{"mtu": 1450}' | put $daemon
	printf '{"auths": {"mine.example": {"auth": "dTpw"}}}' | put $auth && chmod 600 "$R$auth"
	printf 'mirrors:\n  docker.io:\n    endpoint: ["https://m"]\n' | put $yaml
	printf '[host."https://a"]\n' | put $hosts
	put /etc/larder/machine.yaml <<-YAML
		machine: {features: {imageCache: {localEnabled: true}}}
		---
		apiVersion: v1alpha1
		kind: RegistryTLSConfig
		name: m1
		ca: |
		$(pem CERTIFICATE ca | sed 's/^/  /')
		---
		apiVersion: v1alpha1
		kind: RegistryAuthConfig
		name: m1
		username: u
		password: p
	YAML
}
certs() { (cd "$R" && find etc/docker/certs.d etc/containers/certs.d etc/larder/pki -name 'ca.*' 2>/dev/null | sort | xargs); }
state() { # all but what larder keeps
	(cd "$R" && find etc root -path etc/larder -prune -o -type f -printf '%p %m ' -exec sh -c 'sha256sum <"$1"' - {} \; | sort)
}
configure() { run larder runtime configure --root "$R"; }
restore() { check "$1" larder runtime restore --root "$R"; }
hint() { grep -- "$1" "$T/out"; }

fresh
before=$(state)
configure
check_equal "configure writes certificates" "$(certs | wc -w)" 3
check_equal "it is noted what was there, and what was not" "$(sed 's/^sha256:[0-9a-f]\{64\} /file /' "$R$saved/digests" | grep -E "$daemon|$auth|$yaml|$hosts|/m1/ca|_default" | sort)" \
	"$(printf '%s\n' "file $hosts" "file $daemon" "file $yaml" "file $auth" "none /etc/containerd/certs.d/_default/hosts.toml" \
		"none /etc/containers/certs.d/m1/ca.crt" "none /etc/docker/certs.d/_default/hosts.toml" "none /etc/docker/certs.d/m1/ca.crt" "none /etc/larder/pki/m1/ca.pem" | sort)"
restore "restore"
check_equal "is exact" "$(state)" "$before"
check_equal "and leaves nothing" "$(ls "$R/etc/larder")" machine.yaml

# The copies are deleted.
fresh
configure
rm -r "$R$saved/original"
restore "restore without the copies"
check_output "names daemon.json" "$daemon: the copy of what it was before is gone from $saved/original, so only larder's part was taken out"
check_output "and what to do" "take that out, or bring the file back from a backup"
check_output "names auth.json" "$auth: the copy of what it was before is gone from $saved/original, so it is left as it is"
check_equal "daemon.json keeps what is the user's" "$(jq -c . "$R$daemon")" '{"mtu":1450}'
check_equal "auth.json keeps what is the user's" "$(jq -r '.auths."mine.example".auth' "$R$auth")" dTpw
check_equal "and its mode" "$(stat -c %a "$R$auth")" 600
check_equal "registries.yaml keeps it, too" "$(cat "$R$yaml")" $'mirrors:\n  docker.io:\n    endpoint: ["https://m"]'
check_equal "hosts.toml, too" "$(cat "$R$hosts")" '[host."https://a"]'
check_equal "certificates that larder made go" "$(certs)" ""
check_equal "nothing names the cache" "$(grep -rl 3172 "$R/etc" --exclude-dir=larder)" ""
restore "restore again"
check_output "has nothing to do" "nothing to do"

# A file of which nothing but larder's part is left is still not removed, for there was one.
fresh
printf '{}' | put $daemon
printf '' | put /etc/containerd/certs.d/docker.io/hosts.toml
configure
rm -r "$R$saved/original"
restore "restore where the user's file was empty"
check_equal "daemon.json stays" "$(cat "$R$daemon")" '{}'
check_equal "hosts.toml stays" "$(stat -c %s "$R/etc/containerd/certs.d/docker.io/hosts.toml")" 0

# All that is left of a file may be nothing: it is the user's all the same.
for file in /etc/containerd/certs.d/ghcr.io/hosts.toml $yaml $daemon /etc/containerd/config.toml; do
	for text in "" $'\n' $' \n# mine\n'; do
		[ "$file$text" != "$daemon"$' \n# mine\n' ] || continue
		fresh
		printf %s "$text" | put "$file"
		before=$(state)
		configure
		restore "restore of $file with \"${text//$'\n'/\\n}\""
		check_equal "is exact" "$(state)" "$before"
	done
done

# Who named the cache before larder did keeps it, to the byte.
fresh
printf '{"registry-mirrors": ["http://127.0.0.1:3172"], "mtu": 1450}' | put $daemon
before=$(state)
configure
restore "restore of a daemon.json that named the cache before"
check_equal "is exact" "$(state)" "$before"

# configure goes on from what is there, and says what it takes for the user's.
fresh
configure
rm -r "$R$saved/original"
configure
check_equal "configure without the copies" "$status" 0
check_output "says what it takes for the user's" "the copy of what $daemon was before larder is gone from $saved/original: all of it but the cache's address now counts as yours"
configure
check_no_output "once" "counts as yours"
check_equal "the cache is in daemon.json once" "$(grep -o 3172 "$R$daemon")" 3172
restore "then restore"
check_equal "brings back what was left" "$(jq -c . "$R$daemon")" '{"mtu":1450}'
check_equal "auth.json keeps what is the user's" "$(jq -r '.auths."mine.example".auth' "$R$auth")" dTpw

# The cache is switched off (as a boot sets back).
fresh
configure
rm -r "$R$saved/original"
echo 'machine: {features: {imageCache: {localEnabled: false}}}' | put /etc/larder/machine.yaml
configure
check_equal "configure with the cache off keeps daemon.json" "$(jq -c . "$R$daemon")" '{"mtu":1450}'
check_equal "and auth.json" "$(jq -r '.auths."mine.example".auth' "$R$auth")" dTpw

# A copy that somebody changed is not what the user had: it is not written over the file.
fresh
configure
echo '{"mtu": 9000}' | put $saved/original$daemon
restore "restore with a copy that was changed"
check_output "says so" "$daemon: the copy of what it was before, below $saved/original, was changed by somebody, so only larder's part was taken out"
check_equal "daemon.json keeps what it said" "$(jq -c . "$R$daemon")" '{"mtu":1450}'
check_equal "and the copy stays for the user" "$(cat "$R$saved/original$daemon")" '{"mtu": 9000}'
configure
restore "the next restore"
check_equal "is not mistaken in it" "$(jq -c . "$R$daemon")" '{"mtu":1450}'
check_equal "nor is the copy lost" "$(cat "$R$saved/kept$daemon")" '{"mtu": 9000}'
fresh
configure
echo '{"mtu": 9000}' | put $saved/original$daemon
configure
check_output "configure says so, too" "the copy of what $daemon was before larder was changed by somebody; it is below $saved/kept now"
check_equal "and keeps it" "$(cat "$R$saved/kept$daemon")" '{"mtu": 9000}'
restore "restore after that"
check_equal "brings back what was left" "$(jq -c . "$R$daemon")" '{"mtu":1450}'
fresh
configure
printf '{"mtu": 1450}' | put $daemon
rm -r "$R$saved/original"
restore "restore of a file that is what it was, without a copy"
check_no_output "knows it by its digest" "$daemon"
check_equal "and leaves it" "$(cat "$R$daemon")" '{"mtu": 1450}'

# All of /etc/larder/runtime is gone.
fresh
configure
rm -r "$R$saved"
configured=$(state)
restore "restore without anything noted"
check_equal "touches nothing" "$(state)" "$configured"
check_output "names daemon.json" "$daemon holds what larder writes, and nothing is noted of it below $saved, so it is left as it is; to take that out, delete \"http://127.0.0.1:3172\" from its lists"
check_output "and hosts.toml" "$hosts holds what larder writes.*delete all from each line \"# larder: begin\" to \"# larder: end\""
check_equal "four runtimes' files and no more" "$(hint 'holds what larder writes' | grep -oE 'docker|containerd|containers|k3s' | sort -u | xargs)" "containerd containers docker k3s"
configure
check_equal "configure" "$status" 0
check_output "says what it takes for the user's" "$daemon holds what larder writes, and nothing is noted of it below $saved: it is below $saved/kept now, and all of it but the cache's address now counts as yours"
check_equal "changes no file" "$(state)" "$configured"
restore "then restore"
check_equal "daemon.json: the cache goes, the rest stays" "$(jq -c . "$R$daemon")" '{"mtu":1450}'
check_equal "auth.json stays" "$(jq -r '.auths."mine.example".auth' "$R$auth")" dTpw
check_equal "registries.yaml is the user's" "$(cat "$R$yaml")" $'mirrors:\n  docker.io:\n    endpoint: ["https://m"]'
check_equal "nothing names the cache" "$(grep -rl 3172 "$R/etc" --exclude-dir=larder)" ""
restore "and once more"
check_output "there is nothing to do" "nothing to do"
fresh
rm "$R$daemon"
configure
rm -r "$R$saved"
configure
restore "a daemon.json that was larder's alone"
check_equal "goes, though nothing was noted of it for a while" "$(ls "$R$daemon" 2>/dev/null)" ""

# What larder wrote is deleted, and the copies are there: they are not overwritten.
fresh
configure
rm -r "$R$saved/written"
configure
check_equal "configure without what was written keeps the old copies" "$(cat "$R$saved/kept$daemon")" '{"mtu": 1450}'

# The notes of an earlier version: copies alone, and no copy where there was no file.
fresh
before=$(state)
configure
rm "$R$saved/digests"
restore "restore with notes of an earlier version"
check_equal "is exact" "$(state)" "$before"
fresh
rm "$R$daemon"
before=$(state)
configure
rm "$R$saved/digests"
configure
check_equal "configure notes what an earlier version did not" "$(grep -c . "$R$saved/digests")" "$(cd "$R$saved/written" && find . -type f | wc -l)"
rm "$R$saved/digests"
restore "restore with notes of an earlier version, and a daemon.json that was larder's"
check_equal "is exact" "$(state)" "$before"
fresh
configure
rm -r "$R$saved/digests" "$R$saved/original"
restore "restore with notes of an earlier version, without the copies"
check_equal "daemon.json keeps what is the user's" "$(jq -c . "$R$daemon")" '{"mtu":1450}'
check_equal "auth.json, too" "$(jq -r '.auths."mine.example".auth' "$R$auth")" dTpw
check_equal "certificates that larder made go" "$(certs)" ""
fresh
configure
printf 'nonsense\n\0\xff sha256:x\n' | put $saved/digests
restore "restore with notes that say nothing"
check_equal "daemon.json is the user's" "$(cat "$R$daemon")" '{"mtu": 1450}'

# Files that the user removed are not changed.
fresh
configure
rm "$R$daemon" "$R$hosts"
restore "restore after the user removed files"
check_output "says so" "$daemon was removed after larder wrote it, so it is not brought back; what it was before is in $saved/original"
check_equal "and names them as nothing that it changed" "$(grep -xF "  $daemon" "$T/out")" ""
check_equal "nor does the next one name them" "$(larder runtime restore --root "$R")" "There is nothing to do."
check_equal "they are not brought back" "$(ls "$R$daemon" "$R$hosts" 2>/dev/null)" ""

# A power cut at each moment of a run that replaces a copy (the user edited the file): the edit and the file are never lost.
fresh
configure
jq -c '.mtu = 1400' "$R$daemon" >"$T/edited" && cp "$T/edited" "$R$daemon"
rm -rf "$T/pristine" && cp -a "$R" "$T/pristine"
moments=0 bad=
for call in renameat:1 renameat:2 renameat:3 renameat:4 renameat:5 renameat:6 renameat:7 renameat:8 syncfs:1 syncfs:2 syncfs:3 unlinkat:1 unlinkat:2; do
	for then in restore again; do
		rm -rf "$R" && cp -a "$T/pristine" "$R"
		name=${call%:*} set=$call
		[ "$name" != renameat ] || name=renameat,renameat2
		strace -f -o /dev/null -e trace=$name -e inject=$name:signal=KILL:when=${set#*:} larder runtime configure --root "$R" >/dev/null 2>&1 || moments=$((moments + 1))
		[ $then = restore ] || larder runtime configure --root "$R" >/dev/null
		larder runtime restore --root "$R" >/dev/null
		[ "$(jq -c . "$R$daemon" 2>&1)" = '{"mtu":1400}' ] || bad+=" $call/$then"
		[ "$(cat "$R$hosts")" = '[host."https://a"]' ] || bad+=" $call/$then/hosts"
	done
done
[ $moments -gt 10 ]
verdict $? "the run was really ended ($moments moments)"
check_equal "after each, the user's file is there" "$bad" ""
# A NUL that came into a file after larder wrote it: what is behind it is not cut off.
for file in $daemon $yaml $hosts $auth; do
	fresh
	configure
	printf '\0\n# of the user\n' >>"$R$file"
	cp -p "$R$file" "$T/edited"
	restore "restore, with a NUL in $file"
	check_output "says that it is left as it is" "$file: the file holds a NUL character; it is left as it is"
	check "and it is" cmp "$R$file" "$T/edited"
	check "what it was is there" test -s "$R$saved/original$file"
done

# Files that said nothing before, and an edit in larder's part.
for blank in '' '\n' ' \n\n'; do
	fresh
	# shellcheck disable=SC2059
	printf "$blank" | put $yaml
	cp -p "$R$yaml" "$T/blank"
	configure
	sed -i '0,/127.0.0.1/{/127.0.0.1/d}' "$R$yaml"
	configure
	restore "restore of a file of ${#blank} blanks"
	check "it is back" cmp "$R$yaml" "$T/blank"
done
# All that the user had is gone from the file when larder writes it again.
fresh
printf '# mine\n' | put /etc/containerd/config.toml
configure
sed -i '/# mine/d' "$R/etc/containerd/config.toml"
configure
check_equal "a copy of it is kept" "$(cat "$R$saved/kept/etc/containerd/config.toml")" "# mine"

# What a user wrote as larder does, on a machine that larder never touched: it is taken for larder's, and not lost.
fresh
printf '{\n    "registry-mirrors": [\n        "http://127.0.0.1:3172"\n    ]\n}\n' | put $daemon
cp "$R$daemon" "$T/own"
configure
check_output "a file that looks like larder's is named" "$daemon holds what larder writes, .*: it is below $saved/kept now"
restore "restore of it"
check "what it was is kept" cmp "$R$saved/kept$daemon" "$T/own"

# Mode and owner that somebody gives a file after larder wrote it stay.
fresh
chmod 644 "$R$daemon"
configure
chmod 600 "$R$daemon" && chown 1000:5 "$R$daemon"
configure
check_equal "another mode and owner stay" "$(stat -c '%a %u:%g' "$R$daemon")" "600 1000:5"
restore "restore of it"
check_equal "they stay then, too" "$(stat -c '%a %u:%g' "$R$daemon")" "600 1000:5"
check_equal "the text is the user's" "$(cat "$R$daemon")" '{"mtu": 1450}'

# A token, twice: the same both times.
fresh
sed -i 's/^username: u$/identityToken: tkn/; /^password: p$/d' "$R/etc/larder/machine.yaml"
configure
check_equal "a token's user" "$(jq -r '.auths.m1.auth' "$R$auth" | base64 -d)" "<token>:"
check_equal "and the token" "$(jq -r '.auths.m1.identitytoken' "$R$auth")" tkn
before=$(state)
configure
check_equal "the second run changes nothing" "$(state)" "$before"

# What is in the way of a certificate is not in the way of the runtimes.
fresh
mkdir -p "$R/etc/larder/pki/m1/ca.pem"
check_status 1 "a directory in the place of a certificate" larder runtime configure --root "$R"
check_output "is named" "/etc/larder/pki/m1/ca.pem"
check "the runtimes are set up" grep -q 127.0.0.1 "$R$daemon"
done_testing
