#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# larder build on a terminal, while a slow registry sends: which image, how many bytes, how fast, how long still. And who does not look
# costs the registry no question.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
requires skopeo python3 script busybox
head -c 3000000 /dev/urandom >"$T/extra.bin"
mkdir "$T/many" "$T/one"
IMAGE_EXTRA=$T/extra.bin make_image "$T/many" tag many amd64 riscv64 >/dev/null
head -c 3000000 /dev/urandom >"$T/extra.bin"
IMAGE_EXTRA=$T/extra.bin make_image "$T/one" tag one riscv64 >/dev/null
# A registry of these layouts that sends what is large in pieces, 3 MB in about 4 s.
python3 - "$T" >"$T/port" 2>"$T/registry.log" <<'END' &
import http.server, json, os, sys, time
root = sys.argv[1]
class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_GET(self):
        parts = self.path.split("/")
        if self.path in ("/v2/", "/v2"):
            return self.answer(200, "application/json", b"{}")
        layout = "%s/%s" % (root, parts[2])
        if parts[3] == "manifests":
            with open(root + "/asked", "a") as f: f.write("%s %s\n" % (self.command, self.path))
            digest = parts[4]
            if ":" not in digest:
                digest = json.load(open(layout + "/index.json"))["manifests"][0]["digest"]
            body = open("%s/blobs/sha256/%s" % (layout, digest[7:]), "rb").read()
            return self.answer(200, json.loads(body)["mediaType"], body, digest)
        body = open("%s/blobs/sha256/%s" % (layout, parts[4][7:]), "rb").read()
        self.answer(200, "application/octet-stream", body, parts[4])
    def answer(self, status, kind, body, digest=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if digest: self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if self.command == "HEAD": return
        for at in range(0, len(body), 75000):
            self.wfile.write(body[at:at + 75000])
            self.wfile.flush()
            if len(body) > 2000000: time.sleep(0.1)
    do_HEAD = do_GET
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
END
registry=$!
cleanup "kill $registry"
until_true 20 test -s "$T/port"
port=$(cat "$T/port")
# on_terminal CMD…: what was drawn, one state a line.
on_terminal() { script --quiet --return --command "$*" /dev/null </dev/null | tr '\r' '\n' | sed 's/\x1b\[K//g' >"$T/out"; }
figures='[0-9.]+ [KM]iB of 2.9 MiB, [0-9]+ %, [0-9.]+ ([KM]i)?B/s, [0-9]+ s left$'

for image in many one; do
	echo "ghcr.io/acme/$image:1=docker://127.0.0.1:$port/$image:tag" >"$T/list"
	: >"$T/asked"
	on_terminal larder build --images "$T/list" --output "$T/$image-1.sqsh" --platform all --insecure
	check_output "$image: image, bytes, rate and time left while it is fetched" "^fetching ghcr.io/acme/$image:1: $figures"
	check_equal "$image: more than once" "$([ "$(grep -c "^fetching .* left$" "$T/out")" -gt 3 ] && echo yes)" yes
	check_equal "$image: bytes grow" "$(sed -n 's/^fetching .* \([0-9]*\) %, .*/\1/p' "$T/out" | head -4 | sort -nc 2>&1)" ""
	check_equal "$image: never more than all" "$(sed -n 's/^fetching .* \([0-9]*\) %, .*/\1/p' "$T/out" | awk '$1 > 100')" ""
	check "$image: and it ends well" test -s "$T/$image-1.sqsh"
	watched=$(grep -c GET "$T/asked")
	: >"$T/asked"
	check "$image: without a terminal" larder build --images "$T/list" --output "$T/$image-2.sqsh" --name "$image" --platform all --insecure
	check_no_output "$image: nothing is drawn" "fetching"
	case $image in # what is in an index has sizes of its own
	many) check "$image: and the registry is asked less" test "$(grep -c GET "$T/asked")" -lt "$watched" ;;
	one) check_equal "$image: and the registry is asked no less: it had told the size" "$(grep -c GET "$T/asked")" "$watched" ;;
	esac
done

# An archive, unpacked by a skopeo that does not end at once.
skopeo copy --quiet --override-arch riscv64 "oci:$T/one:tag" "docker-archive:$T/one.tar:acme/one:1"
skopeo copy --quiet --override-arch riscv64 "oci:$T/one:tag" "oci-archive:$T/one.oci.tar"
mkdir "$T/slow"
printf '#!/bin/sh\n"%s" "$@"\nstatus=$?\nsleep 2\nexit $status\n' "$(command -v skopeo)" >"$T/slow/skopeo"
chmod +x "$T/slow/skopeo"
for archive in docker-archive:one.tar oci-archive:one.oci.tar; do
	echo "ghcr.io/acme/one:1=${archive%%:*}:$T/${archive#*:}" >"$T/list"
	PATH=$T/slow:$PATH on_terminal larder build --images "$T/list" --output "$T/${archive#*:}.sqsh" --platform all
	check_output "$archive: image, bytes, rate and time left while it is unpacked" \
		"^fetching ghcr.io/acme/one:1: [0-9.]+ [KM]iB of [0-9.]+ MiB, [0-9]+ %, [0-9.]+ ([KM]i)?B/s, [0-9]+ s left$"
	check "$archive: and it ends well" test -s "$T/${archive#*:}.sqsh"
done
echo "ghcr.io/acme/one:1=docker-archive:$T/one.tar:acme/one:1" >"$T/list"
PATH=$T/slow:$PATH on_terminal larder build --images "$T/list" --output "$T/chosen.sqsh" --platform all
check_output "one image of an archive, of which nobody knows how much will come out: bytes and rate" \
	"^fetching ghcr.io/acme/one:1: [0-9.]+ [KM]iB, [0-9.]+ ([KM]i)?B/s$"
check_no_output "and no time left" "s left$"
done_testing
