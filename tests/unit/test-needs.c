/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What machines need, by the files on them: each case is a root directory, and the lines that come out. */
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "needs/command_line.h"
#include "needs/environment_file.h"
#include "needs/needs.h"
#include "needs/unit_file.h"

#define FILES_MAX 12

struct file {
	const char *path, *text; /* text "-> x": a symbolic link */
};

struct machine {
	const char *name;
	struct file files[FILES_MAX];
	const char *expected; /* "REFERENCE by WHO in FILE\n"…, then "note: …\n"… */
};

static void put(int dir, const struct file *file)
{
	assert_int_equal(mkdir_parents_at(dir, file->path, 0755), 0);
	if (strncmp(file->text, "-> ", 3) == 0)
		assert_int_equal(symlinkat(file->text + 3, dir, file->path), 0);
	else
		assert_int_equal(
			write_file_atomic_at(dir, file->path, file->text, strlen(file->text), 0644),
			0);
}

static char *describe(const struct needs *needs)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	for (size_t i = 0; i < needs->n_needs; i++)
		fprintf(f, "%s by %s in %s\n", needs->needs[i].reference, needs->needs[i].who,
			needs->needs[i].file);
	STRV_FOREACH (note, needs->notes)
		fprintf(f, "note: %s\n", *note);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void check_machine(const struct machine *m)
{
	char path[] = "/tmp/larder-needs-XXXXXX";
	_cleanup_needs_ struct needs needs = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	const struct needs_options options = { .root = path };

	assert_non_null(mkdtemp(path));
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	for (size_t i = 0; i < FILES_MAX && m->files[i].path; i++)
		put(dir, &m->files[i]);
	if (needs_read(&options, &needs, &diag) < 0)
		fail_msg("%s: %s", m->name, diag_text(&diag));
	_cleanup_free_ char *text = describe(&needs);
	if (strcmp(text, m->expected) != 0)
		fail_msg("%s:\n%s\nexpected:\n%s", m->name, text, m->expected);
	close_fd(dir);
	assert_int_equal(remove_tree_at(AT_FDCWD, path), 0);
}

#define CONTAINERD "etc/containerd/config.toml"
#define PAUSE	   "registry.k8s.io/pause:3.10"

static const struct machine machines[] = {
	{ "an empty machine", { { 0 } }, "" },
	{ "containerd, version 1",
	  { { CONTAINERD, "[plugins.cri]\n  sandbox_image = \"k8s.gcr.io/pause:3.1\"\n" } },
	  "k8s.gcr.io/pause:3.1 by containerd in /etc/containerd/config.toml\n" },
	{ "containerd, version 2, dotted keys and CRLF",
	  { { CONTAINERD,
	      "version = 2\r\n"
	      "plugins.\"io.containerd.grpc.v1.cri\".sandbox_image = '" PAUSE "'\r\n" } },
	  PAUSE " by containerd in /etc/containerd/config.toml\n" },
	{ "containerd, version 3",
	  { { CONTAINERD, "version = 3\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n"
			  "sandbox = \"pause:1\"\n" } },
	  "docker.io/library/pause:1 by containerd in /etc/containerd/config.toml\n" },
	{ "containerd: what is imported counts more, and each file counts once",
	  { { CONTAINERD, "imports = [\"conf.d/*.toml\", \"/opt/more.toml\", \"config.toml\"]\n"
			  "[plugins.cri]\nsandbox_image = \"a.io/a:1\"\n" },
	    { "etc/containerd/conf.d/10.toml", "[plugins.cri]\nsandbox_image = \"a.io/a:2\"\n" },
	    { "etc/containerd/conf.d/20.toml", "[plugins.cri]\nsandbox_image = \"\"\n" },
	    { "etc/containerd/conf.d/30.txt", "[plugins.cri]\nsandbox_image = \"a.io/a:3\"\n" } },
	  "a.io/a:2 by containerd in /etc/containerd/conf.d/10.toml\n" },
	{ "containerd as Docker brings it",
	  { { CONTAINERD,
	      "disabled_plugins = [\"cri\"]\n[plugins.cri]\nsandbox_image = \"a\"\n" } },
	  "" },
	{ "containerd without a setting, of another root",
	  { { "usr/bin/containerd", "" } },
	  "note: the sandbox image of containerd: only /usr/bin/containerd could say, and programs "
	  "of another root are run with --run-in-root alone\n" },
	{ "containerd: broken, and in an inline table",
	  { { CONTAINERD, "plugins = { cri = { sandbox_image = \"a\" } }\n" },
	    { "var/lib/rancher/k3s/agent/etc/containerd/config.toml", "[plugins\n" } },
	  "note: /etc/containerd/config.toml:1: an inline table is not read here; if it names a "
	  "sandbox image, add that to the list\n"
	  "note: /var/lib/rancher/k3s/agent/etc/containerd/config.toml is not read: line 1: ] is "
	  "expected here\n" },
	{ "containerd of k3s",
	  { { "var/lib/rancher/k3s/agent/etc/containerd/config.toml",
	      "version = 3\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n"
	      "sandbox = \"rancher/mirrored-pause:3.6\"\n" } },
	  "docker.io/rancher/mirrored-pause:3.6 by containerd in "
	  "/var/lib/rancher/k3s/agent/etc/containerd/config.toml\n" },
	{ "CRI-O: the last drop-in",
	  { { "etc/crio/crio.conf", "[crio.image]\npause_image = \"a.io/p:1\"\n" },
	    { "etc/crio/crio.conf.d/10-a.conf", "[crio.image]\npause_image = \"a.io/p:2\"\n" },
	    { "etc/crio/crio.conf.d/2-b.conf", "[crio]\n[crio.image]\npause_command = \"/p\"\n" } },
	  "a.io/p:2 by CRI-O in /etc/crio/crio.conf.d/10-a.conf\n" },
	{ "CRI-O: drop-ins in the order of bytes",
	  { { "etc/crio/crio.conf.d/10-a.conf", "[crio.image]\npause_image = \"a.io/p:2\"\n" },
	    { "etc/crio/crio.conf.d/9-b.conf", "[crio.image]\npause_image = \"a.io/p:3\"\n" } },
	  "a.io/p:3 by CRI-O in /etc/crio/crio.conf.d/9-b.conf\n" },
	{ "Podman: the infra image of the last file that sets it",
	  { { "usr/share/containers/containers.conf", "[engine]\ninfra_image = \"a.io/i:1\"\n" },
	    { "etc/containers/containers.conf.d/10-a.conf",
	      "[engine]\ninfra_image = \"a.io/i:2\"\n" },
	    { "etc/containers/containers.conf.d/20-b", "[engine]\ninfra_image = \"a.io/i:3\"\n" } },
	  "a.io/i:2 by pods of Podman in /etc/containers/containers.conf.d/10-a.conf\n" },
	{ "Podman: no infra image is pulled, unless one is set",
	  { { "usr/share/containers/containers.conf", "[engine]\n#infra_image = \"a.io/i:1\"\n" },
	    { "etc/containers/containers.conf", "[containers]\ninfra_image = \"a.io/i:1\"\n" } },
	  "" },
	{ "static pods: every file but hidden ones, documents, lists, volumes, notes",
	  { { "etc/kubernetes/manifests/etcd.yaml",
	      "kind: Pod\nspec:\n  initContainers: [{image: 'a.io/init:1'}]\n  containers:\n"
	      "  - image: a.io/etcd:3\n    name: etcd\n  - name: none\n"
	      "  volumes: [{image: {reference: a.io/model:1}}]\n---\n---\n"
	      "kind: List\nitems:\n- kind: Pod\n  spec: {containers: [{image: a.io/two}]}\n" },
	    { "etc/kubernetes/manifests/x.json",
	      "{\"kind\":\"PodList\",\"items\":[{\"kind\":\"Pod\",\"spec\":{\"containers\":"
	      "[{\"image\":\"a.io/json@sha256:"
	      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}]}}]}" },
	    { "etc/kubernetes/manifests/.hidden.yaml", "kind: Pod\nspec: [" },
	    { "etc/kubernetes/manifests/bad.yaml", "kind: Pod\nspec: [\n" },
	    { "etc/kubernetes/manifests/link.yaml", "-> /etc/linked" },
	    { "etc/linked", "kind: Pod\nspec: {containers: [{image: 'a.io/${V}:1'}, {image: A}]}" },
	    { "var/lib/kubelet/config.yaml", "staticPodPath: /srv/pods\n" },
	    { "srv/pods/p", "kind: Pod\nspec: {containers: [{image: a.io/etcd:3}]}" } },
	  "a.io/etcd:3 by static pod in /etc/kubernetes/manifests/etcd.yaml\n"
	  "a.io/etcd:3 by static pod in /srv/pods/p\n"
	  "a.io/init:1 by static pod in /etc/kubernetes/manifests/etcd.yaml\n"
	  "a.io/json@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef by "
	  "static pod in /etc/kubernetes/manifests/x.json\n"
	  "a.io/model:1 by static pod in /etc/kubernetes/manifests/etcd.yaml\n"
	  "a.io/two:latest by static pod in /etc/kubernetes/manifests/etcd.yaml\n"
	  "note: /etc/kubernetes/manifests/bad.yaml is not read: line 3: this is not YAML: did not find expected node content, while parsing a flow node\n"
	  "note: /etc/kubernetes/manifests/link.yaml: the image \"a.io/${V}:1\" of static pod is a "
	  "template or holds a variable, so it cannot be known here\n"
	  "note: /etc/kubernetes/manifests/link.yaml: the image of static pod: \"A\": \"A\" is no repository (lower-case letters, digits and single separators . _ - within parts)\n" },
	{ "files that their programs cannot read either",
	  { { "var/lib/kubelet/config.yaml", "staticPodPath: [\n" },
	    { "etc/rancher/k3s/config.yaml", "pause-image: [\n" },
	    { "etc/containers/systemd/a.container",
	      "Image=a.io/early:1\n[Container]\nImage=a.io/a:1\n\x81\x01no setting\n" } },
	  "a.io/a:1 by quadlet a.container in /etc/containers/systemd/a.container\n"
	  "note: /var/lib/kubelet/config.yaml is not read: line 2: this is not YAML: did not find "
	  "expected node content, while parsing a flow node\n"
	  "note: /etc/rancher/k3s/config.yaml is not read: line 2: this is not YAML: did not find "
	  "expected node content, while parsing a flow node\n"
	  "note: /etc/containers/systemd/a.container: lines that are neither a section nor a setting "
	  "in one count nothing: 2\n" },
	{ "kubeadm of another root",
	  { { "usr/bin/kubeadm", "" },
	    { "etc/kubernetes/kubeadm.yaml",
	      "kind: InitConfiguration\n---\nkind: ClusterConfiguration\n"
	      "kubernetesVersion: stable-1\n" } },
	  "note: the images of kubeadm: only /usr/bin/kubeadm could say, and programs of another "
	  "root are run with --run-in-root alone\n" },
	{ "a config of kubeadm alone",
	  { { "etc/kubeadm.yaml", "kind: ClusterConfiguration\nkubernetesVersion: v1.34.2\n" } },
	  "note: /etc/kubeadm.yaml is there and kubeadm is not, which alone knows what images it "
	  "stands for\n" },
	{ "k3s: lists, archives, config, what it applies",
	  { { "var/lib/rancher/k3s/agent/images/k3s-images.txt",
	      "# a list\n  docker.io/rancher/klipper-lb:v0.4 \r\n\nrancher/mirrored-pause:3.6\n" },
	    { "var/lib/rancher/k3s/agent/images/k3s-airgap-images-amd64.tar.zst", "" },
	    { "usr/share/k3s/README.txt", "not an image\n" },
	    { "usr/share/k3s/k3s-images.txt", "rancher/mirrored-pause:3.6\nnot a ref!!\n" },
	    { "usr/share/k3s/old-images.txt", "-> /gone" },
	    { "etc/rancher/k3s/config.yaml", "pause-image: a.io/pause:9\n" },
	    { "var/lib/rancher/k3s/server/manifests/coredns.yaml",
	      "kind: Deployment\nspec: {template: {spec: {containers: [{image: a.io/dns:1}]}}}\n"
	      "---\nkind: ConfigMap\ndata: {image: nothing}\n" },
	    { "var/lib/rancher/k3s/server/manifests/more/cron.yml",
	      "kind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{image: "
	      "a.io/job:1}]}}}}}\n" } },
	  "a.io/dns:1 by k3s in /var/lib/rancher/k3s/server/manifests/coredns.yaml\n"
	  "a.io/job:1 by k3s in /var/lib/rancher/k3s/server/manifests/more/cron.yml\n"
	  "a.io/pause:9 by k3s in /etc/rancher/k3s/config.yaml\n"
	  "docker.io/rancher/klipper-lb:v0.4 by k3s in "
	  "/var/lib/rancher/k3s/agent/images/k3s-images.txt\n"
	  "docker.io/rancher/mirrored-pause:3.6 by k3s in /usr/share/k3s/k3s-images.txt\n"
	  "docker.io/rancher/mirrored-pause:3.6 by k3s in "
	  "/var/lib/rancher/k3s/agent/images/k3s-images.txt\n"
	  "note: /var/lib/rancher/k3s/agent/images/k3s-airgap-images-amd64.tar.zst: its images are "
	  "not listed here; k3s imports them at each start unless a cache layer has them: put the "
	  "list of the release (k3s-images.txt) in its place\n"
	  "note: /usr/share/k3s/k3s-images.txt: the image of k3s: \"not a ref!!\": \"not a ref!!\" is no repository (lower-case letters, digits and single separators . _ - within parts)\n"
	  "note: /usr/share/k3s/old-images.txt cannot be read: it is a link that leads nowhere\n" },
	{ "what a directory names and nobody can read",
	  { { "etc/kubernetes/manifests/gone.yaml", "-> ../gone.yaml" },
	    { "etc/containers/systemd/d.container/x", "" },
	    { "etc/systemd/system/d.service/x", "" },
	    { "etc/systemd/system/masked.service", "-> /gone" },
	    { "etc/systemd/system/linked.service", "-> /opt/units" },
	    { "opt/units/x", "" } },
	  "note: /etc/kubernetes/manifests/gone.yaml cannot be read: it is a link that leads nowhere\n"
	  "note: /etc/containers/systemd/d.container cannot be read: it is no regular file\n"
	  "note: /etc/systemd/system/d.service cannot be read: it is no regular file\n"
	  "note: /etc/systemd/system/linked.service cannot be read: it is no regular file\n" },
	{ "rke2 with a data directory of its own",
	  { { "etc/rancher/rke2/config.yaml",
	      "data-dir: /srv/rke2\nsystem-default-registry: reg.example:5000\n" },
	    { "srv/rke2/agent/images/etcd-image.txt", "rancher/hardened-etcd:v3.5\n" },
	    { "srv/rke2/agent/images/runtime-image.txt", "-> etcd-image.txt" },
	    { "var/lib/rancher/rke2/agent/pod-manifests/etcd.yaml",
	      "kind: Pod\nspec: {containers: [{image: a.io/etcd:1}]}" } },
	  "a.io/etcd:1 by static pod in /var/lib/rancher/rke2/agent/pod-manifests/etcd.yaml\n"
	  "docker.io/rancher/hardened-etcd:v3.5 by rke2 in /srv/rke2/agent/images/etcd-image.txt\n"
	  "docker.io/rancher/hardened-etcd:v3.5 by rke2 in "
	  "/srv/rke2/agent/images/runtime-image.txt\n"
	  "note: /etc/rancher/rke2/config.yaml: rke2 asks for its own images as "
	  "reg.example:5000/rancher/... (system-default-registry), and its lists have other names: "
	  "add those to the list\n" },
	{ "quadlets: precedence, drop-ins, subdirectories",
	  { { "etc/containers/systemd/web.container",
	      "[Unit]\nDescription=x \\\n# not here\n; nor here\n y\n[Container]\nImage = "
	      "a.io/web:1\nImage=a.io/web:2\n" },
	    { "usr/share/containers/systemd/web.container", "[Container]\nImage=a.io/web:0\n" },
	    { "etc/containers/systemd/sub/db-a.container", "[Container]\nImage=a.io/db:1\n" },
	    { "etc/containers/systemd/db-.container.d/10.conf", "[Container]\nImage=a.io/db:2\n" },
	    { "etc/containers/systemd/container.d/20.conf", "[Container]\nPull=never\n" },
	    { "etc/containers/systemd/sub/db-a.container.d/10.conf",
	      "[Container]\nImage=a.io/db:3\n" },
	    { "usr/share/containers/systemd/off.container", "[Container]\nImage=a.io/off:1\n" },
	    { "etc/containers/systemd/off.container", "-> /dev/null" },
	    { "etc/containers/systemd/pull.image", "[Image]\nImage=docker://a.io/pulled:1\n" },
	    { "etc/containers/systemd/users/1000/u.container", "[Container]\nImage=pull.image\n" },
	    { "etc/containers/systemd/data.volume",
	      "[Volume]\nDriver=image\nImage=a.io/data:1\n" } },
	  "a.io/data:1 by quadlet data.volume in /etc/containers/systemd/data.volume\n"
	  "a.io/db:3 by quadlet db-a.container in /etc/containers/systemd/sub/db-a.container\n"
	  "a.io/pulled:1 by quadlet pull.image in /etc/containers/systemd/pull.image\n"
	  "a.io/web:2 by quadlet web.container in /etc/containers/systemd/web.container\n" },
	{ "quadlets: variables, templates, short names, what is built here, kube",
	  { { "etc/containers/systemd/v.container",
	      "[Container]\nImage=a.io/v:${VERSION}\n[Service]\nEnvironment=\"VERSION=7\" X=1\n" },
	    { "etc/containers/systemd/w.container", "[Container]\nImage=a.io/w:${NOBODY}\n" },
	    { "etc/containers/systemd/t@.container", "[Container]\nImage=a.io/t:%i\n" },
	    { "etc/containers/systemd/s.container", "[Container]\nImage=nginx\n" },
	    { "etc/containers/systemd/l.container", "[Container]\nImage=localhost/mine:1\n" },
	    { "etc/containers/systemd/p.kube", "[Kube]\nYaml=p.yaml\nYaml=gone.yaml\n" },
	    { "etc/containers/systemd/p.yaml",
	      "kind: Pod\nspec: {containers: [{image: a.io/p:1}]}" } },
	  "a.io/p:1 by quadlet p.kube in /etc/containers/systemd/p.yaml\n"
	  "a.io/v:7 by quadlet v.container in /etc/containers/systemd/v.container\n"
	  "docker.io/library/nginx:latest by quadlet s.container in "
	  "/etc/containers/systemd/s.container\n"
	  "note: /etc/containers/systemd/l.container: the image \"localhost/mine:1\" of quadlet "
	  "l.container is built on this machine, so no registry has it\n"
	  "note: /etc/containers/systemd/p.kube: Yaml=gone.yaml cannot be found\n"
	  "note: /etc/containers/systemd/s.container: \"nginx\" names no registry, and podman may "
	  "take it from another than docker.io (containers-registries.conf(5)); write it in full\n"
	  "note: /etc/containers/systemd/t@.container: the image \"a.io/t:%i\" of quadlet "
	  "t@.container is a template or holds a variable, so it cannot be known here\n"
	  "note: /etc/containers/systemd/w.container: the image \"a.io/w:${NOBODY}\" of quadlet "
	  "w.container is a template or holds a variable, so it cannot be known here\n" },
	{ "quadlets: images that are mounted, and those of pods",
	  { { "etc/containers/systemd/m.container",
	      "[Container]\nImage=a.io/m:1\nMount=type=image,source=a.io/gone:1,destination=/g\n"
	      "Mount=\nMount=type=image,source=a.io/source:${TAG},destination=/s,rw=true\n"
	      "Mount=dst=/t,src=a.io/src:1,type=image \"type=image,source=a.io/word:1,dst=/w\"\n"
	      "Mount=type=bind,source=/a.io/bind:1,destination=/b\nMount=type=image,dst=/n\n"
	      "Mount=type=volume,source=data.volume,destination=/v\n"
	      "Mount=type=image,source=built.build,destination=/q\n"
	      "PodmanArgs=--mount type=image,src=a.io/args:1,dst=/a --mountless=a.io/no:1\n"
	      "PodmanArgs=--mount\n[Service]\nEnvironment=TAG=3\n" },
	    { "etc/containers/systemd/a.pod",
	      "[Pod]\nPodmanArgs=--cpus 2 --infra-image=a.io/pause:1 --infra-image-x=a.io/no:2\n" },
	    { "etc/containers/systemd/b.pod",
	      "[Pod]\nPodName=b\nPodmanArgs=--infra-image \"a.io/pause:2\"\n"
	      "PodmanArgs=--infra-image=\n" },
	    { "etc/containers/systemd/b.pod.d/x.conf",
	      "[Pod]\nPodmanArgs=--infra=true --infra-image\n" } },
	  "a.io/args:1 by quadlet m.container in /etc/containers/systemd/m.container\n"
	  "a.io/m:1 by quadlet m.container in /etc/containers/systemd/m.container\n"
	  "a.io/pause:1 by quadlet a.pod in /etc/containers/systemd/a.pod\n"
	  "a.io/pause:2 by quadlet b.pod in /etc/containers/systemd/b.pod\n"
	  "a.io/source:3 by quadlet m.container in /etc/containers/systemd/m.container\n"
	  "a.io/src:1 by quadlet m.container in /etc/containers/systemd/m.container\n"
	  "a.io/word:1 by quadlet m.container in /etc/containers/systemd/m.container\n"
	  "note: /etc/containers/systemd/m.container: built.build is built on this machine; the "
	  "images that it is built from are not looked for\n" },
	{ "quadlets whose file is a bare section or a comment, with drop-ins; an empty one is masked",
	  { { "etc/containers/systemd/p.pod", "[Pod]\n" },
	    { "etc/containers/systemd/p.pod.d/x.conf",
	      "[Pod]\nPodmanArgs=--infra-image=a.io/pause:1\n" },
	    { "etc/containers/systemd/c.container", "[Container]" },
	    { "etc/containers/systemd/c.container.d/x.conf", "[Container]\nImage=a.io/c:1\n" },
	    { "usr/share/containers/systemd/i.image", "[Image]\n" },
	    { "etc/containers/systemd/i.image.d/x.conf", "[Image]\nImage=a.io/i:1\n" },
	    { "etc/containers/systemd/k.kube", "# by the drop-in\n" },
	    { "etc/containers/systemd/k.kube.d/x.conf", "[Kube]\nYaml=/srv/k.yaml\n" },
	    { "srv/k.yaml", "kind: Pod\nspec: {containers: [{image: a.io/k:1}]}" },
	    { "etc/containers/systemd/m.container", "" },
	    { "etc/containers/systemd/m.container.d/x.conf", "[Container]\nImage=a.io/m:1\n" } },
	  "a.io/c:1 by quadlet c.container in /etc/containers/systemd/c.container\n"
	  "a.io/i:1 by quadlet i.image in /usr/share/containers/systemd/i.image\n"
	  "a.io/k:1 by quadlet k.kube in /srv/k.yaml\n"
	  "a.io/pause:1 by quadlet p.pod in /etc/containers/systemd/p.pod\n" },
	{ "services: lists that are emptied, prefixes, several commands, kube play, shells",
	  { { "etc/systemd/system/a.service",
	      "[Service]\nExecStart=/usr/bin/podman run a.io/old:1\nExecStart=\n"
	      "ExecStartPre=-/usr/bin/docker pull a.io/pre:1\n"
	      "ExecStart=/bin/true ; @/usr/bin/podman podman run --rm a.io/x\n"
	      "ExecStart=/usr/bin/podman run --name a -p 80:80 \\\n  --rm -v /a:/b a.io/run:${TAG}"
	      " sleep 1\nEnvironment=TAG=5\n" },
	    { "etc/systemd/system/a.service.d/x.conf",
	      "\xef\xbb\xbf[Service]\nExecStartPost=/usr/bin/nerdctl -n k8s.io pull -q a.io/post:1\n" },
	    { "usr/lib/systemd/system/a.service",
	      "[Service]\nExecStart=/usr/bin/podman run a.io/no\n" },
	    { "usr/lib/systemd/system/k.service",
	      "[Service]\nExecStart=/usr/bin/podman kube play --replace /srv/p.yaml\n"
	      "ExecStart=/usr/bin/podman auto-update\n"
	      "ExecStartPre=/usr/bin/podman pod create --infra-image=a.io/pod:${V} k\n"
	      "Environment=V=3\n" },
	    { "srv/p.yaml", "kind: Pod\nspec: {containers: [{image: a.io/played:1}]}" },
	    { "lib/systemd/system/s.service",
	      "[Service]\nExecStart=/bin/sh -c 'exec podman run a.io/s:1'\n" } },
	  "a.io/played:1 by unit k.service in /srv/p.yaml\n"
	  "a.io/pod:3 by unit k.service in /usr/lib/systemd/system/k.service\n"
	  "a.io/post:1 by unit a.service in /etc/systemd/system/a.service\n"
	  "a.io/pre:1 by unit a.service in /etc/systemd/system/a.service\n"
	  "a.io/run:5 by unit a.service in /etc/systemd/system/a.service\n"
	  "note: /lib/systemd/system/s.service runs containers through a shell or compose, which is "
	  "not followed: add their images to the list\n" },
	{ "a directory that links lead to again, and files that cannot be read there: each is named once",
	  { { "etc/containers/systemd/loop", "-> ." },
	    { "etc/containers/systemd/sub/up", "-> .." },
	    { "etc/containers/systemd/sub/itself", "-> itself" },
	    { "etc/containers/systemd/sub/a.container", "[Container]\nImage=a.io/a:1\n" } },
	  "a.io/a:1 by quadlet a.container in /etc/containers/systemd/sub/a.container\n"
	  "note: /etc/containers/systemd/sub/itself cannot be read: Too many levels of symbolic "
	  "links\n" },
	{ "files with variables: of a later file, none that is needed, links out of the root",
	  { { "etc/systemd/system/a.service",
	      "[Service]\nEnvironmentFile=/gone\nEnvironmentFile=\nEnvironmentFile=-/gone\n"
	      "EnvironmentFile=/etc/a%%1\nEnvironmentFile=-/etc/default/a\nEnvironment=TAG=1 X=1\n"
	      "ExecStart=/usr/bin/podman run a.io/a:${TAG}-${X}\n"
	      "ExecStartPre=/usr/bin/podman pull $IMAGE\n" },
	    { "etc/a%1", "TAG=2\n# TAG=3\nIMAGE = 'a.io/named:1'\n" },
	    { "etc/default/a", "-> ../../../../../../../etc/out" },
	    { "etc/out", "TAG=4" },
	    { "etc/systemd/system/b.service",
	      "[Service]\nEnvironmentFile=/gone\nEnvironmentFile=etc/out\nEnvironmentFile=/etc/*\n"
	      "EnvironmentFile=/etc/%H\nEnvironmentFile=-/etc/default\n"
	      "ExecStart=/usr/bin/podman run a.io/b:$TAG\n" },
	    { "etc/systemd/system/c.service",
	      "[Service]\nEnvironmentFile=/gone\nExecStart=/usr/bin/podman run a.io/c:1 $X\n" },
	    { "etc/containers/systemd/d.container",
	      "[Container]\nImage=a.io/d:$TAG\nEnvironmentFile=/gone\n[Service]\n"
	      "EnvironmentFile=/etc/out\n" } },
	  "a.io/a:4-1 by unit a.service in /etc/systemd/system/a.service\n"
	  "a.io/c:1 by unit c.service in /etc/systemd/system/c.service\n"
	  "a.io/d:4 by quadlet d.container in /etc/containers/systemd/d.container\n"
	  "a.io/named:1 by unit a.service in /etc/systemd/system/a.service\n"
	  "note: /etc/systemd/system/b.service: EnvironmentFile=/gone is not there\n"
	  "note: /etc/systemd/system/b.service: EnvironmentFile=etc/out counts nothing: the path "
	  "must be absolute\n"
	  "note: /etc/systemd/system/b.service: EnvironmentFile=/etc/* is a pattern or holds a "
	  "specifier, which is not followed\n"
	  "note: /etc/systemd/system/b.service: EnvironmentFile=/etc/%H is a pattern or holds a "
	  "specifier, which is not followed\n"
	  "note: /etc/default cannot be read: it is no regular file\n"
	  "note: /etc/systemd/system/b.service: the image \"a.io/b:$TAG\" of unit b.service is a "
	  "template or holds a variable, so it cannot be known here\n" },
};

static void test_machines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		check_machine(&machines[i]);
}

static void test_commands(void **state)
{
	static const struct {
		const char *line, *expected; /* images, objects in <>, "…" if hidden */
	} cases[] = {
		{ "", "" },
		{ "/usr/bin/true run x", "" },
		{ "podman run x", "x" },
		{ "podman run", "" },
		{ "podman --log-level debug run -d x y", "x" },
		{ "docker -H tcp://x run -it --rm=true x sh", "x" },
		{ "docker run -p80:80 -e A=1 --env B=2 -itd x", "x" },
		{ "docker run -h host -v /a:/b -w /c x", "x" },
		{ "docker container run --read-only x", "x" },
		{ "docker image pull -a x", "x" },
		{ "docker pull x", "x" },
		{ "podman pull --quiet a b", "a b" },
		{ "podman create --replace --name n -- x", "x" },
		{ "podman run --rootfs /srv/root sh", "" },
		{ "podman play kube --start f.yaml", "<f.yaml>" },
		{ "podman kube play f.yaml", "<f.yaml>" },
		{ "podman kube down f.yaml", "" },
		{ "podman pod create --infra-image a.io/p:1 --name n", "a.io/p:1" },
		{ "podman --log-level debug pod create --infra --share-parent "
		  "--infra-image=a.io/p:1 n",
		  "a.io/p:1" },
		{ "podman pod create --infra-image=a --infra-image b n", "b" },
		{ "podman pod create --infra-image= n", "" },
		{ "podman pod create --infra-image-x=a --name --infra-image=a", "" },
		{ "podman pod create --name n -- --infra-image=a", "" },
		{ "podman pod create -p 80:80 n --infra-image", "" },
		{ "podman pod create n --infra-image=a", "a" },
		{ "podman pod create n", "" },
		{ "podman volume create --driver image --opt image=a.io/v:1 data", "a.io/v:1" },
		{ "podman volume create -d image -o image=a.io/v:1 --ignore -oimage=b data",
		  "a.io/v:1 b" },
		{ "podman volume create --opt=image=a.io/v:1", "a.io/v:1" },
		{ "podman volume create -o type=tmpfs -o o=image=x --opt image= data", "" },
		{ "podman volume create --label image=a.io/l:1 data", "" },
		{ "podman volume rm --opt image=a data", "" },
		{ "podman pod start --infra-image=a n", "" },
		{ "podman pod", "" },
		{ "podman pod create --infra-image", "" },
		{ "nerdctl --namespace=k8s.io run --net host x", "x" },
		{ "ctr -n k8s.io images pull --plain-http a.io/x:1", "a.io/x:1" },
		{ "ctr run --rm --net-host a.io/x:1 name", "a.io/x:1" },
		{ "k3s crictl pull x", "x" },
		{ "/usr/bin/env -i A=1 podman run x", "x" },
		{ "nice -n 10 podman run x", "x" },
		{ "/usr/bin/sudo -u docker -- podman run -d x", "x" },
		{ "flock /run/lock timeout 60 docker pull x", "x" },
		{ "systemd-run --scope docker compose up", "…" },
		{ "sudo sh -c 'podman run x'", "…" },
		{ "sudo -u docker id", "" },
		{ "env", "" },
		{ "runuser -l u -c 'podman run x'", "…" },
		{ "runuser -u u -- podman run x", "x" },
		{ "su docker -c 'podman run x'", "…" },
		{ "docker compose up", "…" },
		{ "/usr/bin/docker-compose -f x.yaml up", "…" },
		{ "podman-compose up", "…" },
		{ "docker stack deploy -c x.yaml x", "…" },
		{ "bash -c 'docker-compose up'", "…" },
		{ "bash -c 'docker-composer up'", "" },
		{ "bash -c 'a; docker run x'", "…" },
		{ "bash -c 'echo podman'", "" },
		{ "bash -c 'echo mypodman run'", "" },
		{ "podman run 'a b' c", "a b" },
		{ "podman run \"a\\x41\\n\" c", "aA\n" },
		{ "podman run \"unfinished", "unfinished" },
		{ "podman run --name", "" },
		{ "docker rm x", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_found_images_ struct found_images found = { 0 };
		_cleanup_strv_ char **words = NULL;
		_cleanup_free_ char *text = NULL;
		size_t size;
		FILE *f = open_memstream(&text, &size);
		assert_int_equal(command_split(cases[i].line, &words), 0);
		assert_int_equal(command_find_images(words, &found), 0);
		STRV_FOREACH (image, found.images)
			fprintf(f, "%s%s", image == found.images ? "" : " ", *image);
		STRV_FOREACH (object, found.objects)
			fprintf(f, "<%s>", *object);
		if (found.hidden)
			fputs("…", f);
		assert_int_equal(fclose(f), 0);
		if (strcmp(text, cases[i].expected) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].line, text, cases[i].expected);
	}
}

static void test_environment_files(void **state)
{
	static const struct {
		const char *text, *expected; /* settings, with | between them */
	} cases[] = {
		{ "", "" },
		{ "A=1", "A=1" },
		{ "A=1\nB=2\r\n\n \t C = 3 4 \t\nA=5", "A=1|B=2|C=3 4|A=5" },
		{ "# A=1\n;B=2\n  #C=3\nD=#4", "D=#4" },
		{ "# a \\\nB=2", "B=2" },
		{ "no equals sign\nA B=1\nexport C=2\n9=3\n=4\nD=5", "D=5" },
		{ "BAD-=\"x\nA=1\"\nB=2", "B=2" },
		{ "A=\nB=''\nC=\"\"", "A=|B=|C=" },
		{ "A='a \"b\" \\n # ' \nB=2", "A=a \"b\" \\n # |B=2" },
		{ "A=\"a 'b' \\\" \\\\ \\$ \\` \\n\"", "A=a 'b' \" \\ $ ` \\n" },
		{ "A='1\n2'\nB=\"3\\\n4\"", "A=1\n2|B=34" },
		{ "A='1'\"2\" 3 ", "A=123" },
		{ "A=a'b'\"c\"", "A=a'b'\"c\"" },
		{ "A=a\\\n  b\\ \\x\nB=1", "A=a  b x|B=1" },
		{ "A=$B ${C} %i", "A=$B ${C} %i" },
		{ "A='never ends\nB=1", "A=never ends\nB=1" },
		{ "A=\"x\\", "A=x\\" },
		{ "A=x\\", "A=x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_strv_ char **list = NULL;
		_cleanup_free_ char *text = NULL;
		size_t size;
		FILE *f = open_memstream(&text, &size);
		assert_int_equal(environment_file_parse(cases[i].text, &list), 0);
		STRV_FOREACH (setting, list)
			fprintf(f, "%s%s", setting == list ? "" : "|", *setting);
		assert_int_equal(fclose(f), 0);
		if (strcmp(text, cases[i].expected) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].text, text, cases[i].expected);
	}
}

/* Too many variables, too many files, too large a file: a note for each, and what came before counts. */
static void test_environment_limits(void **state)
{
	char path[] = "/tmp/larder-needs-XXXXXX";
	_cleanup_needs_ struct needs needs = { 0 };
	const struct needs_options options = { .root = path };
	_cleanup_free_ char *many = NULL, *large = calloc(1, ROOTFS_FILE_MAX + 2), *unit = NULL;
	size_t size;

	(void)state;
	assert_non_null(mkdtemp(path));
	assert_non_null(large);
	memset(large, 'x', ROOTFS_FILE_MAX + 1);
	FILE *f = open_memstream(&many, &size);
	for (int i = 0; i <= ENVIRONMENT_VARIABLES_MAX; i++)
		fprintf(f, "TAG=%d\n", i);
	assert_int_equal(fclose(f), 0);
	f = open_memstream(&unit, &size);
	fputs("[Service]\nExecStart=podman run a.io/f:$TAG\nEnvironmentFile=/large\n", f);
	for (int i = 0; i < ENVIRONMENT_FILES_MAX; i++)
		fputs("EnvironmentFile=-/gone\n", f);
	assert_int_equal(fclose(f), 0);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(dir, &(struct file){ "many", many });
	put(dir, &(struct file){ "large", large });
	put(dir, &(struct file){ "etc/systemd/system/f.service", unit });
	put(dir, &(struct file){ "etc/systemd/system/v.service",
				 "[Service]\nExecStart=podman run a.io/v:$TAG\n"
				 "EnvironmentFile=/many\n" });
	assert_int_equal(needs_read(&options, &needs, NULL), 0);
	_cleanup_free_ char *text = describe(&needs);
	assert_string_equal(
		text,
		"a.io/v:999 by unit v.service in /etc/systemd/system/v.service\n"
		"note: /large is not read: it is larger than 4194304 bytes\n"
		"note: /etc/systemd/system/f.service: only the first 64 files of EnvironmentFile= are "
		"read\n"
		"note: /etc/systemd/system/f.service: the image \"a.io/f:$TAG\" of unit f.service is a "
		"template or holds a variable, so it cannot be known here\n"
		"note: /etc/systemd/system/v.service: the files of EnvironmentFile= are not read to "
		"their end: they set more than 1000 variables\n");
	close_fd(dir);
	assert_int_equal(remove_tree_at(AT_FDCWD, path), 0);
}

static void test_limits(void **state)
{
	char path[] = "/tmp/larder-needs-XXXXXX";
	_cleanup_needs_ struct needs needs = { 0 };
	const struct needs_options options = { .root = path };
	_cleanup_free_ char *text = NULL;
	size_t size;

	(void)state;
	assert_non_null(mkdtemp(path));
	FILE *f = open_memstream(&text, &size);
	for (int i = 0; i < NEEDS_MAX + 5; i++)
		fprintf(f, "a.io/x:%d\n", i);
	fprintf(f, "a.io/%01100d\n", 1);
	assert_int_equal(fclose(f), 0);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(dir, &(struct file){ "var/lib/rancher/k3s/agent/images/a.txt", text });
	/* A directory that is its own child, and units without end. */
	put(dir, &(struct file){ "etc/containers/systemd/loop", "-> ." });
	put(dir,
	    &(struct file){ "etc/containers/systemd/a.container", "[Container]\nImage=a.io/q:1" });
	assert_int_equal(needs_read(&options, &needs, NULL), 0);
	assert_int_equal(needs.n_needs, NEEDS_MAX);
	assert_non_null(strstr(needs.notes[0], "a name of more than 1024 bytes"));
	assert_string_equal(needs.notes[1],
			    "more than 10000 images are needed: the last 6 are left out");
	assert_int_equal(strv_length(needs.notes), 2);
	close_fd(dir);
	assert_int_equal(remove_tree_at(AT_FDCWD, path), 0);
}

static void test_many_notes(void **state)
{
	char path[] = "/tmp/larder-needs-XXXXXX";
	_cleanup_needs_ struct needs needs = { 0 };
	const struct needs_options options = { .root = path };
	_cleanup_free_ char *text = NULL;
	size_t size;

	(void)state;
	assert_non_null(mkdtemp(path));
	FILE *f = open_memstream(&text, &size);
	for (int i = 0; i < NEEDS_NOTES_MAX + 5; i++)
		fprintf(f, "localhost/%d\n", i);
	fprintf(f, "localhost/1\n");
	assert_int_equal(fclose(f), 0);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(dir, &(struct file){ "var/lib/rancher/k3s/agent/images/a.txt", text });
	assert_int_equal(needs_read(&options, &needs, NULL), 0);
	assert_int_equal(strv_length(needs.notes), NEEDS_NOTES_MAX + 1);
	assert_string_equal(needs.notes[NEEDS_NOTES_MAX], "5 more notes are left out");
	close_fd(dir);
	assert_int_equal(remove_tree_at(AT_FDCWD, path), 0);
}

static void test_option(void **state)
{
	_cleanup_needs_ struct needs needs = { 0 };
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	char path[] = "/tmp/larder-needs-XXXXXX";
	const struct needs_options options = { .root = path, .kubeadm_config = "/nowhere" };

	(void)state;
	assert_non_null(mkdtemp(path));
	assert_int_equal(needs_read(&options, &needs, &diag), -EINVAL);
	assert_non_null(strstr(diag.message, "/nowhere"));
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machines),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_environment_files),
		cmocka_unit_test(test_environment_limits),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_notes),
		cmocka_unit_test(test_option),
	};
	return unit_main(tests);
}
