/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * k3s and rke2 (docs.k3s.io, docs.rke2.io, "Air-Gap Install"): lists of images, one a line, that come with a release or that
 * they themselves leave in agent/images; archives there, which they import at each start and which are only named here; the
 * pause image of their config.yaml; and objects of server/manifests, which they apply when they start.
 */
#include <string.h>

#include "base/text.h"
#include "needs/collect.h"
#include "needs/pods.h"

struct distribution {
	const char *name;
	const char *config;
	const char *data; /* default of data-dir */
	const char *const *lists;
};

/* Where packages and image builders put the lists of a release. */
static const char *const k3s_lists[] = { "/usr/share/k3s", "/usr/local/share/k3s",
					 "/usr/share/rancher/k3s", NULL };
static const char *const rke2_lists[] = { "/usr/share/rke2", "/usr/local/share/rke2",
					  "/usr/share/rancher/rke2", "/opt/rke2/share/rke2", NULL };

static const struct distribution distributions[] = {
	{ "k3s", "/etc/rancher/k3s/config.yaml", "/var/lib/rancher/k3s", k3s_lists },
	{ "rke2", "/etc/rancher/rke2/config.yaml", "/var/lib/rancher/rke2", rke2_lists },
};

static int read_list(struct collector *c, const struct distribution *d, const char *path)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	int r = collect_read_listed(c, path, &file);
	char *rest = file.text;

	for (char *line; r == 0 && rest && (line = strsep(&rest, "\n"));) {
		line += strspn(line, " \t");
		for (size_t n = strlen(line); n > 0 && strchr(" \t\r", line[n - 1]);)
			line[--n] = '\0';
		if (*line && *line != '#')
			r = collect_image(c, d->name, path, line);
	}
	return r;
}

static bool is_archive(const char *name)
{
	static const char *const suffixes[] = { ".tar",	    ".tar.gz",	".tgz",
						".tar.zst", ".tar.lz4", ".tar.bz2" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (text_ends_with(name, suffixes[i]))
			return true;
	return false;
}

/* only_images: a directory of many things, where a list is a file with "images" in its name. */
static int read_directory(struct collector *c, const struct distribution *d, const char *directory,
			  bool only_images)
{
	_cleanup_strv_ char **names = NULL;
	int r = collect_list(c, directory, &names);

	STRV_FOREACH (name, names) {
		_cleanup_free_ char *path = NULL;
		if (r < 0 || **name == '.' || (only_images && !strstr(*name, "images")))
			continue;
		if (asprintf(&path, "%s/%s", directory, *name) < 0)
			return -ENOMEM;
		if (text_ends_with(*name, ".txt"))
			r = read_list(c, d, path);
		else if (is_archive(*name))
			r = collect_note(
				c,
				"%s: its images are not listed here; %s imports them at each "
				"start unless a cache layer has them: put the list of the "
				"release (%s-images.txt) in its place",
				path, d->name, d->name);
	}
	return r;
}

static int read_manifests(struct collector *c, const struct distribution *d, const char *directory,
			  unsigned depth)
{
	_cleanup_strv_ char **names = NULL;
	int r = collect_list(c, directory, &names);

	STRV_FOREACH (name, names) {
		_cleanup_free_ char *path = NULL;
		if (r < 0 || **name == '.')
			continue;
		if (asprintf(&path, "%s/%s", directory, *name) < 0)
			return -ENOMEM;
		if (text_ends_with(*name, ".yaml") || text_ends_with(*name, ".yml") ||
		    text_ends_with(*name, ".json"))
			r = pods_read(c, d->name, path);
		else if (depth < NEEDS_DEPTH_MAX && !strchr(*name, '.'))
			r = read_manifests(c, d, path, depth + 1);
	}
	return r;
}

/* data-dir and pause-image of config.yaml; *ret_data is owned by the caller. */
static int read_config(struct collector *c, const struct distribution *d, char **ret_data)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_(pool_done) struct pool pool = { 0 };
	const char *data = NULL, *pause = NULL, *registry = NULL;
	struct node **documents = NULL;
	size_t n = 0;
	int r = collect_read(c, d->config, &file);

	if (r == 0)
		r = collect_yaml(c, d->config, &file, &pool, &documents, &n);
	if (r == 0 && n > 0) {
		data = collect_text(node_get(documents[0], "data-dir"));
		pause = collect_text(node_get(documents[0], "pause-image"));
		registry = collect_text(node_get(documents[0], "system-default-registry"));
	}
	if (registry)
		r = collect_note(c,
				 "%s: %s asks for its own images as %s/rancher/... "
				 "(system-default-registry), and its lists have other names: add "
				 "those to the list",
				 d->config, d->name, registry);
	if (r == 0 && pause)
		r = collect_image(c, d->name, d->config, pause);
	if (r < 0)
		return r;
	*ret_data = strdup(data && *data == '/' ? data : d->data);
	return *ret_data ? 0 : -ENOMEM;
}

static int read_distribution(struct collector *c, const struct distribution *d)
{
	_cleanup_free_ char *data = NULL, *images = NULL, *manifests = NULL;
	int r = read_config(c, d, &data);

	if (r < 0)
		return r;
	if (asprintf(&images, "%s/agent/images", data) < 0 ||
	    asprintf(&manifests, "%s/server/manifests", data) < 0)
		return -ENOMEM;
	r = read_directory(c, d, images, false);
	for (const char *const *list = d->lists; r == 0 && *list; list++)
		r = read_directory(c, d, *list, true);
	return r == 0 ? read_manifests(c, d, manifests, 0) : r;
}

int read_rancher(struct collector *c)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(distributions); i++)
		r = read_distribution(c, &distributions[i]);
	return r;
}
