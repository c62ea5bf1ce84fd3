/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layers from media to the volume; then the generation that uses the copies; then the media go. */
#include <string.h>

#include "base/text.h"
#include "layers/find.h"
#include "layers/media.h"
#include "layers/run_lock.h"
#include "layers/target.h"

struct sync {
	const struct layers_request *request;
	struct layers_result *result;
	struct target target;
	bool full;
	unsigned failed;
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

static int copy_all(struct sync *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->result->n_layers; i++) {
		const struct layer *layer = &s->result->layers[i];
		if (layer->state == LAYER_ACTIVE && layer->origin == LAYER_ON_MEDIUM &&
		    !layer->tree)
			r = copy_one(s, layer);
	}
	return r;
}

/* What was learnt before goes on into the result of the second activation. */
static void keep_notes(struct layers_result *from, struct layers_result *to)
{
	STRV_FOREACH (note, from->notes)
		if (!strv_contains(to->notes, *note))
			(void)strv_add(&to->notes, *note);
	to->copied = from->copied;
	to->changed |= from->changed;
}

static int sync_locked(const struct layers_request *request, struct layers_result *ret,
		       struct diag *diag)
{
	_cleanup_layers_result_ struct layers_result before = { 0 }, after = { 0 };
	struct sync s = { .request = request, .result = &before };
	int r = target_open(request, &s.target, diag);

	if (r == 0)
		r = layers_activate_locked(request, &before, diag);
	if (r == 0)
		r = copy_all(&s);
	if (r == 0 && s.failed == 0)
		(void)target_clean(&s.target);
	target_done(&s.target);
	if (r == 0)
		r = layers_activate_locked(request, &after, diag);
	if (r < 0)
		return r;
	keep_notes(&before, &after);
	(void)media_release(request->run_dir, &after);
	*ret = after;
	after = (struct layers_result){ 0 };
	if (s.full)
		return diag_set(diag, -ENOSPC, "the volume is full: %u of %u layers were copied",
				ret->copied, ret->copied + s.failed);
	return s.failed ? diag_set(diag, -EIO, "%u of %u layers could not be copied", s.failed,
				   ret->copied + s.failed)
			: 0;
}

int layers_sync(const struct layers_request *request, struct layers_result *ret, struct diag *diag)
{
	_cleanup_free_ char *run_dir = NULL;
	_cleanup_close_ int lock = -1;
	struct layers_request settled;
	int r = run_lock(request, &settled, &run_dir, &lock, diag);

	return r < 0 ? r : sync_locked(&settled, ret, diag);
}
