/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The result's own functions, and taking everything down. */
#include "layers/layers.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/mounts.h"
#include "block/verity.h"
#include "layers/activate.h"
#include "layers/generation.h"
#include "layers/layer_open.h"
#include "layers/media.h"
#include "layers/mount_api.h"
#include "layers/run_lock.h"

/* A copy takes as long as it takes; a shutdown does not wait for it. */
#define STOP_LOCK_MS 30000

const char *layer_state_name(enum layer_state state)
{
	static const char *const names[] = {
		[LAYER_ACTIVE] = "active",   [LAYER_SUPERSEDED] = "superseded",
		[LAYER_MISSING] = "missing", [LAYER_BROKEN] = "broken",
		[LAYER_REFUSED] = "refused", [LAYER_NOT_CONFIGURED] = "not configured",
		[LAYER_GONE] = "gone",
	};

	return names[state];
}

const char *layer_origin_name(enum layer_origin origin)
{
	return origin == LAYER_ON_VOLUME  ? "volume"
	       : origin == LAYER_BUILT_IN ? "built-in"
					  : "medium";
}

static void medium_done(struct medium *m)
{
	free(m->device);
	free(m->label);
	free(m->fstype);
	free(m->mount);
	free(m->reason);
}

void layer_done(struct layer *layer)
{
	layer_close(layer);
	layer_manifest_done(&layer->manifest);
	free(layer->path);
	free(layer->reason);
	free(layer->mount);
	free(layer->link);
	free(layer->root_hash);
	free(layer->note);
}

void layers_result_done(struct layers_result *result)
{
	for (size_t i = 0; i < result->n_layers; i++)
		layer_done(&result->layers[i]);
	for (size_t i = 0; i < result->n_media; i++)
		medium_done(&result->media[i]);
	free(result->layers);
	free(result->media);
	strv_free(result->conflicts);
	strv_free(result->deleted);
	strv_free(result->notes);
	*result = (struct layers_result){ 0 };
}

/* All mounts below RUN/layers, the newest first, whether or not we know their files. */
static int unmount_layers(const char *run_dir)
{
	_cleanup_mounts_ struct mounts mounts = { 0 };
	_cleanup_free_ char *prefix = text_format("%s/" NAME_RUN_LAYERS "/", run_dir);
	int result = prefix ? mounts_now(&mounts) : -ENOMEM;

	for (size_t i = mounts.n_entries; i-- > 0;) {
		if (!text_starts_with(mounts.entries[i].point, prefix))
			continue;
		int r = unmount(mounts.entries[i].point);
		if (r < 0)
			result = r;
	}
	return result;
}

int layers_stop(const char *run_dir, struct diag *diag)
{
	const struct layers_request request = { .run_dir = run_dir };
	struct layers_request settled;
	_cleanup_free_ char *real = NULL;
	_cleanup_close_ int lock = -1;
	struct stat st;

	if (stat(run_dir, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	int r = run_lock_within(&request, STOP_LOCK_MS, &settled, &real, &lock, diag);
	if (r < 0)
		return r;
	int generations = generation_clean(real, 0);
	int layers = unmount_layers(real);
	layers_clean_links(real, NULL);
	verity_clean();
	int media = media_stop(real);
	r = generations < 0 ? generations : layers < 0 ? layers : media;
	if (r == -EBUSY)
		return diag_set(diag, r,
				"%s of %s is still in use; it is detached and goes when its last "
				"user ends",
				generations < 0 ? "the generation"
				: layers < 0	? "a layer"
						: "a medium",
				real);
	return r < 0 ? diag_set(diag, r, "cannot unmount what is below %s: %s", real, strerror(-r))
		     : 0;
}
