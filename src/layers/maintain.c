/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an administrator does with layers by hand: add, prune, verify. */
#include <string.h>

#include "base/text.h"
#include "layers/activate.h"
#include "layers/find.h"
#include "layers/layer_check.h"
#include "layers/layer_open.h"
#include "layers/media.h"
#include "layers/run_lock.h"
#include "layers/target.h"
#include "layers/trust.h"
#include "layers/version.h"

/* With trust.required, what would be refused is not copied. */
static int check_trust(const struct layers_request *request, struct layer *layer, struct diag *diag)
{
	struct layers_result alone = { .layers = layer, .n_layers = 1 };

	if (!request->config->layers.trust_required)
		return 0;
	int r = trust_check(request, &alone);
	if (r == 0 && !layer->is_signed)
		r = diag_set(
			diag, -EPERM,
			"%s, which trust.required of CacheLayerConfig wants, and it is not copied%s%s",
			layer->unchecked ? "its signature cannot be checked"
					 : "it is not signed by a trusted key",
			alone.notes ? "; " : "", alone.notes ? alone.notes[0] : "");
	strv_free(alone.notes);
	return r;
}

/* Refuses what is no layer before anything is copied. -EBADMSG: it is a damaged one, or none inside. */
static int check_file(const struct layers_request *request, const char *file, struct diag *diag)
{
	const char *slash = strrchr(file, '/');
	struct mounted_layers none = { 0 };
	struct layer layer = { .origin = LAYER_ON_VOLUME, .path = strdup(file) };

	if (!layer.path)
		return -ENOMEM;
	int r = layer_file_name_parse(slash ? slash + 1 : file, &layer.manifest.name,
				      &layer.manifest.version);
	if (r == -EINVAL) {
		r = diag_set(diag, -EINVAL, "a layer is called NAME-VERSION.sqsh");
	} else if (r == 0) {
		r = layer_open(&layer, request->run_dir, &request->config->layers, &none, diag);
		r = r == -EINVAL ? -EBADMSG : r;
	}
	if (r == 0)
		r = check_trust(request, &layer, diag);
	layer_done(&layer);
	return r < 0 ? diag_prefix(diag, r, "%s", file) : 0;
}

/* The room of a file that was replaced or deleted is free only when it is not served any more. */
static bool takes_room_unseen(const struct layers_result *result)
{
	for (size_t i = 0; i < result->n_layers; i++) {
		const struct layer *layer = &result->layers[i];
		if (layer->state == LAYER_GONE ||
		    (layer->state == LAYER_ACTIVE && !layer->mount && !layer->link))
			return true;
	}
	return false;
}

static int add_one(const struct target *target, const char *file, struct layers_result *before,
		   struct diag *diag)
{
	int r = check_file(target->request, file, diag);

	if (r < 0)
		return r;
	r = target_copy(target, file, diag);
	if (r == -ENOSPC && target_make_room(target, before) > 0)
		r = target_copy(target, file, diag);
	if (r != -ENOSPC || !diag || !diag->message)
		return r;
	if (takes_room_unseen(before))
		return diag_set(
			diag, r,
			"%s; a file that was replaced or deleted is served still, and takes "
			"room: \"larder layers sync\" lets go of it",
			diag_text(diag));
	return diag_set(diag, r, "%s; " LAYERS_MAKE_ROOM, diag_text(diag));
}

static int add_locked(const struct layers_request *request, char *const *files,
		      struct layers_result *ret, struct diag *diag)
{
	_cleanup_layers_result_ struct layers_result before = { 0 };
	struct target target = { 0 };
	unsigned copied = 0;
	int failed = 0;
	int r = target_open(request, &target, diag);

	if (r == 0)
		r = layers_survey_locked(request, &before, diag);
	for (; r == 0 && failed == 0 && files && *files; files++) {
		failed = add_one(&target, *files, &before, diag);
		copied += failed == 0;
	}
	target_done(&target);
	/* A failed file does not keep those before it from being used. */
	if (r == 0 && (failed == 0 || copied))
		r = layers_activate_locked(request, ret, failed ? NULL : diag);
	if (r == 0) {
		(void)media_release(ret);
		ret->copied = copied;
		STRV_FOREACH (note, before.notes)
			if (!strv_contains(ret->notes, *note))
				(void)strv_add(&ret->notes, *note);
		STRV_FOREACH (deleted, before.deleted)
			(void)strv_add(&ret->deleted, *deleted);
	}
	return r < 0 ? r : failed;
}

int layers_add_files(const struct layers_request *request, char *const *files,
		     struct layers_result *ret, struct diag *diag)
{
	_cleanup_free_ char *run_dir = NULL;
	_cleanup_close_ int lock = -1;
	struct layers_request settled;
	int r = run_lock(request, &settled, &run_dir, &lock, diag);

	return r < 0 ? r : add_locked(&settled, files, ret, diag);
}

/* Without those that are not wanted. */
static void keep(struct layers_result *result, char *const *list,
		 bool (*is_wanted)(const struct layer *layer, char *const *list))
{
	size_t n = 0;

	for (size_t i = 0; i < result->n_layers; i++) {
		struct layer *layer = &result->layers[i];
		if (is_wanted(layer, list))
			result->layers[n++] = *layer;
		else
			layer_done(layer);
	}
	result->n_layers = n;
}

static bool is_left(const struct layer *layer, char *const *deleted)
{
	return !layer->path || !strv_contains(deleted, layer->path);
}

int layers_prune(const struct layers_request *request, struct layers_result *ret, struct diag *diag)
{
	_cleanup_layers_result_ struct layers_result result = { 0 };
	_cleanup_free_ char *run_dir = NULL;
	_cleanup_close_ int lock = -1;
	struct layers_request settled;
	struct target target = { 0 };
	int r = run_lock(request, &settled, &run_dir, &lock, diag);

	if (r == 0)
		r = target_open(&settled, &target, diag);
	if (r == 0)
		r = layers_survey_locked(&settled, &result, diag);
	if (r == 0)
		r = target_make_room(&target, &result);
	if (r >= 0)
		r = target_remove_orphans(&target, &result);
	target_done(&target);
	if (r < 0)
		return r;
	keep(&result, result.deleted, is_left);
	*ret = result;
	result = (struct layers_result){ 0 };
	return 0;
}

/* The first, and how many there are besides. NULL: out of memory. */
static char *first_of(char *const *lines)
{
	size_t more = strv_length(lines) - 1;

	return more ? text_format("%s, and %zu more", lines[0], more) : strdup(lines[0]);
}

static int verify_one(const struct layers_request *request, struct layer *layer)
{
	const struct layer_handle *h = layer->private_;
	_cleanup_strv_ char **broken = NULL;

	if (layer->state == LAYER_BROKEN || layer->tree || !h)
		return 0;
	int r = layer_verify(h->place, &layer->manifest, layer_file_name(layer), request->progress,
			     request->user, &broken);
	if (r != -EBADMSG)
		return r;
	layer->state = LAYER_BROKEN;
	free(layer->reason);
	layer->reason = broken ? first_of(broken) : strdup(strerror(-r));
	return layer->reason ? 0 : -ENOMEM;
}

static int find_names(char *const *names, const struct layers_result *result, struct diag *diag)
{
	for (; names && *names; names++) {
		bool found = false;
		for (size_t i = 0; i < result->n_layers; i++)
			found |= strcmp(result->layers[i].manifest.name, *names) == 0;
		if (!found)
			return diag_set(diag, -ENOENT, "there is no layer called \"%s\"", *names);
	}
	return 0;
}

/* What nobody asked about is neither hashed nor counted. */
static bool is_asked(const struct layer *layer, char *const *names)
{
	return strv_contains(names, layer->manifest.name);
}

int layers_verify(const struct layers_request *request, char *const *names,
		  struct layers_result *ret, struct diag *diag)
{
	_cleanup_layers_result_ struct layers_result result = { 0 };
	_cleanup_free_ char *run_dir = NULL;
	_cleanup_close_ int lock = -1;
	struct layers_request settled;
	int r = run_lock(request, &settled, &run_dir, &lock, diag);

	if (r == 0)
		r = layers_survey_locked(&settled, &result, diag);
	lock = close_fd(lock); /* hashing takes long, and what is open stays open */
	if (r == 0)
		r = find_names(names, &result, diag);
	if (r == 0 && names && *names)
		keep(&result, names, is_asked);
	for (size_t i = 0; r == 0 && i < result.n_layers; i++)
		r = verify_one(request, &result.layers[i]);
	if (r < 0)
		return r;
	*ret = result;
	result = (struct layers_result){ 0 };
	return 0;
}
