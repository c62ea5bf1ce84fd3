/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The images of a Kubernetes control plane, as "kubeadm config images list" names them. Left alone, kubeadm asks the internet
 * which version is the stable one; so it is always told: by its config file if that gives a version, else by its own version.
 */
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "needs/collect.h"

static const char *const kubeadm_programs[] = {
	"/usr/bin/kubeadm",
	"/usr/local/bin/kubeadm",
	"/opt/bin/kubeadm",
	NULL,
};
static const char *const kubeadm_configs[] = {
	"/etc/kubernetes/kubeadm.yaml",
	"/etc/kubernetes/kubeadm-config.yaml",
	"/etc/kubeadm/kubeadm.yaml",
	"/etc/kubeadm.yaml",
	NULL,
};

/* What ClusterConfiguration says; NULL: nothing. */
struct cluster {
	char *version, *repository;
	bool parts; /* dns or etcd have an image of their own */
};

static void cluster_done(struct cluster *cluster)
{
	free(cluster->version);
	free(cluster->repository);
}

/* "v1.34.2" and not "stable-1": two dots, and a digit at the beginning of each part. */
static bool is_version(const char *text)
{
	unsigned dots = 0;

	text += *text == 'v';
	for (bool start = true; *text; text++) {
		if (start && !isdigit((unsigned char)*text))
			return false;
		start = *text == '.' && ++dots <= 2;
		if (!isalnum((unsigned char)*text) && !strchr(".-+", *text))
			return false;
	}
	return dots >= 2;
}

static int take(const struct node *map, const char *key, char **ret)
{
	const char *value = collect_text(node_get(map, key));

	if (!value || *ret)
		return 0;
	*ret = strdup(value);
	return *ret ? 0 : -ENOMEM;
}

static bool has_parts(const struct node *document)
{
	static const char *const keys[] = { "dns.imageRepository", "dns.imageTag",
					    "etcd.local.imageRepository", "etcd.local.imageTag" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (collect_text(node_find(document, keys[i])))
			return true;
	return false;
}

static int read_cluster(struct collector *c, const char *path, const struct rootfs_file *file,
			struct cluster *ret)
{
	_cleanup_(pool_done) struct pool pool = { 0 };
	struct node **documents = NULL;
	size_t n = 0;
	int r = collect_yaml(c, path, file, &pool, &documents, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *kind = collect_text(node_get(documents[i], "kind"));
		if (!kind || strcmp(kind, "ClusterConfiguration") != 0)
			continue;
		r = take(documents[i], "kubernetesVersion", &ret->version);
		if (r == 0)
			r = take(documents[i], "imageRepository", &ret->repository);
		ret->parts = ret->parts || has_parts(documents[i]);
	}
	return r;
}

/* The version of the program itself: what it would install if nobody asked for another. */
static int own_version(struct collector *c, const char *program, char **ret)
{
	const char *const argv[] = { program, "version", "--output", "short", NULL };
	_cleanup_free_ char *text = NULL;
	int r = collect_run(c, "the images of kubeadm", argv, &text);

	*ret = NULL;
	if (r < 0 || !text)
		return r;
	text[strcspn(text, "\r\n")] = '\0';
	if (!is_version(text))
		return collect_note(c, "%s version --output short says \"%.100s\", which is none",
				    program, text);
	*ret = TAKE_PTR(text);
	return 0;
}

static int take_list(struct collector *c, const char *program, char *text)
{
	int r = 0;

	for (char *line; r == 0 && (line = strsep(&text, "\n"));) {
		line[strcspn(line, " \t\r")] = '\0';
		if (*line)
			r = collect_image(c, "kubeadm", program, line);
	}
	return r;
}

static int list_images(struct collector *c, const char *program, const char *config,
		       const struct cluster *cluster)
{
	_cleanup_free_ char *text = NULL, *own = NULL;
	const char *by_config[] = { program, "config", "images", "list", "--config", config, NULL };
	const char *by_version[] = { program,
				     "config",
				     "images",
				     "list",
				     "--kubernetes-version",
				     NULL,
				     cluster->repository ? "--image-repository" : NULL,
				     cluster->repository,
				     NULL };
	bool whole = cluster->version && is_version(cluster->version);
	int r = whole ? 0 : own_version(c, program, &own);

	if (r < 0 || (!whole && !own))
		return r;
	/* Options cannot say it, and a config without a version cannot be given. */
	if (!whole && cluster->parts)
		r = collect_note(c,
				 "%s: its images of dns and etcd are not counted, because it gives "
				 "no whole version: write kubernetesVersion: %s",
				 config, own);
	if (r < 0)
		return r;
	by_version[5] = own;
	r = collect_run(c, "the images of kubeadm", whole ? by_config : by_version, &text);
	return r == 0 && text ? take_list(c, program, text) : r;
}

int read_kubeadm(struct collector *c)
{
	_cleanup_(cluster_done) struct cluster cluster = { 0 };
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	const char *program = collect_first(c, kubeadm_programs);
	const char *config = c->options->kubeadm_config;
	int r = 0;

	if (!config)
		config = collect_first(c, kubeadm_configs);
	else if (!rootfs_exists(c->root, config))
		return diag_set(c->diag, -EINVAL, "%s: there is no such file below %s", config,
				c->options->root ? c->options->root : "/");
	if (config)
		r = collect_read(c, config, &file);
	/* What an option names must be read; why it was not is the last note. */
	size_t said = strv_length(c->needs.notes);
	if (r == 0 && c->options->kubeadm_config && !file.text)
		return diag_set(c->diag, -EIO, "%s",
				said > 0 ? c->needs.notes[said - 1] : "cannot be read");
	if (r == 0)
		r = read_cluster(c, config, &file, &cluster);
	if (r < 0 || program)
		return r < 0 ? r : list_images(c, program, config, &cluster);
	if (config)
		return collect_note(c,
				    "%s is there and kubeadm is not, which alone knows what images "
				    "it stands for",
				    config);
	return 0;
}
