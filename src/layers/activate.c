/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what lies around to one generation: find, open and check each, choose, mount, merge, publish, clean up. */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/verity.h"
#include "layers/activate.h"
#include "layers/find.h"
#include "layers/generation.h"
#include "layers/in_use.h"
#include "layers/layers.h"
#include "layers/media.h"
#include "layers/mount_api.h"
#include "layers/open_all.h"
#include "layers/replace.h"
#include "layers/run_lock.h"
#include "layers/select.h"
#include "layers/tree_sync.h"
#include "layers/trust.h"

#define READ_AHEAD_BYTES (128 * 1024)

/* Each candidate keeps a descriptor or two until the generation stands. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= 2 * LAYERS_MAX + 256)
		return;
	limit.rlim_cur =
		limit.rlim_max < 2 * LAYERS_MAX + 256 ? limit.rlim_max : 2 * LAYERS_MAX + 256;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * What checking a layer reads lies at both ends of its file: manifests at the front, tables at the back. Asking for all of it
 * before the first is opened lets the disk sort the reads.
 */
static void read_ahead(const struct layers_result *result)
{
	for (size_t i = 0; i < result->n_layers; i++) {
		struct stat st;
		_cleanup_close_ int fd =
			open(result->layers[i].path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (result->layers[i].tree || fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		(void)posix_fadvise(fd, 0, READ_AHEAD_BYTES, POSIX_FADV_WILLNEED);
		if (st.st_size > 2 * READ_AHEAD_BYTES)
			(void)posix_fadvise(fd, st.st_size - READ_AHEAD_BYTES, READ_AHEAD_BYTES,
					    POSIX_FADV_WILLNEED);
	}
}

/* How a layer is mounted is of interest only where it is. */
static int add_notes(struct layers_result *result)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < result->n_layers; i++) {
		const struct layer *layer = &result->layers[i];
		if (layer->state == LAYER_ACTIVE && layer->note)
			r = strv_addf(&result->notes, "%s: %s", layer->path, layer->note);
	}
	return r;
}

static int mount_active(const struct layers_request *request, struct layers_result *result)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < result->n_layers; i++) {
		_cleanup_diag_ struct diag why = DIAG_INIT;
		struct layer *layer = &result->layers[i];
		if (layer->state != LAYER_ACTIVE)
			continue;
		int e = layer_mount(layer, request->run_dir, &why);
		if (e == -ENOMEM)
			return e;
		if (e < 0)
			r = layer_mark_broken(layer, e, &why);
	}
	return r;
}

/* Is it another copy of what is active? */
static bool is_spare(const struct layers_result *result, const struct layer *layer)
{
	if (layer->state != LAYER_SUPERSEDED || layer->tree || !layer->private_)
		return false;
	for (size_t i = 0; i < result->n_layers; i++)
		if (result->layers[i].state == LAYER_ACTIVE && !result->layers[i].tree &&
		    digest_equal(&result->layers[i].id, &layer->id))
			return true;
	return false;
}

/* Without its link, a spare is none; that is all. */
static int link_spares(const struct layers_request *request, struct layers_result *result)
{
	for (size_t i = 0; i < result->n_layers; i++)
		if (is_spare(result, &result->layers[i]) &&
		    layer_make_spare(&result->layers[i], request->run_dir, NULL) == -ENOMEM)
			return -ENOMEM;
	return 0;
}

/* What the generation is made of, the first on top, and spares. What the parts point to is the layers'. */
static int active_parts(const struct layers_result *result, struct part **ret, size_t *ret_n)
{
	struct part *parts = calloc(result->n_layers + 1, sizeof(*parts));
	size_t n = 0;

	if (!parts)
		return -ENOMEM;
	for (size_t i = result->n_layers; i-- > 0;) {
		const struct layer *layer = &result->layers[i];
		if (layer->state == LAYER_ACTIVE && (layer->mount || layer->link))
			parts[n++] = layer_part(layer);
	}
	for (size_t i = result->n_layers; n > 0 && n < PARTS_MAX && i-- > 0;) {
		const struct layer *layer = &result->layers[i];
		if (layer->state == LAYER_SUPERSEDED && layer->link)
			parts[n++] = layer_part(layer);
	}
	*ret = parts;
	*ret_n = n;
	return 0;
}

static int publish(const struct layers_request *request, struct layers_result *result,
		   struct diag *diag)
{
	_cleanup_free_ struct part *parts = NULL;
	_cleanup_free_ char *apart = NULL;
	size_t n = 0;
	int r = active_parts(result, &parts, &n);

	if (r < 0)
		return r;
	result->generation = generation_current(request->run_dir);
	if (n == 0) {
		result->changed = result->generation != 0;
		result->generation = 0;
		return 0;
	}
	if (result->generation && generation_is(request->run_dir, result->generation, parts, n))
		return 0;
	r = generation_publish(request->run_dir, parts, n, &result->generation, &apart, diag);
	result->changed = r == 0;
	if (r == 0 && apart)
		r = strv_addf(&result->notes, "%s; the registry asks them one by one", apart);
	return r;
}

static bool link_is_used(const struct layers_result *result, const char *name)
{
	for (size_t i = 0; i < result->n_layers; i++) {
		const struct layer *layer = &result->layers[i];
		const char *slash = layer->link ? strrchr(layer->link, '/') : NULL;
		bool used = layer->state == LAYER_ACTIVE || layer->state == LAYER_SUPERSEDED;
		if (used && slash && strcmp(slash + 1, name) == 0)
			return true;
	}
	return false;
}

void layers_clean_links(const char *run_dir, const struct layers_result *result)
{
	_cleanup_free_ char *path = path_join(run_dir, NAME_RUN_LAYERS);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;

	if (dir)
		remove_temporaries_at(dirfd(dir), ".", "");
	for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
		if (!text_ends_with(e->d_name, NAME_LAYER_SUFFIX))
			/* A mount point is busy; a run that was killed before it mounted leaves an empty directory. */
			(void)unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
		else if (!result || !link_is_used(result, e->d_name))
			(void)unlinkat(dirfd(dir), e->d_name, 0);
}

/* What the new generation does not use: older generations first, since they hold the layers. */
static void clean_up(const struct layers_request *request, struct layers_result *result,
		     struct mounted_layers *mounted)
{
	(void)generation_clean(request->run_dir, result->generation);
	for (size_t i = 0; i < mounted->n; i++) {
		bool needed = false;
		for (size_t k = 0; k < result->n_layers; k++)
			needed |= result->layers[k].state == LAYER_ACTIVE &&
				  result->layers[k].mount &&
				  strcmp(result->layers[k].mount, mounted->list[i].point) == 0;
		if (!needed)
			(void)unmount(mounted->list[i].point);
	}
	layers_clean_links(request->run_dir, result);
	verity_clean();
	for (size_t i = 0; i < result->n_layers; i++) {
		struct layer *layer = &result->layers[i];
		if (layer->state == LAYER_ACTIVE || layer->tree)
			continue;
		free(layer->mount);
		layer->mount = NULL;
	}
}

static void close_all(struct layers_result *result)
{
	for (size_t i = 0; i < result->n_layers; i++)
		layer_close(&result->layers[i]);
}

/* A replacement that was interrupted is old or new, and never something between; one that cannot be completed is told. */
static int finish_replacements(const struct layers_request *request, struct layers_result *result)
{
	_cleanup_free_ char *volume = path_join(request->run_dir, NAME_RUN_VOLUME);
	_cleanup_free_ char *incoming = volume ? path_join(volume, NAME_INCOMING_DIR) : NULL;
	_cleanup_free_ char *layers = volume ? path_join(volume, NAME_LAYERS_DIR) : NULL;
	_cleanup_diag_ struct diag why = DIAG_INIT;

	if (!incoming || !layers)
		return -ENOMEM;
	int r = replace_finish_all(incoming, layers, &why);
	if (r == 0 || r == -ENOMEM)
		return r;
	return strv_add(&result->notes, diag_text(&why));
}

/* Finds, opens and chooses: everything but the mounting. */
static int survey(const struct layers_request *request, struct layers_result *result, bool mount,
		  struct mounted_layers *mounted, struct diag *diag)
{
	raise_descriptor_limit();
	int r = media_find(request, mount, result, diag);
	if (r == 0)
		r = finish_replacements(request, result);
	if (r == 0)
		r = layers_find(request, result, diag);
	if (r == 0)
		r = mounted_layers_read(request->run_dir, mounted);
	if (r == 0)
		read_ahead(result);
	/* What a killed run left half made must not pass for a whole device. */
	verity_clean();
	if (r == 0)
		r = layers_open_all(request, result, mounted);
	if (r == 0)
		r = trust_check(request, result);
	if (r == 0)
		r = layers_select(&request->config->layers, result);
	if (r == 0)
		r = add_notes(result);
	return r < 0 ? r : trees_settle(request->run_dir, result);
}

int layers_activate_locked(const struct layers_request *request, struct layers_result *ret,
			   struct diag *diag)
{
	_cleanup_(mounted_layers_done) struct mounted_layers mounted = { 0 };
	_cleanup_layers_result_ struct layers_result result = { 0 };
	int r = survey(request, &result, true, &mounted, diag);

	if (r == 0)
		r = mount_active(request, &result);
	if (r == 0)
		r = link_spares(request, &result);
	if (r == 0)
		r = publish(request, &result, diag);
	if (r == 0)
		clean_up(request, &result, &mounted);
	close_all(&result);
	if (r < 0)
		return r;
	*ret = result;
	result = (struct layers_result){ 0 };
	return 0;
}

int layers_activate(const struct layers_request *request, struct layers_result *ret,
		    struct diag *diag)
{
	_cleanup_free_ char *run_dir = NULL;
	_cleanup_close_ int lock = -1;
	struct layers_request settled;
	int r = run_lock(request, &settled, &run_dir, &lock, diag);

	return r < 0 ? r : layers_activate_locked(&settled, ret, diag);
}

int layers_survey_locked(const struct layers_request *request, struct layers_result *ret,
			 struct diag *diag)
{
	_cleanup_(mounted_layers_done) struct mounted_layers mounted = { 0 };
	_cleanup_layers_result_ struct layers_result result = { 0 };
	int r = survey(request, &result, false, &mounted, diag);

	if (r < 0)
		return r;
	r = layers_describe_use(request, &result);
	if (r < 0)
		return r;
	*ret = result;
	result = (struct layers_result){ 0 };
	return 0;
}

int layers_inspect(const struct layers_request *request, struct layers_result *ret,
		   struct diag *diag)
{
	_cleanup_free_ char *run_dir = NULL;
	_cleanup_close_ int lock = -1;
	struct layers_request settled;
	int r = run_lock(request, &settled, &run_dir, &lock, diag);

	if (r == 0)
		r = layers_survey_locked(&settled, ret, diag);
	if (r == 0)
		close_all(ret);
	return r;
}
