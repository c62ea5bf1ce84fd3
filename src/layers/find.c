/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/find.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/version.h"
#include "store/tree.h"

static const char *const built_in[] = { "/usr/lib/larder/layers", "/var/lib/larder/layers" };

struct layer *layers_add(struct layers_result *result)
{
	size_t n = result->n_layers;

	if ((n & (n - 1)) == 0) {
		struct layer *larger = reallocarray(result->layers, n ? 2 * n : 1, sizeof(*larger));
		if (!larger)
			return NULL;
		result->layers = larger;
	}
	result->layers[n] = (struct layer){ 0 };
	result->n_layers++;
	return &result->layers[n];
}

const char *layer_file_name(const struct layer *layer)
{
	const char *slash = layer->path ? strrchr(layer->path, '/') : NULL;

	return slash ? slash + 1 : layer->path ? layer->path : "";
}

int layer_order(const void *a, const void *b)
{
	const struct layer *x = a, *y = b;
	bool medium_x = x->origin == LAYER_ON_MEDIUM, medium_y = y->origin == LAYER_ON_MEDIUM;

	if (medium_x != medium_y)
		return medium_x ? -1 : 1;
	if (x->tree != y->tree)
		return x->tree ? -1 : 1;
	int order = natural_compare(layer_file_name(x), layer_file_name(y));
	if (order == 0)
		order = (int)y->origin - (int)x->origin;
	return order ? order : natural_compare(x->path ? x->path : "", y->path ? y->path : "");
}

/* What the file name says, until the layer manifest says it. A name that says nothing is shown as it is. */
static int name_layer(struct layer *layer, const char *file)
{
	int r = layer_file_name_parse(file, &layer->manifest.name, &layer->manifest.version);

	if (r != -EINVAL)
		return r;
	layer->manifest.name = strdup(file);
	return layer->manifest.name ? 0 : -ENOMEM;
}

static int add_file(struct layers_result *result, const char *dir, const char *file,
		    enum layer_origin origin)
{
	struct layer *layer = layers_add(result);

	if (!layer)
		return -ENOMEM;
	layer->origin = origin;
	layer->path = path_join(dir, file);
	return layer->path ? name_layer(layer, file) : -ENOMEM;
}

static int find_in(struct layers_result *result, const char *dir, enum layer_origin origin,
		   struct diag *diag)
{
	_cleanup_closedir_ DIR *d =
		opendir_at(AT_FDCWD, dir, origin == LAYER_BUILT_IN ? 0 : O_NOFOLLOW);

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return strv_addf(&result->notes, "no layers are looked for in %s: %s", dir,
				 strerror(errno));
	for (struct dirent *e = next_entry(d); e; e = next_entry(d)) {
		if (!text_ends_with(e->d_name, NAME_LAYER_SUFFIX) || e->d_name[0] == '.')
			continue;
		if (result->n_layers == LAYERS_MAX)
			return diag_set(diag, -E2BIG, "%s: there are more than %d layers", dir,
					LAYERS_MAX);
		int r = add_file(result, dir, e->d_name, origin);
		if (r < 0)
			return r;
	}
	return errno ? strv_addf(&result->notes,
				 "layers may be missing: %s cannot be read to its end: %s", dir,
				 strerror(errno))
		     : 0;
}

/* Talos's ISO carries a cache tree; it counts as one layer, named after its medium. So does an OCI layout, to be named as broken. */
static int find_tree(struct layers_result *result, const struct medium *medium)
{
	_cleanup_free_ char *path = path_join(medium->mount, NAME_TALOS_MEDIUM);
	_cleanup_close_ int fd = -1;

	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || (!tree_is_there(fd) && !layout_is_there(fd)))
		return 0;
	struct layer *layer = layers_add(result);
	if (!layer)
		return -ENOMEM;
	layer->origin = LAYER_ON_MEDIUM;
	layer->tree = true;
	layer->path = TAKE_PTR(path);
	layer->manifest.name = text_format("%s:%s", NAME_TALOS_MEDIUM,
					   *medium->label ? medium->label : medium->device);
	return layer->manifest.name ? 0 : -ENOMEM;
}

static int find_on_medium(struct layers_result *result, const struct medium *medium,
			  struct diag *diag)
{
	_cleanup_free_ char *dir = NULL;

	if (!medium->mount)
		return 0;
	dir = path_join(medium->mount, NAME_MEDIUM_LAYER_DIR);
	if (!dir)
		return -ENOMEM;
	int r = find_in(result, dir, LAYER_ON_MEDIUM, diag);
	return r < 0 ? r : find_tree(result, medium);
}

int layers_find(const struct layers_request *request, struct layers_result *result,
		struct diag *diag)
{
	_cleanup_free_ char *volume =
		text_format("%s/" NAME_RUN_VOLUME "/" NAME_LAYERS_DIR, request->run_dir);
	int r = 0;

	if (!volume)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < result->n_media; i++)
		r = find_on_medium(result, &result->media[i], diag);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(built_in); i++) {
		_cleanup_free_ char *dir = path_join(request->root, built_in[i]);
		r = dir ? find_in(result, dir, LAYER_BUILT_IN, diag) : -ENOMEM;
	}
	if (r == 0)
		r = find_in(result, volume, LAYER_ON_VOLUME, diag);
	if (r == 0 && result->n_layers)
		qsort(result->layers, result->n_layers, sizeof(struct layer), layer_order);
	return r;
}
