#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every command of every example is run as it is written (the blocks marked "sh" of examples/*/README.md), on a machine with no network: /etc,
# /run, /var and /usr/local are private; registries are one larderd on loopback, which skopeo is pointed at.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
in_namespaces "$@"
requires mksquashfs jq skopeo busybox containerd podman curl sfdisk

mount -t tmpfs tmpfs /mnt && cleanup umount -l /mnt
private() { # DIR: what is written there is gone with the test
	local name=upper${1//\//-}
	mkdir -p "/mnt/$name/upper" "/mnt/$name/work"
	mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/$name/upper,workdir=/mnt/$name/work" "$1"
}
fresh_machine() {
	local directory
	for directory in /etc /usr/local /var/lib; do
		umount "$directory" 2>/dev/null
		rm -rf "/mnt/upper${directory//\//-}"
		private "$directory" || return 1
	done
	for layer in /run/larder/gen/* /run/larder/layers/*; do umount -l "$layer"; done 2>/dev/null
	mountpoint -q /mnt/run || { mkdir -p /mnt/run && mount -t tmpfs tmpfs /run && mkdir -p /mnt/run && mount --bind /run /mnt/run; }
	rm -rf /run/larder
	mkdir -p /run/larder/volume/layers /run/larder/volume/.tmp
	echo 1 >/run/larder/volume/format
	rm -rf /etc/larder
	mkdir -p /etc/containers/registries.conf.d
	echo '{"default":[{"type":"insecureAcceptAnything"}]}' >/etc/containers/policy.json
	local host
	for host in registry.k8s.io docker.io quay.io ghcr.io; do
		printf '[[registry]]\nprefix = "%s"\nlocation = "127.0.0.1:5000/%s"\ninsecure = true\n' $host $host
	done >/etc/containers/registries.conf.d/zzz-test.conf
}
end_machine() {
	local layer
	for layer in /run/larder/gen/* /run/larder/layers/*; do umount -l "$layer"; done
}
cleanup end_machine
fresh_machine || { note "$(cat /proc/mounts)"; fail "a private machine"; done_testing; }

# The registries of this small world: every image that an example may name.
images=$(
	{
		cat "$LARDER_SOURCE/examples/k3s/k3s-images.txt"
		printf '%s\n' registry.k8s.io/{kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy}:v1.34.2 \
			registry.k8s.io/coredns/coredns:v1.12.1 registry.k8s.io/pause:3.10.1 registry.k8s.io/etcd:3.6.5-0 \
			quay.io/acme/web:2.1 ghcr.io/acme/agent:3 ghcr.io/acme/app:1
		containerd config default | sed -n "s/.*sandbox\(_image\)\? = [\"']\([^\"']*\).*/\2/p"
	} | sort -u
)
make_image "$T/image" 1 example >/dev/null
for image in $images; do echo "$image=oci:$T/image:1"; done >"$T/world.txt"
check "the registries of this test" larder build --images "$T/world.txt" --output "$T/world.sqsh"
larderd --cache "$T/world.sqsh" --listen 127.0.0.1:5000 >"$T/larderd.log" 2>&1 &
cleanup kill $!
until_true 20 curl -sf http://127.0.0.1:5000/readyz

# example NAME: runs its blocks, one check a command, in a copy of its directory.
example() {
	local name=$1 line block=0
	cp -r "$LARDER_SOURCE/examples/$name" "$T/$name" && cd "$T/$name" || return
	while IFS= read -r line; do
		case $line in
		'```sh') block=1 ;;
		'```') block=0 ;;
		*)
			[ $block = 1 ] || continue
			check "$name: $line" bash -o pipefail -c "$line"
			cp "$T/out" "$T/last" && printf '%s\n' "$line" >>"$T/ran-$name"
			;;
		esac
	done <README.md
	[ "$(wc -l <"$T/ran-$name")" -ge "$2" ]
	status=0 verdict $? "$name: the commands of its text were run"
}

# kubeadm is not packaged here: a program that answers the two questions as 1.34 does.
cat >/usr/local/bin/kubeadm <<'SH'
#!/bin/sh
case $* in
"version --output short") echo v1.34.2 ;;
"config images list --config "*)
	[ -r "$5" ] || exit 1
	for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do echo "registry.k8s.io/$name:v1.34.2"; done
	printf 'registry.k8s.io/%s\n' coredns/coredns:v1.12.1 pause:3.10.1 etcd:3.6.5-0
	;;
*) echo "asked in a way that needs a network: $*" >&2; exit 1 ;;
esac
SH
chmod +x /usr/local/bin/kubeadm
example kubeadm 8
check_equal "kubeadm: nothing is missing" "$(cat "$T/last")" "nothing is missing"
check_equal "kubeadm: the list has its seven images" "$(grep -c . "$T/kubeadm/images.txt")" \
	"$(printf '%s\n' 7 "$(containerd config default | grep -c 'pause:3.10.1"')" | paste -sd' ' | awk '{ print $2 ? 7 : 8 }')"
check_equal "kubeadm: the layer is active" "$(larder layers --output json | jq -r '.layers[] | select(.state == "active").name')" kubeadm

# A machine whose only runtime is k3s.
fresh_machine
private /usr/bin
rm -rf /usr/bin/containerd /etc/containerd
mkdir -p /etc/rancher/k3s
example k3s 9
umount -l /usr/bin
check_equal "k3s: nothing is missing" "$(cat "$T/last")" "nothing is missing"
check_equal "k3s: registries.yaml asks the cache first" \
	"$(python3 -c 'import re; print(re.findall(r"http[^\"]*", open("/etc/rancher/k3s/registries.yaml").read())[0])')" http://127.0.0.1:3172

fresh_machine
example quadlet 10
check_equal "quadlet: nothing is missing" "$(cat "$T/last")" "nothing is missing"
check "quadlet: podman's own settings ask the cache" grep -q '127.0.0.1:3172/quay.io' /etc/containers/registries.conf.d/zz-larder.conf

fresh_machine
mkdir -p "$T/image-builder.root/etc/kubernetes/manifests" "$T/image-builder.root/usr/bin"
touch "$T/image-builder.root/usr/bin/podman"
printf 'kind: Pod\nspec: {containers: [{image: "ghcr.io/acme/app:1"}]}\n' >"$T/image-builder.root/etc/kubernetes/manifests/app.yaml"
ln -s "$T/image-builder.root" "$T/root"
cp -r "$LARDER_SOURCE/examples/image-builder" "$T/builder"
check "image-builder: the command of its text" bash -c "cd '$T/builder' && ln -s '$T/root' root && $(sed -n '/^```sh$/,/^```$/p' "$T/builder/README.md" | sed '1d;$d')"
check_equal "image-builder: the layer has what the root needs and what was added" \
	"$(unsquashfs -cat "$T/root/usr/lib/larder/layers/000-site-1.sqsh" larder/layers/site.yaml | grep -o 'ghcr.io/acme/[a-z]*:[0-9]' | sort -u | xargs)" \
	"ghcr.io/acme/agent:3 ghcr.io/acme/app:1"
check_equal "image-builder: the disk has one partition, finished" "$(sfdisk --json "$T/builder/cache.img" | jq -r '.partitiontable.partitions[].name')" IMAGECACHE
check "image-builder: podman in it asks the cache" test -e "$T/root/etc/containers/registries.conf.d/zz-larder.conf"
before=$(sfdisk --dump "$T/builder/cache.img") sum=$(sha256sum <"$T/root/usr/lib/larder/layers/000-site-1.sqsh")
(cd "$T/builder" && ROOT=$T/root sh build-image.sh) >"$T/out" 2>&1
check_equal "image-builder: a second build gives a disk with the same identifiers" "$(sfdisk --dump "$T/builder/cache.img")" "$before"
check_equal "image-builder: and the same layer" "$(sha256sum <"$T/root/usr/lib/larder/layers/000-site-1.sqsh")" "$sum"

cd "$LARDER_SOURCE" || exit 1
for example in examples/*/; do
	check "$(basename "$example") was run here" grep -q "\"\$T/\|example $(basename "$example")\|examples/$(basename "$example")" tests/root/examples.sh
done
done_testing
