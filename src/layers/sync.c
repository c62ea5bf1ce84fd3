/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layers from media to the volume; then the generation that uses the copies; then the media go. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "block/mounts.h"
#include "layers/copy.h"
#include "layers/find.h"
#include "layers/layer_check.h"
#include "layers/layer_open.h"
#include "layers/media.h"
#include "layers/run_lock.h"

struct sync {
	const struct layers_request *request;
	struct layers_result *result;
	char *layers_dir, *incoming; /* on the volume */
	bool full;
	unsigned failed;
	struct diag *diag;
};

/* Copying into an empty directory of /run would fill memory: it must be a volume that larder prepared. */
static int find_volume(struct sync *s)
{
	_cleanup_free_ char *volume = path_join(s->request->run_dir, NAME_RUN_VOLUME);
	_cleanup_free_ char *format = volume ? path_join(volume, NAME_FORMAT_FILE) : NULL;
	struct stat st;

	if (!format)
		return -ENOMEM;
	if (stat(format, &st) < 0)
		return diag_set(s->diag, -ENODEV,
				"there is no volume at %s to copy to (see larder status)", volume);
	s->layers_dir = path_join(volume, NAME_LAYERS_DIR);
	s->incoming = path_join(volume, NAME_INCOMING_DIR);
	if (!s->layers_dir || !s->incoming)
		return -ENOMEM;
	int r = mkdir_all_at(AT_FDCWD, s->layers_dir, 0755);
	return r < 0 ? r : mkdir_all_at(AT_FDCWD, s->incoming, 0755);
}

/* For a layer without a sum: everything in it, hashed, before it gets its name. */
static int verify_copy(const char *path, void *user, struct diag *diag)
{
	const struct sync *s = user;
	struct mounted_layers none = { 0 };
	struct layer layer = { .origin = LAYER_ON_VOLUME, .path = strdup(path) };

	if (!layer.path)
		return -ENOMEM;
	int r = layer_open(&layer, s->request->run_dir, &none, diag);
	if (r == 0)
		r = layer_verify(((struct layer_handle *)layer.private_)->dir, &layer.manifest,
				 s->request->progress, s->request->user, diag);
	layer_close(&layer);
	layer_manifest_done(&layer.manifest);
	free(layer.path);
	return r;
}

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
	const struct copy_job job = {
		.from = layer->path,
		.to = s->layers_dir,
		.incoming = s->incoming,
		.name = layer_file_name(layer),
		.progress = s->request->progress,
		.user = s->request->user,
	};
	int r = copy_layer(&job, verify_copy, s, &why);

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
	struct sync s = { .request = request, .result = &before, .diag = diag };
	int r = find_volume(&s);

	if (r == 0)
		r = layers_activate_locked(request, &before, diag);
	if (r == 0)
		r = copy_all(&s);
	free(s.layers_dir);
	free(s.incoming);
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
