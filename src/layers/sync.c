/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layers from media to the volume; then the generation that uses the copies; then the media go. */
#include <string.h>

#include "base/text.h"
#include "layers/activate.h"
#include "layers/find.h"
#include "layers/media.h"
#include "layers/run_lock.h"
#include "layers/target.h"
#include "layers/tree_sync.h"

struct sync {
	const struct layers_request *request;
	struct layers_result *result;
	struct target target;
	bool full;
	unsigned failed, failed_images;
};

static int note_failure(struct sync *s, const struct layer *layer, int err, struct diag *why)
{
	s->failed++;
	s->full |= err == -ENOSPC;
	int r = strv_addf(&s->result->notes, "%s was not copied: %s", layer_file_name(layer),
			  why->message ? diag_text(why) : strerror(-err));
	for (size_t i = 0; r == 0 && err == -ENOSPC && i < layer->manifest.n_images; i++)
		r = strv_addf(&s->result->notes, "not on the volume: %s",
			      layer->manifest.images[i].reference);
	return r;
}

static int copy_one(struct sync *s, const struct layer *layer)
{
	_cleanup_diag_ struct diag why = DIAG_INIT;
	int r = target_copy(&s->target, layer->path, &why);

	if (r == -ENOSPC && target_make_room(&s->target, s->result) > 0) {
		diag_done(&why);
		r = target_copy(&s->target, layer->path, &why);
	}
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return note_failure(s, layer, r, &why);
	s->result->copied++;
	return 0;
}

/* The images of a cache tree, one by one; what is superseded goes first if there is no room. */
static int copy_tree(struct sync *s, const struct layer *tree)
{
	_cleanup_strv_ char **notes = NULL;
	struct tree_sync counts = { 0 };
	int r = tree_sync(s->request, s->result, tree, &counts, &notes);
	unsigned copied = counts.copied;

	if (r == 0 && counts.full && target_make_room(&s->target, s->result) > 0) {
		strv_free(notes);
		notes = NULL;
		r = tree_sync(s->request, s->result, tree, &counts, &notes);
		copied += counts.copied;
	}
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return note_failure(s, tree, r, &(struct diag){ 0 });
	s->full |= counts.full;
	s->failed_images += counts.failed;
	s->result->copied_images += copied;
	STRV_FOREACH (note, notes)
		if (strv_add(&s->result->notes, *note) < 0)
			return -ENOMEM;
	return 0;
}

/* The lowest first; name NULL: whatever they are called. */
static int copy_layers(struct sync *s, const char *name)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->result->n_layers; i++) {
		const struct layer *layer = &s->result->layers[i];
		if (layer->state == LAYER_ACTIVE && layer->origin == LAYER_ON_MEDIUM &&
		    !layer->tree && (!name || strcmp(layer->manifest.name, name) == 0))
			r = copy_one(s, layer);
	}
	return r;
}

/*
 * Layers as CacheLayerConfig lists them, which says what matters most where room is short (one that it does not list is not active).
 * Then trees, the highest first: of two trees that have one tag, the higher one's counts.
 */
static int copy_all(struct sync *s)
{
	const struct layer_config *config = &s->request->config->layers;
	int r = config->n_layers ? 0 : copy_layers(s, NULL);

	for (size_t i = 0; r == 0 && i < config->n_layers; i++)
		r = copy_layers(s, config->layers[i].name);
	for (size_t i = s->result->n_layers; r == 0 && i-- > 0;) {
		const struct layer *layer = &s->result->layers[i];
		if (layer->state == LAYER_ACTIVE && layer->tree)
			r = copy_tree(s, layer);
	}
	return r;
}

/* What was learnt before goes on into the result of the second activation. */
static void keep_notes(struct layers_result *from, struct layers_result *to)
{
	STRV_FOREACH (note, from->notes)
		if (!strv_contains(to->notes, *note))
			(void)strv_add(&to->notes, *note);
	STRV_FOREACH (file, from->deleted)
		(void)strv_add(&to->deleted, *file);
	to->copied = from->copied;
	to->copied_images = from->copied_images;
	to->changed |= from->changed;
}

/* The verdict over all that was tried. */
static int judge(const struct sync *s, struct diag *diag)
{
	const struct layers_result *result = s->result;
	char images[64] = "";

	if (!s->failed && !s->failed_images)
		return 0;
	if (s->failed_images)
		snprintf(images, sizeof(images), "%s%u of %u images", s->failed ? " and " : "",
			 s->full ? result->copied_images : s->failed_images,
			 result->copied_images + s->failed_images);
	char layers[64] = "";
	if (s->failed)
		snprintf(layers, sizeof(layers), "%u of %u layers",
			 s->full ? result->copied : s->failed, result->copied + s->failed);
	return s->full ? diag_set(diag, -ENOSPC,
				  "the volume is full: %s%s were copied; " LAYERS_MAKE_ROOM, layers,
				  images)
		       : diag_set(diag, -EIO, "%s%s could not be copied", layers, images);
}

/* Was there nothing on media to copy? Then the first activation is the last one. */
static bool is_settled(const struct layers_result *result)
{
	for (size_t i = 0; i < result->n_layers; i++)
		if (result->layers[i].state == LAYER_ACTIVE &&
		    result->layers[i].origin == LAYER_ON_MEDIUM)
			return false;
	return true;
}

/* Nothing can be copied; but what is in place is mounted as it is now. -ENODEV as in why: something should have been copied. */
static int sync_without_volume(const struct layers_request *request, struct diag *why,
			       struct layers_result *ret, struct diag *diag)
{
	_cleanup_layers_result_ struct layers_result result = { 0 };
	int r = layers_activate_locked(request, &result, diag);

	if (r < 0)
		return r;
	if (result.n_layers == 0 || !is_settled(&result))
		return diag_set(diag, -ENODEV, "%s", diag_text(why));
	(void)media_release(&result);
	*ret = result;
	result = (struct layers_result){ 0 };
	return 0;
}

static int sync_locked(const struct layers_request *request, struct layers_result *ret,
		       struct diag *diag)
{
	_cleanup_layers_result_ struct layers_result before = { 0 }, after = { 0 };
	struct sync s = { .request = request, .result = &before };
	_cleanup_diag_ struct diag why = DIAG_INIT;
	int r = target_open(request, &s.target, &why);

	if (r == -ENODEV)
		return sync_without_volume(request, &why, ret, diag);
	if (r < 0 && why.message)
		return diag_set(diag, r, "%s", diag_text(&why));
	if (r == 0)
		r = layers_activate_locked(request, &before, diag);
	if (r == 0)
		r = copy_all(&s);
	if (r == 0 && s.failed == 0 && s.failed_images == 0)
		(void)target_clean(&s.target);
	target_done(&s.target);
	if (r < 0)
		return r;
	if (is_settled(&before)) {
		(void)media_release(&before);
		*ret = before;
		before = (struct layers_result){ 0 };
		return 0;
	}
	r = layers_activate_locked(request, &after, diag);
	if (r < 0)
		return r;
	keep_notes(&before, &after);
	(void)media_release(&after);
	*ret = after;
	after = (struct layers_result){ 0 };
	return judge(&s, diag);
}

int layers_sync(const struct layers_request *request, struct layers_result *ret, struct diag *diag)
{
	_cleanup_free_ char *run_dir = NULL;
	_cleanup_close_ int lock = -1;
	struct layers_request settled;
	int r = run_lock(request, &settled, &run_dir, &lock, diag);

	return r < 0 ? r : sync_locked(&settled, ret, diag);
}
