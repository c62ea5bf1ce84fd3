/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Static pods: files that the kubelet starts pods from before there is an API server. It reads every file of the directory but
 * hidden ones. staticPodPath of the kubelet's config names the directory; kubeadm's is looked at in any case.
 */
#include <string.h>

#include "base/text.h"
#include "needs/collect.h"
#include "needs/pods.h"

#define KUBELET_CONFIG "/var/lib/kubelet/config.yaml"

static const char *const pod_directories[] = {
	"/etc/kubernetes/manifests",
	"/var/lib/rancher/k3s/agent/pod-manifests",
	"/var/lib/rancher/rke2/agent/pod-manifests",
};

static int read_directory(struct collector *c, const char *path)
{
	_cleanup_strv_ char **names = NULL;
	int r = collect_list(c, path, &names);

	STRV_FOREACH (name, names) {
		_cleanup_free_ char *file = NULL;
		if (r < 0 || **name == '.')
			continue;
		r = asprintf(&file, "%s/%s", path, *name) < 0 ? -ENOMEM : 0;
		if (r == 0)
			r = pods_read(c, "static pod", file);
	}
	return r;
}

/* *ret NULL: not set. */
static int static_pod_path(struct collector *c, char **ret)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_(pool_done) struct pool pool = { 0 };
	struct node **documents = NULL;
	size_t n = 0;
	int r = collect_read(c, KUBELET_CONFIG, &file);

	*ret = NULL;
	if (r == 0)
		r = collect_yaml(c, KUBELET_CONFIG, &file, &pool, &documents, &n);
	const char *path = n > 0 ? collect_text(node_get(documents[0], "staticPodPath")) : NULL;
	if (r < 0 || !path || *path != '/')
		return r;
	*ret = strdup(path);
	return *ret ? 0 : -ENOMEM;
}

int read_static_pods(struct collector *c)
{
	_cleanup_free_ char *configured = NULL;
	int r = static_pod_path(c, &configured);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(pod_directories); i++) {
		if (configured && strcmp(configured, pod_directories[i]) == 0)
			configured[0] = '\0';
		r = read_directory(c, pod_directories[i]);
	}
	return r == 0 && configured && *configured ? read_directory(c, configured) : r;
}
