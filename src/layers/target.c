/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/target.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/beside.h"
#include "layers/copy.h"
#include "layers/find.h"
#include "layers/layer_check.h"
#include "layers/layer_open.h"
#include "layers/version.h"

void target_done(struct target *t)
{
	free(t->layers_dir);
	free(t->incoming);
}

/* Not through a symlink: what is deleted and written there lies on the volume. */
static int make_directory(const char *path, struct diag *diag)
{
	struct stat st;
	int r = mkdir_all_at(AT_FDCWD, path, 0755);

	if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return diag_set(diag, -ENOTDIR,
				"%s is %s; it must be a directory: remove it, and larder makes one",
				path, S_ISLNK(st.st_mode) ? "a symlink" : "no directory");
	return r < 0 ? diag_set(diag, r, "%s: %s", path, strerror(-r)) : 0;
}

int target_open(const struct layers_request *request, struct target *ret, struct diag *diag)
{
	_cleanup_free_ char *volume = path_join(request->run_dir, NAME_RUN_VOLUME);
	_cleanup_free_ char *format = volume ? path_join(volume, NAME_FORMAT_FILE) : NULL;
	struct stat st;

	if (!format)
		return -ENOMEM;
	if (stat(format, &st) < 0)
		return diag_set(diag, -ENODEV, "there is no volume at %s (see larder status)",
				volume);
	ret->request = request;
	ret->layers_dir = path_join(volume, NAME_LAYERS_DIR);
	ret->incoming = path_join(volume, NAME_INCOMING_DIR);
	if (!ret->layers_dir || !ret->incoming)
		return -ENOMEM;
	int r = make_directory(ret->layers_dir, diag);
	if (r == 0)
		r = make_directory(ret->incoming, diag);
	if (r < 0) {
		target_done(ret);
		*ret = (struct target){ 0 };
	}
	return r;
}

/* For a layer without a sum: everything in it, hashed, before it gets its name. */
static int verify_copy(const char *path, void *user, struct diag *diag)
{
	const struct target *t = user;
	struct mounted_layers none = { 0 };
	struct layer layer = { .origin = LAYER_ON_VOLUME, .path = strdup(path) };

	if (!layer.path)
		return -ENOMEM;
	_cleanup_strv_ char **broken = NULL;
	int r = layer_open(&layer, t->request->run_dir, NULL, &none, diag);
	if (r == 0)
		r = layer_verify(((struct layer_handle *)layer.private_)->place, &layer.manifest,
				 layer.manifest.name, t->request->progress, t->request->user,
				 &broken);
	if (r == -EBADMSG && broken)
		diag_set(diag, r, "%s", broken[0]);
	layer_done(&layer);
	return r;
}

int target_copy(const struct target *t, const char *file, struct diag *diag)
{
	const char *slash = strrchr(file, '/');
	const struct copy_job job = {
		.from = file,
		.to = t->layers_dir,
		.incoming = t->incoming,
		.name = slash ? slash + 1 : file,
		.progress = t->request->progress,
		.user = t->request->user,
	};

	return copy_layer(&job, verify_copy, (void *)t, diag);
}

static bool is_prunable(const struct layer *layer)
{
	return layer->state == LAYER_SUPERSEDED && layer->origin == LAYER_ON_VOLUME &&
	       !layer->tree && !layer->guards;
}

/* How many superseded layers of the same name are newer than this one. */
static unsigned newer_ones(const struct layers_result *result, const struct layer *layer)
{
	const char *version = layer->manifest.version ? layer->manifest.version : "";
	unsigned n = 0;

	for (size_t i = 0; i < result->n_layers; i++) {
		const struct layer *other = &result->layers[i];
		const char *its = other->manifest.version ? other->manifest.version : "";
		if (other == layer || !is_prunable(other) ||
		    strcmp(other->manifest.name, layer->manifest.name) != 0)
			continue;
		int order = layer_version_compare(its, version);
		n += order > 0 || (order == 0 && other > layer);
	}
	return n;
}

/*
 * May a medium still offer the layer that this is a part of? Then sync goes on with it. What is on one that is not mounted, as after
 * "larder stop", nobody knows.
 */
static bool is_wanted(const struct layers_result *result, const char *part)
{
	for (size_t i = 0; i < result->n_media; i++)
		if (result->media[i].trusted && !result->media[i].mount)
			return copy_part_is_of(part, NULL);
	for (size_t i = 0; i < result->n_layers; i++) {
		const struct layer *layer = &result->layers[i];
		if (layer->state == LAYER_ACTIVE && layer->origin == LAYER_ON_MEDIUM &&
		    !layer->tree && copy_part_is_of(part, layer_file_name(layer)))
			return true;
	}
	return false;
}

/* Deletes what interrupted copies left, and nothing will take up again. How many, or a negative errno. */
static int remove_parts(const struct target *t, struct layers_result *result)
{
	_cleanup_closedir_ DIR *d = opendir(t->incoming);
	int n = 0;

	if (!d)
		return -errno;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (!text_ends_with(e->d_name, PART_SUFFIX) || is_wanted(result, e->d_name))
			continue;
		_cleanup_free_ char *path = path_join(t->incoming, e->d_name);
		if (!path)
			return -ENOMEM;
		if (unlinkat(dirfd(d), e->d_name, 0) < 0)
			continue;
		int r = strv_take(&result->deleted, TAKE_PTR(path));
		if (r == 0)
			r = strv_addf(&result->notes,
				      "%s was deleted: it is part of a copy that was interrupted",
				      e->d_name);
		if (r < 0)
			return r;
		n++;
	}
	return n;
}

int target_make_room(const struct target *t, struct layers_result *result)
{
	_cleanup_free_ bool *doomed = calloc(result->n_layers + 1, sizeof(bool));
	int n = doomed ? remove_parts(t, result) : -ENOMEM;

	if (n < 0)
		return n;
	for (size_t i = 0; i < result->n_layers; i++)
		doomed[i] =
			is_prunable(&result->layers[i]) &&
			newer_ones(result, &result->layers[i]) >= t->request->config->layers.keep;
	for (size_t i = 0; i < result->n_layers; i++) {
		struct layer *layer = &result->layers[i];
		if (!doomed[i])
			continue;
		layer_close(layer);
		int r = beside_remove_all(layer->path);
		if (r == 0)
			r = strv_add(&result->deleted, layer->path);
		if (r == 0)
			r = strv_addf(&result->notes, "%s was deleted: %s", layer_file_name(layer),
				      layer->reason ? layer->reason : "superseded");
		if (r < 0)
			return r;
		n++;
	}
	return n;
}

/* A file beside a layer that is not there; length: of the layer's name in it. */
static bool is_orphan(int dir, const char *name, size_t length)
{
	_cleanup_free_ char *layer = strndup(name, length);
	struct stat st;

	return layer && *layer != '.' && text_ends_with(layer, NAME_LAYER_SUFFIX) &&
	       fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       fstatat(dir, layer, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static int remove_orphan(const struct target *t, int dir, const char *name,
			 struct layers_result *result)
{
	_cleanup_free_ char *path = path_join(t->layers_dir, name);

	if (!path)
		return -ENOMEM;
	if (unlinkat(dir, name, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	int r = strv_take(&result->deleted, TAKE_PTR(path));
	return r < 0 ? r
		     : strv_addf(&result->notes, "%s was deleted: there is no layer beside it",
				 name);
}

int target_remove_orphans(const struct target *t, struct layers_result *result)
{
	_cleanup_closedir_ DIR *d = opendir(t->layers_dir);
	int r = 0;

	if (!d)
		return -errno;
	remove_temporaries_at(dirfd(d), ".", "");
	for (struct dirent *e = readdir(d); r == 0 && e; e = readdir(d)) {
		size_t length = beside_stem(e->d_name);
		if (length && is_orphan(dirfd(d), e->d_name, length))
			r = remove_orphan(t, dirfd(d), e->d_name, result);
	}
	return r == 0 && fsync(dirfd(d)) < 0 ? -errno : r;
}

int target_clean(const struct target *t)
{
	_cleanup_closedir_ DIR *d = opendir(t->incoming);
	int r = 0;

	if (!d)
		return -errno;
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		if (text_ends_with(e->d_name, PART_SUFFIX) && unlinkat(dirfd(d), e->d_name, 0) < 0)
			r = -errno;
	return r;
}
