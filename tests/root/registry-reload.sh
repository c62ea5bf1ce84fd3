#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# SIGHUP: a cache that was replaced is served from then on, no request fails for it, and what is being sent comes whole.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
requires curl python3 mksquashfs unsquashfs busybox
in_namespaces "$@"

# Two stores: both have two images, the first one also a large blob, the second one also a third image.
check "a store is made" small_store "$T/first"
check "an image is made" make_image "$T/new" 2 "three"
printf 'docker.io/library/new:2=oci:%s:2\n' "$T/new" >"$T/images2.txt"
check "and a layer of it" larder build --images "$T/images2.txt" --name more --version 1.0.0 --output "$T/more.sqsh"
unsquashfs -q -n -d "$T/second" "$T/more.sqsh" >"$T/out" 2>&1
cp -r "$T/first/." "$T/second"
blob=$(cd "$T/second/blob" && find . -type f -printf '%s %f\n' | sort -n | tail -1 | cut -d' ' -f2)
head -c 67108864 /dev/urandom >"$T/large"
large=$(sha256sum "$T/large" | cut -d' ' -f1)
mv "$T/large" "$T/first/blob/sha256-$large"
for store in first second; do
	mksquashfs "$T/$store" "$T/$store.sqsh" -quiet -no-progress -noI -noD -noF -no-fragments -b 1M >"$T/out" 2>&1
done

# put STORE: it takes the place of what is served, as one would do it: a directory is renamed, a file replaced by rename.
put() {
	if [ "$kind" = tree ]; then
		[ -z "$there" ] || mv "$T/served" "$T/$there"
		mv "$T/$1" "$T/served"
	else
		cp "$T/$1.sqsh" "$T/.next" && mv -T "$T/.next" "$T/served"
	fi
	there=$1
}
reloads() { grep -c 'larderd: reloaded$\|^reloaded$' "$T/$kind.log"; }
reload() {
	local before
	before=$(reloads)
	kill -HUP "$larderd_pid"
	until_true 60 eval "[ \$(reloads) -gt $before ]"
}
status_of() { http_status "$url$1"; }

check_reloads() { # tree|image
	kind=$1 there=
	local i clients=() slow bad=0 turn=second
	put first
	rm -f "$T/stop" "$T/go" "$T/begun"
	check "$kind: larderd starts" start_larderd "$kind" --cache "$T/served"
	check_equal "$kind: an image is there, a third one is not" \
		"$(status_of /v2/library/busybox/manifests/1.36) $(status_of /v2/library/new/manifests/2)" "200 404"
	for i in 1 2 3; do
		"$LARDER_SOURCE/tests/lib/keep-asking.py" "$address" "$T/stop" /v2/library/busybox/manifests/1.36 /v2/acme/app/manifests/v1 \
			"/v2/x/blobs/sha256:${blob#sha256-}" >"$T/asked.$i" 2>&1 &
		clients[i]=$!
	done
	"$LARDER_SOURCE/tests/lib/slow-client.py" "$address" "/v2/x/blobs/sha256:$large" sh -c "
		: >'$T/begun'; while [ -d '$T' ] && [ ! -e '$T/go' ]; do sleep 0.1; done" >"$T/slow" 2>&1 &
	slow=$!
	check "$kind: a client is in the middle of a large blob" until_true 60 test -e "$T/begun"

	put second
	check_equal "$kind: replaced, what was there is served until it is told to reload" \
		"$(status_of /v2/library/busybox/manifests/1.36) $(status_of /v2/library/new/manifests/2)" "200 404"
	check "$kind: it reloads" reload
	check_equal "$kind: the third image is there" \
		"$(status_of /v2/library/busybox/manifests/1.36) $(status_of /v2/library/new/manifests/2)" "200 200"
	check_equal "$kind: what is gone is not offered any more" "$(status_of "/v2/x/blobs/sha256:$large")" 404
	check "$kind: but it is still being sent" kill -0 "$slow"
	for i in 1 2 3 4 5 6 7 8; do
		[ $turn = first ] && turn=second || turn=first
		put $turn
		reload || bad=$((bad + 1))
		[ "$(status_of /v2/library/new/manifests/2)" = "$([ $turn = first ] && echo 404 || echo 200)" ] || bad=$((bad + 1))
	done
	check_equal "$kind: eight more times, each time at once" "$bad" 0
	touch "$T/go" "$T/stop"
	check "$kind: the client of the large blob ends" wait "$slow"
	check_equal "$kind: and has all of it" "$(cat "$T/slow")" "200 whole"
	wait "${clients[@]}"
	check_equal "$kind: no request failed" "$(awk '{ n += $2 } END { print NR, n + 0 }' "$T"/asked.*)" "3 0"
	check "$kind: and there were many" test "$(awk '{ n += $1 } END { print n + 0 }' "$T"/asked.*)" -gt 30
	[ "$tap_failed" = 0 ] || note "$(cat "$T"/asked.*)"
	check "$kind: it ends" stop_larderd
}
# Images first: of a tree what is served is moved away.
check_reloads image
rm "$T/served"
check_reloads tree
done_testing
