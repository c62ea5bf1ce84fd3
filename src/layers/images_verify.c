/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/images.h"
#include "layers/layer_check.h"
#include "layers/layer_open.h"
#include "store/place.h"

/* Everything in the loose tree's blob/, and all its manifests: there is no list, so the names are the list. */
static int list_blobs(int volume, struct layer_manifest *ret)
{
	_cleanup_closedir_ DIR *d = opendir_at(volume, NAME_BLOB_DIR, O_NOFOLLOW);
	size_t room = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *e = next_entry(d); e; e = next_entry(d)) {
		struct digest digest;
		if (digest_parse_file_name(e->d_name, &digest) < 0)
			continue;
		if (ret->n_blobs == room) {
			room = room ? 2 * room : 64;
			struct digest *larger = reallocarray(ret->blobs, room, sizeof(*larger));
			if (!larger)
				return -ENOMEM;
			ret->blobs = larger;
		}
		ret->blobs[ret->n_blobs++] = digest;
	}
	return -errno;
}

static int verify_loose(const struct layers_request *request, char ***broken)
{
	_cleanup_free_ char *path = path_join(request->run_dir, NAME_RUN_VOLUME);
	_cleanup_layer_manifest_ struct layer_manifest m = { 0 };
	_cleanup_(place_unrefp) struct place *loose = NULL;
	_cleanup_close_ int volume = -1;

	if (!path)
		return -ENOMEM;
	volume = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (volume < 0)
		return 0;
	int r = list_blobs(volume, &m);
	if (r < 0 && r != -ENOMEM)
		r = strv_addf(broken, "%s/" NAME_BLOB_DIR ": it cannot be listed: %s", path,
			      strerror(-r));
	if (r == 0)
		r = place_new_directory(TAKE_FD(volume), &loose);
	if (r == 0)
		r = layer_verify(loose, &m, path, request->progress, request->user, broken);
	return r == -EBADMSG ? 0 : r;
}

int images_verify(const struct layers_request *request, const struct layers_result *layers,
		  char ***ret_broken)
{
	_cleanup_strv_ char **broken = NULL;
	int r = verify_loose(request, &broken);

	for (size_t i = 0; r == 0 && i < layers->n_layers; i++) {
		const struct layer *layer = &layers->layers[i];
		const struct layer_handle *h = layer->private_;
		if (layer->state != LAYER_ACTIVE || !h)
			continue;
		r = layer_verify(h->place, &layer->manifest, layer->path, request->progress,
				 request->user, &broken);
		if (r == -EBADMSG)
			r = 0;
	}
	if (r == 0)
		*ret_broken = TAKE_PTR(broken);
	return r;
}
