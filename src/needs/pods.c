/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "needs/pods.h"

#include <string.h>

#include "base/text.h"

struct manifest {
	struct collector *c;
	const char *who, *path;
};

static int take_text(const struct manifest *m, const struct node *node)
{
	const char *image = collect_text(node);

	return image ? collect_image(m->c, m->who, m->path, image) : 0;
}

static int read_containers(const struct manifest *m, const struct node *list)
{
	int r = 0;

	for (size_t i = 0; r == 0 && list && list->kind == NODE_LIST && i < list->n; i++)
		r = take_text(m, node_get(list->items[i], "image"));
	return r;
}

static int read_pod_spec(const struct manifest *m, const struct node *spec)
{
	static const char *const lists[] = { "initContainers", "containers",
					     "ephemeralContainers" };
	const struct node *volumes = node_get(spec, "volumes");
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(lists); i++)
		r = read_containers(m, node_get(spec, lists[i]));
	/* Volumes of the kind "image". */
	for (size_t i = 0; r == 0 && volumes && volumes->kind == NODE_LIST && i < volumes->n; i++)
		r = take_text(m, node_find(volumes->items[i], "image.reference"));
	return r;
}

static int read_object(const struct manifest *m, const struct node *object, unsigned depth)
{
	const char *kind = collect_text(node_get(object, "kind")), *name = kind ? kind : "";
	const struct node *items = node_get(object, "items");
	int r = 0;

	if (depth > NEEDS_DEPTH_MAX)
		return collect_note(m->c, "%s: lists are nested too deeply", m->path);
	if (text_ends_with(name, "List") && items && items->kind == NODE_LIST) {
		for (size_t i = 0; r == 0 && i < items->n; i++)
			r = read_object(m, items->items[i], depth + 1);
		return r;
	}
	if (strcmp(name, "Pod") == 0)
		return read_pod_spec(m, node_get(object, "spec"));
	if (strcmp(name, "CronJob") == 0)
		return read_pod_spec(m, node_find(object, "spec.jobTemplate.spec.template.spec"));
	return read_pod_spec(m, node_find(object, "spec.template.spec"));
}

int pods_read(struct collector *c, const char *who, const char *path)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	_cleanup_(pool_done) struct pool pool = { 0 };
	const struct manifest m = { c, who, path };
	struct node **documents = NULL;
	size_t n = 0;
	int r = collect_read_listed(c, path, &file);

	if (r == 0)
		r = collect_yaml(c, path, &file, &pool, &documents, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = read_object(&m, documents[i], 0);
	return r;
}
