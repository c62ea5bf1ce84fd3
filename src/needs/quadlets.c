/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Quadlets (podman-systemd.unit(5)): files from which podman's generator makes services that run containers. */
#include <string.h>

#include "base/text.h"
#include "needs/command_line.h"
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
static const char *const quadlet_suffixes[] = { ".container", ".image",	 ".kube",
						".pod",	      ".volume", NULL };

static int describe(const struct unit *unit, char **ret)
{
	return asprintf(ret, "quadlet %s", unit->name) < 0 ? -ENOMEM : 0;
}

/* Names of other quadlets stand for what those pull or build. */
static bool is_quadlet_name(const char *image, const char *suffix)
{
	return !strchr(image, '/') && text_ends_with(image, suffix);
}

static bool has_registry(const char *image)
{
	size_t first = strcspn(image, "/");

	return image[first] == '/' && (memchr(image, '.', first) || memchr(image, ':', first) ||
				       strncmp(image, "localhost/", strlen("localhost/")) == 0);
}

/* One name of an image, as it is written; NULL: none. */
static int read_name(struct collector *c, struct unit *unit, const char *value)
{
	_cleanup_free_ char *image = NULL, *who = NULL;
	int r = 0;

	if (!value || !*value || is_quadlet_name(value, ".image"))
		return 0;
	if (is_quadlet_name(value, ".build"))
		return collect_note(c,
				    "%s: %s is built on this machine; the images that it is built "
				    "from are not looked for",
				    unit->path, value);
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

/* The words of every line of a key. */
static int read_words(const struct unit *unit, const char *section, const char *key, char ***ret)
{
	_cleanup_strv_ char **lines = NULL, **all = NULL;
	int r = unit_values(unit, section, key, &lines);

	STRV_FOREACH (line, lines) {
		_cleanup_strv_ char **words = NULL;
		if (r == 0)
			r = command_split(*line, &words);
		STRV_FOREACH (word, words)
			if (r == 0)
				r = strv_add(&all, *word);
	}
	if (r == 0)
		*ret = TAKE_PTR(all);
	return r;
}

/* "type=image,source=REF,…", of podman-run(1): what other mounts name is no image. */
static int read_mount(struct collector *c, struct unit *unit, const char *mount)
{
	_cleanup_free_ char *copy = strdup(mount);
	const char *source = NULL;
	bool is_image = false;
	char *rest = copy;

	if (!copy)
		return -ENOMEM;
	for (char *field; (field = strsep(&rest, ","));) {
		if (text_starts_with(field, "type="))
			is_image = strcmp(field, "type=image") == 0;
		else if (text_starts_with(field, "source=") || text_starts_with(field, "src="))
			source = strchr(field, '=') + 1;
	}
	return is_image ? read_name(c, unit, source) : 0;
}

static int read_mounts(struct collector *c, struct unit *unit)
{
	_cleanup_strv_ char **mounts = NULL;
	int r = read_words(unit, "Container", "Mount", &mounts);

	STRV_FOREACH (mount, mounts)
		if (r == 0)
			r = read_mount(c, unit, *mount);
	return r;
}

/* Calls read for each value of an option in PodmanArgs=, "--NAME=value" or "--NAME value". */
static int read_option(struct collector *c, struct unit *unit, const char *section,
		       const char *option,
		       int (*read)(struct collector *c, struct unit *unit, const char *value))
{
	_cleanup_strv_ char **words = NULL;
	size_t length = strlen(option);
	int r = read_words(unit, section, "PodmanArgs", &words);

	STRV_FOREACH (word, words) {
		if (r < 0)
			break;
		if (strncmp(*word, option, length) != 0)
			continue;
		if ((*word)[length] == '=')
			r = read(c, unit, *word + length + 1);
		else if (!(*word)[length] && word[1])
			r = read(c, unit, *++word);
	}
	return r;
}

static int read_container(struct collector *c, struct unit *unit)
{
	int r = read_name(c, unit, unit_value(unit, "Container", "Image"));

	if (r == 0)
		r = read_mounts(c, unit);
	return r == 0 ? read_option(c, unit, "Container", "--mount", read_mount) : r;
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
			r = read_container(c, unit);
		else if (text_ends_with(unit->name, ".image"))
			r = read_name(c, unit, unit_value(unit, "Image", "Image"));
		else if (text_ends_with(unit->name, ".pod"))
			r = read_option(c, unit, "Pod", "--infra-image", read_name);
		else
			r = read_name(c, unit, unit_value(unit, "Volume", "Image"));
	}
	return r;
}
