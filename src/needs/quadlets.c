/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Quadlets (podman-systemd.unit(5)): files from which podman's generator makes services that run containers. */
#include <string.h>

#include "base/text.h"
#include "needs/environment_file.h"
#include "needs/pods.h"
#include "needs/unit_file.h"

/* users/: for the rootless podman of other users, who are on this machine as well. */
static const char *const quadlet_directories[] = {
	"/run/containers/systemd",
	"/etc/containers/systemd",
	"/usr/share/containers/systemd",
	NULL,
};
static const char *const quadlet_suffixes[] = { ".container", ".image", ".kube", ".volume", NULL };

static int describe(const struct unit *unit, char **ret)
{
	return asprintf(ret, "quadlet %s", unit->name) < 0 ? -ENOMEM : 0;
}

/* Names of other quadlets stand for what those pull or build. */
static bool is_quadlet_name(const char *image)
{
	return !strchr(image, '/') &&
	       (text_ends_with(image, ".image") || text_ends_with(image, ".build"));
}

static bool has_registry(const char *image)
{
	size_t first = strcspn(image, "/");

	return image[first] == '/' && (memchr(image, '.', first) || memchr(image, ':', first) ||
				       strncmp(image, "localhost/", strlen("localhost/")) == 0);
}

static int read_image(struct collector *c, struct unit *unit, const char *section)
{
	const char *value = unit_value(unit, section, "Image");
	_cleanup_free_ char *image = NULL, *who = NULL;
	int r = 0;

	if (!value || is_quadlet_name(value))
		return 0;
	if (strchr(value, '$'))
		r = environment_files_read(c, unit);
	if (r == 0)
		r = describe(unit, &who);
	if (r < 0)
		return r;
	image = unit_expand(unit, value);
	if (!image)
		return -ENOMEM;
	if (!has_registry(image) && !strpbrk(image, "$%")) {
		r = collect_note(
			c,
			"%s: \"%s\" names no registry, and podman may take it from another "
			"than docker.io (containers-registries.conf(5)); write it in full",
			unit->path, image);
		if (r < 0)
			return r;
	}
	return collect_image(c, who, unit->path, image);
}

/* Yaml= is relative to the quadlet. */
static int read_kube(struct collector *c, const struct unit *unit)
{
	_cleanup_strv_ char **files = NULL;
	_cleanup_free_ char *who = NULL;
	int r = unit_values(unit, "Kube", "Yaml", &files);

	if (r == 0)
		r = describe(unit, &who);
	STRV_FOREACH (file, files) {
		_cleanup_free_ char *path = NULL;
		int length = **file == '/' ? 0 : (int)(strrchr(unit->path, '/') + 1 - unit->path);
		if (r < 0)
			break;
		if (asprintf(&path, "%.*s%s", length, unit->path, *file) < 0)
			r = -ENOMEM;
		else if (strpbrk(path, "$%") || !rootfs_exists(c->root, path))
			r = collect_note(c, "%s: Yaml=%s cannot be found", unit->path, *file);
		else
			r = pods_read(c, who, path);
	}
	return r;
}

int read_quadlets(struct collector *c)
{
	_cleanup_units_ struct unit_list list = { 0 };
	int r = units_read(c, quadlet_directories, quadlet_suffixes, true, &list);

	for (size_t i = 0; r == 0 && i < list.n_units; i++) {
		struct unit *unit = &list.units[i];
		if (text_ends_with(unit->name, ".kube"))
			r = read_kube(c, unit);
		else if (text_ends_with(unit->name, ".container"))
			r = read_image(c, unit, "Container");
		else if (text_ends_with(unit->name, ".image"))
			r = read_image(c, unit, "Image");
		else
			r = read_image(c, unit, "Volume");
	}
	return r;
}
