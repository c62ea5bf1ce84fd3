# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# larderd in a test: started on a port of its own, ended with the test.

# start_larderd NAME [OPTION…]: sets $url and $larderd_pid; what it says is in $T/NAME.log. LARDERD_AS: a prefix for its command line.
start_larderd() {
	local name=$1
	shift
	# shellcheck disable=SC2086
	${LARDERD_AS-} larderd --listen 127.0.0.1:0 "$@" >"$T/$name.log" 2>&1 &
	larderd_pid=$!
	cleanup end_child "$larderd_pid"
	until_true 20 grep -q '^listening on' "$T/$name.log" || { note "$(cat "$T/$name.log")"; return 1; }
	address=$(sed -n 's/^listening on //p' "$T/$name.log" | head -1)
	url=http://$address
}

# unprivileged_larderd DIR: from now on larderd starts as a service does: nothing writable but DIR, no capability, another user, mounts of
# its own, which those reach that are made later. Only what it does ahead of need has no lower priority: beside others who want the
# processor it would not end while a test waits for it.
unprivileged_larderd() {
	mkdir -p "$T/unprivileged" "$1"
	chown 65534 "$1"
	cat >"$T/unprivileged/start" <<-'INSIDE'
		#!/bin/sh
		mount --bind "$1" "$1" && mount -o remount,bind,ro / || exit 1
		shift
		exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set -all --inh-caps -all \
			without-syscalls sched_setscheduler=EPERM,ioprio_set=EPERM "$@"
	INSIDE
	chmod 755 "$T" "$T/unprivileged" "$T/unprivileged/start"
	LARDERD_AS="unshare --mount --propagation slave $T/unprivileged/start $1"
}

# stop_larderd: by SIGTERM; its exit status. A sanitizer's report fails it.
stop_larderd() {
	kill "$larderd_pid"
	wait "$larderd_pid"
}

http_status() { curl -s -o "$T/body" -w '%{http_code}' "$@"; }

# check_http STATUS DESCRIPTION CURL-ARGUMENT…: the body is in $T/body
check_http() {
	local expected=$1 description=$2
	shift 2
	check_equal "$description" "$(http_status "$@")" "$expected"
}

metric() { curl -s "$url/metrics" | sed -n "s/^$1 //p"; }

# Until nothing more is hashed ahead of need: no number says when that ends after a change.
resting() {
	local before
	before=$(metric larder_verified_bytes_total)
	sleep 3
	[ "$(metric larder_verified_bytes_total)" = "$before" ]
}

# small_store DIR: a cache tree with docker.io/library/busybox:1.36 (this host and another platform) and ghcr.io/acme/app:v1, made from
# real images; sets $busybox and $app to their digests. Also $T/layer.sqsh, the same as a cache layer.
small_store() {
	busybox=$(make_image "$T/busybox" 1.36 "one" "$(image_host_arch)" s390x)
	app=$(make_image "$T/app" v1 "two")
	printf '%s\n' "docker.io/library/busybox:1.36=oci:$T/busybox:1.36" "ghcr.io/acme/app:v1=oci:$T/app:v1" >"$T/images.txt"
	run larder build --images "$T/images.txt" --platform all --name small --version 1.0.0 --output "$T/layer.sqsh"
	[ "$status" = 0 ] && unsquashfs -q -n -d "$1" "$T/layer.sqsh" >"$T/out" 2>&1
}
