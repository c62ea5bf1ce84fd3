#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two ways to the same files: the diff of a dry run, applied to what is there, is what configure writes; and a machine config in the old
# form configures what its separate documents configure.
. "$LARDER_SOURCE/tests/lib/tap.sh"
requires_root
requires jq patch base64

R=$T/root
put() { mkdir -p "$(dirname "$R$1")" && cat >"$R$1"; }
on=$'machine:\n  features: {imageCache: {localEnabled: true}}\n'
fresh() { # every runtime, each with settings of its user
	rm -rf "$R"
	mkdir -p "$R/usr/bin" "$R/usr/local/bin"
	touch "$R/usr/bin/"{containerd,podman,dockerd} "$R/usr/local/bin/"{k3s,rke2}
	printf 'version = 2\n# mine\n[plugins."io.containerd.grpc.v1.cri".registry]\n   config_path = ""   # nothing' | put /etc/containerd/config.toml
	printf 'server = "https://quay.io"\r\n\r\n[host."https://a"]\r\n  capabilities = ["pull"]\r\n' | put /etc/containerd/certs.d/quay.io/hosts.toml
	printf '[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "mine.example"\n' |
		put /etc/containers/registries.conf.d/50-mine.conf
	printf '[crio.image]\npause_image = "a.io/pause:1"\n' | put /etc/crio/crio.conf.d/10-mine.conf
	printf '{"log-driver":"json-file",\n "registry-mirrors" : [ "https://m" ],\n\t"mtu": 1450}' | put /etc/docker/daemon.json
	for k in k3s rke2; do
		printf '# mine\nmirrors:\n  docker.io:\n    endpoint:\n      - "https://m"\nconfigs:\n  m:\n    tls: {insecure_skip_verify: true}\n' |
			put /etc/rancher/$k/registries.yaml
	done
}
# Each file below /etc with its content, links too; without the machine config, and what larder keeps to restore.
files() { # ROOT
	(cd "$1" && find etc \( -path etc/larder/runtime -o -path etc/larder/machine.yaml \) -prune -o \( -type f -o -type l \) \
		-printf '%p %l ' -exec sha256sum {} \; | sort)
}
modes() { (cd "$R" && find etc -path etc/larder/machine.yaml -prune -o -printf '%p %y %m %U:%G\n' | sort); }

mirrors=$'---\napiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: docker.io\nendpoints: [{url: "https://m1"}, {url: "http://m2/x", overridePath: true}]\n'
mirrors+=$'skipFallback: true\n---\napiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: "*"\nendpoints: [{url: "https://m3"}]\n'
insecure=$'---\napiVersion: v1alpha1\nkind: RegistryTLSConfig\nname: m1\ninsecureSkipVerify: true\n'
for config in "" "$mirrors" "$mirrors$insecure"; do
	fresh
	printf '%s%s' "$on" "$config" | put /etc/larder/machine.yaml
	name="with $(grep -c '^kind' <<<"$config") documents"
	before=$(files "$R")
	check "$name: the plan" larder runtime configure --root "$R" --dry-run
	cp "$T/stdout" "$T/plan"
	check_equal "$name: has files of every runtime" "$(grep '^+++ ' "$T/plan" | grep -oE 'containerd|containers|docker|k3s|rke2' | sort -u | xargs)" \
		"containerd containers docker k3s rke2"
	rm -rf "$T/patched" && cp -a "$R" "$T/patched"
	check "$name: patch(1) takes it" patch --binary --batch --forward --fuzz=0 --no-backup-if-mismatch -d "$T/patched" -p1 -i "$T/plan"
	check_no_output "$name: to the line" "offset|fuzz|ignored"
	check_equal "$name: larder itself wrote nothing" "$(files "$R")" "$before"
	check "$name: configure" larder runtime configure --root "$R"
	check_equal "$name: writes what the plan says" "$(files "$R")" "$(files "$T/patched")"
	[ "$(files "$R")" != "$before" ]
	verdict $? "$name: and that is not nothing"
	run larder runtime configure --root "$R" --dry-run
	check_no_output "$name: a plan for the same again has no line" '^(\+\+\+|@@)'
done

# The same content in both forms of the machine config.
pem() { printf -- '-----BEGIN %s-----\n%s\n-----END %s-----\n' "$1" "$(printf %s "$2" | base64)" "$1"; }
indented() { sed "s/^/$1/"; }
cat >"$T/old" <<YAML
${on}  registries:
    mirrors:
      docker.io: {endpoints: ["https://m1", "http://m2/x"], skipFallback: true}
      quay.io: {endpoints: ["https://m4/v2/y"], overridePath: true}
      "*": {endpoints: ["https://m3"]}
    config:
      m1:
        tls:
          ca: $(pem CERTIFICATE ca | base64 -w0)
          clientIdentity:
            crt: $(pem CERTIFICATE client | base64 -w0)
            key: $(pem "PRIVATE KEY" key | base64 -w0)
        auth: {username: u, password: secret-word}
      m3:
        tls: {insecureSkipVerify: true}
      ghcr.io:
        auth: {auth: "$(printf u2:other-word | base64)"}
YAML
cat >"$T/new" <<YAML
$on---
apiVersion: v1alpha1
kind: RegistryMirrorConfig
name: docker.io
endpoints: [{url: "https://m1"}, {url: "http://m2/x"}]
skipFallback: true
---
apiVersion: v1alpha1
kind: RegistryMirrorConfig
name: quay.io
endpoints: [{url: "https://m4/v2/y", overridePath: true}]
---
apiVersion: v1alpha1
kind: RegistryMirrorConfig
name: "*"
endpoints: [{url: "https://m3"}]
---
apiVersion: v1alpha1
kind: RegistryTLSConfig
name: m1
ca: |
$(pem CERTIFICATE ca | indented '  ')
clientIdentity:
  cert: |
$(pem CERTIFICATE client | indented '    ')
  key: |
$(pem "PRIVATE KEY" key | indented '    ')
---
apiVersion: v1alpha1
kind: RegistryTLSConfig
name: m3
insecureSkipVerify: true
---
apiVersion: v1alpha1
kind: RegistryAuthConfig
name: m1
username: u
password: secret-word
---
apiVersion: v1alpha1
kind: RegistryAuthConfig
name: ghcr.io
auth: "$(printf u2:other-word | base64)"
YAML
for form in old new; do
	fresh
	put /etc/larder/machine.yaml <"$T/$form"
	larder runtime configure --root "$R" --dry-run >"$T/$form.plan" 2>&1
	check "the $form form: configure" larder runtime configure --root "$R" --output json
	cp "$T/stdout" "$T/$form.report"
	files "$R" >"$T/$form.files"
	(cd "$R/etc" && find larder/runtime -type f -exec sha256sum {} \; | sort) >>"$T/$form.files"
	modes >"$T/$form.modes"
	check_equal "the $form form counts: its mirror is in files of" \
		"$(grep -lr m3 "$R/etc" --exclude-dir=larder | grep -oE '^[^,]*/etc/(rancher/)?[a-z0-9]+' | sed 's,.*/,,' | sort -u | xargs)" "containerd containers docker k3s rke2"
	grep -qr secret-word "$R/etc/rancher"
	verdict $? "and its credentials"
done
check_equal "both forms give the same files" "$(cat "$T/old.files")" "$(cat "$T/new.files")"
check_equal "with the same modes" "$(cat "$T/old.modes")" "$(cat "$T/new.modes")"
check_equal "the same plan" "$(cat "$T/old.plan")" "$(cat "$T/new.plan")"
check_equal "and the same report" "$(cat "$T/old.report")" "$(cat "$T/new.report")"
done_testing
