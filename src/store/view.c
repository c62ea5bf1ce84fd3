/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/view.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/disk_sequence.h"
#include "base/io.h"
#include "base/log.h"
#include "base/names.h"
#include "base/text.h"

struct view {
	unsigned owners; /* atomic */
	struct source **sources;
	size_t n_main;
	size_t n;	     /* with the fallbacks */
	char *fallback_dir;  /* of layers; NULL: there are none, or they are open */
	struct parts *parts; /* NULL: the generation has no list */
	size_t n_parts;	     /* how many of them are main sources, if they are */
	bool fallback_parts; /* the fallbacks are the rest of these, not open yet */
	uint64_t parts_stamp;
	pthread_mutex_t lock; /* for sources and n once fallbacks are opened */
};

struct view *view_ref(struct view *view)
{
	__atomic_add_fetch(&view->owners, 1, __ATOMIC_RELAXED);
	return view;
}

void view_unref(struct view *view)
{
	if (__atomic_sub_fetch(&view->owners, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < view->n; i++)
		source_unref(view->sources[i]);
	if (view->parts)
		parts_unref(view->parts);
	free(view->sources);
	free(view->fallback_dir);
	pthread_mutex_destroy(&view->lock);
	free(view);
}

/* Takes source in any case. */
static int add_source(struct view *view, struct source *source)
{
	struct source **larger = view->n < VIEW_SOURCES_MAX
					 ? reallocarray(view->sources, view->n + 1, sizeof(*larger))
					 : NULL;

	if (!larger) {
		source_unref(source);
		return view->n < VIEW_SOURCES_MAX ? -ENOMEM : -E2BIG;
	}
	view->sources = larger;
	view->sources[view->n++] = source;
	return 0;
}

static int new_empty(struct view **ret)
{
	struct view *view = calloc(1, sizeof(*view));

	if (!view)
		return -ENOMEM;
	view->owners = 1;
	pthread_mutex_init(&view->lock, NULL);
	*ret = view;
	return 0;
}

int view_new(struct source *const sources[], size_t n, struct view **ret)
{
	_cleanup_(view_unrefp) struct view *view = NULL;
	int r = new_empty(&view);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_source(view, source_ref(sources[i]));
	if (r < 0)
		return r;
	view->n_main = view->n;
	*ret = TAKE_PTR(view);
	return 0;
}

/* mounted: which mount it is, in words; NULL: a filesystem with times of its own, which needs none. */
static int add_path(struct view *view, const char *dir, const char *name, const char *mounted)
{
	_cleanup_free_ char *path = path_join(dir, name);
	_cleanup_diag_ struct diag diag = DIAG_INIT;
	struct source *source;

	if (!path)
		return -ENOMEM;
	/* What layers hold besides their tree must not make a layout of all of them. */
	int r = mounted ? source_open_tree(path, &source, &diag)
			: source_open(path, &source, &diag);
	if (r < 0) {
		log_debug("no source: %s", diag_text(&diag));
		return r == -ENOMEM ? r : 0;
	}
	if (mounted)
		source_set_mounted(source, mounted);
	return add_source(view, source);
}

static int add_part(struct view *view, size_t i)
{
	struct source *source;
	int r = parts_open(view->parts, i, &source);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return add_source(view, source);
}

/* Reads the list unless it is known. */
static int find_parts(const char *run_dir, const char *generation, struct parts **parts)
{
	if (*parts && parts_is(*parts, generation))
		return 0;
	if (*parts)
		parts_unref(*parts);
	*parts = NULL;
	int r = parts_read(run_dir, generation, parts);
	if (r < 0 && r != -ENOENT)
		log_debug("%s: its list cannot be used: %s", generation, strerror(-r));
	return r == -ENOMEM ? r : 0;
}

static int add_listed(struct view *view, const char *run_dir, const char *generation,
		      struct parts *parts)
{
	view->parts = parts_ref(parts);
	parts_look(parts, &view->parts_stamp);
	if (parts_are_merged(parts)) {
		size_t n = view->n;
		int r = add_path(view, *generation == '/' ? NULL : run_dir, generation, generation);
		if (view->n > n)
			parts_identify_overlay(parts, source_place(view->sources[n]));
		view->fallback_parts = true;
		return r;
	}
	for (size_t i = 0; i < parts_count(parts) && !parts_is_spare(parts, i); i++) {
		int r = add_part(view, i);
		if (r < 0)
			return r;
		view->n_parts++;
	}
	view->fallback_parts = true;
	return 0;
}

/* It has times of its own; but another volume, in its place, may have the same. */
static int add_volume(struct view *view, const char *run_dir)
{
	size_t n = view->n;
	int r = add_path(view, run_dir, NAME_RUN_VOLUME, NULL);
	struct stat st;

	if (view->n > n && stat(source_path(view->sources[n]), &st) == 0)
		place_set_mounted(source_place(view->sources[n]), disk_sequence(st.st_dev));
	return r;
}

/* The link is read once, so that the number that names the generation is the one that is opened. */
static int add_generation(struct view *view, const char *run_dir, struct parts **parts)
{
	_cleanup_free_ char *link = path_join(run_dir, NAME_RUN_CACHE);
	char target[PATH_MAX];

	if (!link)
		return -ENOMEM;
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return add_path(view, run_dir, NAME_RUN_CACHE,
				NULL); /* made by hand, or not there */
	target[n] = '\0';
	int r = find_parts(run_dir, target, parts);
	if (r < 0)
		return r;
	if (*parts)
		return add_listed(view, run_dir, target, *parts);
	return add_path(view, *target == '/' ? NULL : run_dir, target, target);
}

int view_new_run_dir(const char *run_dir, struct parts **parts, struct view **ret)
{
	_cleanup_(view_unrefp) struct view *view = NULL;
	_cleanup_free_ char *stopping = path_join(run_dir, NAME_RUN_STOPPING);
	int r = stopping ? new_empty(&view) : -ENOMEM;

	if (r == 0 && access(stopping, F_OK) == 0) {
		*ret = TAKE_PTR(view);
		return 0;
	}
	if (r == 0)
		r = add_volume(view, run_dir);
	if (r == 0)
		r = add_generation(view, run_dir, parts);
	if (r < 0)
		return r;
	view->n_main = view->n;
	if (!view->parts)
		view->fallback_dir = path_join(run_dir, NAME_RUN_LAYERS);
	if (!view->parts && !view->fallback_dir)
		return -ENOMEM;
	*ret = TAKE_PTR(view);
	return 0;
}

size_t view_main_sources(const struct view *view)
{
	return view->n_main;
}

struct parts *view_parts(const struct view *view)
{
	return view->parts;
}

static void open_parts(struct view *view)
{
	view->fallback_parts = false;
	for (size_t i = view->n_parts; i < parts_count(view->parts); i++)
		if (add_part(view, i) < 0)
			return;
}

/* Without a list: the last in natural order is on top of the others, so it comes first. Links to files lie beside mounts. */
static void open_fallbacks(struct view *view)
{
	_cleanup_free_ char *path = TAKE_PTR(view->fallback_dir);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	_cleanup_strv_ char **names = NULL;

	for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
		if (*e->d_name != '.' && !text_ends_with(e->d_name, NAME_LAYER_SUFFIX) &&
		    strv_add(&names, e->d_name) < 0)
			return;
	strv_sort_natural(names);
	for (size_t i = strv_length(names); i-- > 0;)
		if (add_path(view, path, names[i], names[i]) < 0)
			return;
}

struct source *view_source(struct view *view, size_t position)
{
	if (position < view->n_main)
		return view->sources[position];
	pthread_mutex_lock(&view->lock);
	if (view->fallback_parts)
		open_parts(view);
	if (view->fallback_dir)
		open_fallbacks(view);
	struct source *source = position < view->n ? view->sources[position] : NULL;
	pthread_mutex_unlock(&view->lock);
	return source;
}

uint64_t view_stamp(struct view *view)
{
	uint64_t stamp = view->n_main * 1099511628211ULL + view->parts_stamp;

	for (size_t i = 0; i < view->n_main; i++)
		stamp = stamp * 1099511628211ULL + source_stamp(view->sources[i]);
	return stamp;
}

bool view_has_images(struct view *view)
{
	for (size_t i = 0; i < view->n_main; i++) {
		_cleanup_strv_ char **registries = NULL;
		if (source_registries(view->sources[i], &registries) == 0 && registries)
			return true;
	}
	return false;
}

bool view_has_registry(struct view *view, const char *name)
{
	for (size_t i = 0; i < view->n_main; i++) {
		_cleanup_strv_ char **registries = NULL;
		if (source_registries(view->sources[i], &registries) < 0)
			continue;
		STRV_FOREACH (registry, registries)
			if (strcmp(*registry, name) == 0)
				return true;
	}
	return false;
}

bool view_has_repository(struct view *view, const char *registry, const char *repository)
{
	for (size_t i = 0; i < view->n_main; i++)
		if (source_has_repository(view->sources[i], registry, repository))
			return true;
	return false;
}

int view_find_registry(struct view *view, const char *repository, char **ret)
{
	_cleanup_free_ char *found = NULL;

	for (size_t i = 0; i < view->n_main; i++) {
		_cleanup_strv_ char **registries = NULL;
		int r = source_registries(view->sources[i], &registries);
		if (r == -ENOMEM)
			return r;
		STRV_FOREACH (registry, registries) {
			if (!source_has_repository(view->sources[i], *registry, repository) ||
			    (found && strcmp(found, *registry) == 0))
				continue;
			if (found)
				return -ENOTUNIQ;
			found = strdup(*registry);
			if (!found)
				return -ENOMEM;
		}
	}
	if (!found)
		return -ENOENT;
	*ret = TAKE_PTR(found);
	return 0;
}
