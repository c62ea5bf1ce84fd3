#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a machine needs to start, and what of it the cache has not: programs are asked without a network, the list builds a layer, and with
# that layer nothing is missing.
. "$LARDER_SOURCE/tests/lib/tap.sh"
. "$LARDER_SOURCE/tests/lib/images.sh"
. "$LARDER_SOURCE/tests/lib/layers.sh"
. "$LARDER_SOURCE/tests/lib/registry.sh"
in_namespaces "$@"
requires mksquashfs jq skopeo busybox containerd chroot curl

# Captured machines: what each needs, as a list and with who and where.
for machine in "$LARDER_SOURCE"/tests/expected/needs/*/; do
	name=$(basename "$machine")
	check "$name" larder images default --root "$machine/root" --verbose
	check_equal "$name: who needs what" "$(cat "$T/stdout")" "$(cat "$machine/table")"
	check_equal "$name: notes" "$(cat "$T/stderr")" "$(cat "$machine/notes")"
	check "$name: the list" larder images default --root "$machine/root"
	check_equal "$name: each once" "$(sort "$T/stdout" | uniq -d)" ""
	check_equal "$name: all of them" "$(sort -u "$T/stdout")" "$(sed 1d "$machine/table" | cut -d' ' -f1 | sort -u)"
done

# This machine's containerd says what it would do, without a config and without a network.
mount -t tmpfs tmpfs /etc/containerd 2>/dev/null && cleanup umount /etc/containerd
check "the default of containerd" larder images default --output json
check_equal "is what it says itself" "$(jq -r '.[] | select(.needed_by[].file == "/usr/bin/containerd").reference' "$T/stdout")" \
	"$(containerd config default | sed -n "s/.*sandbox\(_image\)\? = [\"']\([^\"']*\).*/\2/p" | head -1)"

# kubeadm in another root, which writes down what it was asked. It is a script for that root's shell.
R=$T/kubeadm
mkdir -p "$R/bin" "$R/usr/bin" "$R/etc/kubernetes"
cp "$(command -v busybox)" "$R/bin/busybox" && ln -s busybox "$R/bin/sh"
cat >"$R/usr/bin/kubeadm" <<'SH'
#!/bin/sh
echo "$*" >>/asked
case $* in
version*) echo "${KUBEADM_SAYS:-v1.34.2}" ;;
*) echo "W1125 a warning" >&2; printf 'registry.k8s.io/%s\n' kube-apiserver:v1.34.2 pause:3.10 ;;
esac
SH
chmod +x "$R/usr/bin/kubeadm"
check "programs of another root are not run" larder images default --root "$R"
check_output "but named" "only /usr/bin/kubeadm could say, and programs of another root are run with --run-in-root alone"
check_equal "really not" "$(cat "$R/asked" 2>/dev/null)" ""
check "--run-in-root runs them" larder images default --root "$R" --run-in-root
check_equal "the list of kubeadm" "$(cat "$T/stdout")" $'registry.k8s.io/kube-apiserver:v1.34.2\nregistry.k8s.io/pause:3.10'
check_equal "it is told a version, so that it asks nobody" "$(cat "$R/asked")" \
	$'version --output short\nconfig images list --kubernetes-version v1.34.2'
rm "$R/asked"
printf 'kind: ClusterConfiguration\nimageRepository: mirror.local/k8s\n' >"$R/etc/kubernetes/kubeadm.yaml"
larder images default --root "$R" --run-in-root >/dev/null 2>&1
check_equal "a config without a version gives the repository" "$(tail -1 "$R/asked")" \
	"config images list --kubernetes-version v1.34.2 --image-repository mirror.local/k8s"
check "and with no image of dns or etcd" larder images default --root "$R" --run-in-root
check_no_output "there is nothing to say" "are not counted"
printf 'kind: ClusterConfiguration\netcd: {local: {imageTag: 3.6.9-0}}\n' >"$R/etc/kubernetes/kubeadm.yaml"
check "a config without a version, with an image of etcd" larder images default --root "$R" --run-in-root
check_output "is named, with what to do" "kubeadm.yaml: its images of dns and etcd are not counted, .*: write kubernetesVersion: v1.34.2"
printf 'kind: ClusterConfiguration\nkubernetesVersion: stable-1.34\n' >"$R/etc/kubernetes/kubeadm.yaml"
larder images default --root "$R" --run-in-root >/dev/null 2>&1
check_equal "\"stable\" is a question to the internet, and not asked" "$(tail -1 "$R/asked")" \
	"config images list --kubernetes-version v1.34.2"
printf 'kind: ClusterConfiguration\nkubernetesVersion: v1.33.0\n' >"$R/own.yaml"
larder images default --root "$R" --run-in-root --kubeadm-config /own.yaml >/dev/null 2>&1
check_equal "a config with a version is used as it is" "$(tail -1 "$R/asked")" "config images list --config /own.yaml"
check_status 2 "a config that is not there" larder images default --root "$R" --kubeadm-config /none.yaml
check_output "is named" "/none.yaml: there is no such file below"
check_status 2 "a relative one is wrong usage" larder images default --root "$R" --kubeadm-config none.yaml
printf '#!/bin/sh\nexit 3\n' >"$R/usr/bin/kubeadm"
check "a kubeadm that fails is a note" larder images default --root "$R" --run-in-root
check_output "with its status" "the images of kubeadm: .*kubeadm.*status 3|the images of kubeadm: .*3"

# A unit that is masked, where links lead to places that are others without the root.
R=$T/masked
mkdir -p "$R"/{dev,etc,opt/larder-units/system,usr/lib/systemd/system}
mknod "$R/dev/null" c 1 3
ln -s /opt/larder-units "$R/etc/systemd"
ln -s /dev/null "$R/opt/larder-units/system/web.service"
printf '[Service]\nExecStart=/usr/bin/podman run a.io/web:1\n' >"$R/usr/lib/systemd/system/web.service"
check "a unit that is masked below a link" larder images default --root "$R"
check_equal "needs nothing, and is no riddle" "$(cat "$T/out")" "larder: nothing on this machine names an image that it needs to start"
rm "$R/opt/larder-units/system/web.service"
check "the same without the mask" larder images default --root "$R"
check_equal "needs its image" "$(cat "$T/out")" a.io/web:1

# The whole recipe: default | build, then nothing is missing. The registry is a larderd with the images.
make_image "$T/app" 1 app >/dev/null
make_image "$T/tool" 2 tool >/dev/null
printf '%s\n' "localhost:5000/app:1=oci:$T/app:1" "localhost:5000/tool:2=oci:$T/tool:2" >"$T/source.txt"
check "a source of images" larder build --images "$T/source.txt" --output "$T/source.sqsh"
larderd --cache "$T/source.sqsh" --listen 127.0.0.1:5000 >"$T/larderd.log" 2>&1 &
cleanup kill $!
until_true 20 curl -sf http://127.0.0.1:5000/readyz
layers_start
layers_config
mkdir -p "$T/root/etc/kubernetes/manifests" "$T/root/etc/containers/systemd"
printf 'kind: Pod\nspec: {containers: [{image: "localhost:5000/app:1"}]}\n' >"$T/root/etc/kubernetes/manifests/app.yaml"
printf '[Container]\nImage=localhost:5000/tool:2\n' >"$T/root/etc/containers/systemd/tool.container"
check_status 1 "with an empty cache" L images missing
check_output "everything is missing" "localhost:5000/app:1 +not cached +- +- +static pod"
check "the recipe" bash -o pipefail -c "larder images default --root '$T/root' | larder build --images - --insecure --output '$T/needed-1.sqsh'"
check_output "has both" "2 images"
check "its layer is added" L layers add "$T/needed-1.sqsh"
check "nothing is missing" L images missing
check_output "and it says so" "nothing is missing"

# By digest, a need is met by the tag of that digest; a part that is lost is another kind of missing.
digest=$(L images --output json | jq -r '.[] | select(.reference == "localhost:5000/app:1").digest')
printf '[Container]\nImage=localhost:5000/app@%s\n' "$digest" >"$T/root/etc/containers/systemd/by-digest.container"
check "a digest that is cached under a tag" L images missing
printf '[Container]\nImage=localhost:5000/app@sha256:%064d\n' 1 >"$T/root/etc/containers/systemd/by-digest.container"
check_status 1 "another digest" L images missing --output json
check_equal "is not cached" "$(jq -c '.[] | [.reference[0:18], .state, .needed_by[0].who]' "$T/stdout")" \
	'["localhost:5000/app","not cached","quadlet by-digest.container"]'
rm "$T/root/etc/containers/systemd/by-digest.container"
mkdir "$T/tree" && unsquashfs -q -n -f -d "$T/tree" "$T/needed-1.sqsh" >/dev/null
cp -r "$T/tree/blob" "$T/tree/manifests" "$T/run/volume/"
L layers prune >/dev/null 2>&1
rm -rf "$T/run/volume/layers/"* "$T/run/volume/blob/"*
L layers sync >/dev/null 2>&1
check_status 1 "lost blobs" L images missing --output json
check_equal "are incomplete images, and say who needs them" "$(jq -r '.[] | [.state, (.missing | length > 0), .needed_by[0].who] | join(" ")' "$T/stdout" | sort -u)" \
	$'incomplete true quadlet tool.container\nincomplete true static pod'

# An index needs the manifest that this machine takes, whatever it has for others; one that has nothing for this machine needs any of them.
repository=$T/run/volume/manifests/localhost_5000_/app
item() { printf '{"digest":"sha256:%s","size":9,"platform":{"os":"linux","architecture":"%s"}}' "$1" "$2"; }
index() { # TAG ITEM ITEM
	printf '{"schemaVersion":2,"manifests":[%s,%s]}' "$2" "$3" >"$repository/reference/$1"
	cp "$repository/reference/$1" "$repository/digest/sha256-$(sha256sum <"$repository/reference/$1" | cut -d' ' -f1)"
}
empty=$(printf '{}' | sha256sum | cut -d' ' -f1)
mkdir -p "$T/run/volume/blob" && printf '{}' >"$T/run/volume/blob/sha256-$empty"
printf '{"schemaVersion":2,"config":{"digest":"sha256:%s","size":2},"layers":[]}' "$empty" >"$T/whole"
whole=$(sha256sum <"$T/whole" | cut -d' ' -f1)
cp "$T/whole" "$repository/digest/sha256-$whole"
# No tag has that manifest; who asks for its digest gets it.
state_of() { L images missing --output json >"$T/stdout"; jq -r --arg r "$1" '.[] | select(.reference == $r) | [.state, .missing[0], .needed_by[0].who] | join(" ")' "$T/stdout"; } # REFERENCE
printf '[Container]\nImage=localhost:5000/app@sha256:%s\n' "$whole" >"$T/root/etc/containers/systemd/by-digest.container"
check_equal "a digest without a tag is not missing" "$(state_of "localhost:5000/app@sha256:$whole")" ""
mv "$T/run/volume/blob/sha256-$empty" "$T/empty"
check_equal "without one of its blobs it is incomplete" "$(state_of "localhost:5000/app@sha256:$whole")" \
	"incomplete blob sha256:$empty quadlet by-digest.container"
mv "$T/empty" "$T/run/volume/blob/sha256-$empty"
rm "$T/root/etc/containers/systemd/by-digest.container"
nowhere=$(printf %064d 7)
index others "$(item "$nowhere" "$(image_host_arch)")" "$(item "$whole" mips)"
index host "$(item "$nowhere" mips)" "$(item "$whole" "$(image_host_arch)")"
index no-host "$(item "$nowhere" mips)" "$(item "$whole" s390)"
index nothing "$(item "$nowhere" mips)" "$(item "${nowhere}" s390)"
check_status 1 "indexes of which something is missing" L images missing --output json
check_equal "are those that lack this machine's platform, or all of them" \
	"$(jq -r '.[] | select(.reference | test("app:(host|no-host|others|nothing)$")) | [.reference, .state, .missing[]] | join(" ")' "$T/stdout" | sort)" \
	"localhost:5000/app:nothing incomplete manifest sha256:$nowhere"$'\n'"localhost:5000/app:others incomplete manifest sha256:$nowhere"
done_testing
