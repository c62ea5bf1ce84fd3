/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/images.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/activate.h"
#include "layers/layer_open.h"
#include "layers/run_lock.h"
#include "layers/tree_describe.h"
#include "store/manifest.h"
#include "store/place.h"
#include "store/reference.h"
#include "store/tree.h"

static void image_done(struct image *image)
{
	free(image->reference);
	free(image->layer);
	strv_free(image->platforms);
	strv_free(image->omitted);
	strv_free(image->missing);
}

void images_done(struct image_list *list)
{
	for (size_t i = 0; i < list->n_images; i++)
		image_done(&list->images[i]);
	free(list->images);
	*list = (struct image_list){ 0 };
}

/* Where content is looked for, in order; borrowed. */
struct store {
	struct place *places[LAYERS_ACTIVE_MAX + 2];
	size_t n;
};

static int find(const struct store *store, const char *path, struct content *ret)
{
	for (size_t i = 0; i < store->n; i++)
		if (place_open(store->places[i], path, ret) == 0)
			return 0;
	return -ENOENT;
}

/* What is known while one image is followed. */
struct follow {
	const struct store *store;
	const struct reference *reference;
	struct image *image;
	bool tells;	 /* does a layer manifest say for which platforms it is? */
	size_t followed; /* entries of indexes */
};

static int note_missing(struct image *image, const char *what, const struct digest *digest)
{
	char text[DIGEST_STRING_MAX];

	if (strv_length(image->missing) >= IMAGES_MISSING_MAX)
		return 0;
	return strv_addf(&image->missing, "%s %s", what, digest_format(digest, text));
}

static int follow_blob(struct follow *f, const struct descriptor *d)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	char path[PATH_MAX];
	int r = tree_blob_path(&d->digest, path);

	if (r < 0)
		return r;
	if (find(f->store, path, &content) < 0 || content.id.size != d->size)
		return d->foreign ? 0 : note_missing(f->image, NAME_BLOB_DIR, &d->digest);
	f->image->size += d->size;
	return 0;
}

static int read_manifest(struct follow *f, const struct digest *digest, struct manifest *ret)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t size = 0;
	int r = tree_manifest_path(f->reference->registry, f->reference->repository, digest, path);

	if (r < 0)
		return r;
	r = find(f->store, path, &content);
	if (r == 0)
		r = content_read_all(&content, MANIFEST_BYTES_MAX, &text, &size);
	if (r == 0)
		r = manifest_parse(text, size, ret, NULL);
	if (r == 0)
		f->image->size += size;
	return r;
}

static int note_platform(char ***list, const struct platform *p)
{
	_cleanup_free_ char *text = platform_format(p);

	if (!text)
		return -ENOMEM;
	if (!p->os || text_starts_with(text, "unknown/") || strv_contains(*list, text))
		return 0;
	return strv_take(list, TAKE_PTR(text));
}

static int follow_manifest(struct follow *f, const struct digest *digest,
			   const struct platform *platform, unsigned depth);

/* A platform that is not there is left out, unless it is what this machine takes. */
static int follow_child(struct follow *f, const struct descriptor *d, bool wanted, unsigned depth)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	char path[PATH_MAX];
	int r = tree_manifest_path(f->reference->registry, f->reference->repository, &d->digest,
				   path);

	if (r < 0)
		return r;
	if (find(f->store, path, &content) == 0)
		return follow_manifest(f, &d->digest, &d->platform, depth + 1);
	r = note_platform(&f->image->omitted, &d->platform);
	if (r == 0 && wanted)
		r = note_missing(f->image, "manifest", &d->digest);
	return r;
}

/* As larderd sees it: an index that has nothing for this machine needs any of what it has. */
static int follow_index(struct follow *f, const struct manifest *index, unsigned depth)
{
	const struct descriptor *host = manifest_for_host(index, platform_host());
	size_t before = strv_length(f->image->platforms);
	int r = 0;

	f->followed += index->n_items;
	for (size_t i = 0; r == 0 && i < index->n_items; i++)
		r = follow_child(f, &index->items[i], &index->items[i] == host, depth);
	if (r == 0 && !host && index->n_items > 0 && !f->image->missing &&
	    strv_length(f->image->platforms) == before && f->image->omitted)
		r = note_missing(f->image, "manifest", &index->items[0].digest);
	return r;
}

/* A cache tree without a layer manifest leaves it to the image's config. What says nothing has none. */
static int note_config_platform(struct follow *f, const struct digest *digest)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	_cleanup_free_ char *text = NULL;
	struct platform p = { 0 };
	char path[PATH_MAX];
	size_t size = 0;
	int r = tree_blob_path(digest, path);

	if (r < 0 || find(f->store, path, &content) < 0 ||
	    content_read_all(&content, MANIFEST_BYTES_MAX, &text, &size) < 0)
		return 0;
	r = platform_of_config(text, size, &p);
	if (r == 0)
		r = note_platform(&f->image->platforms, &p);
	platform_done(&p);
	return r == -ENOENT ? 0 : r;
}

static int follow_manifest(struct follow *f, const struct digest *digest,
			   const struct platform *platform, unsigned depth)
{
	_cleanup_manifest_ struct manifest m = { 0 };
	bool too_far = depth > IMAGES_DEPTH_MAX || f->followed > MANIFEST_FOLLOWED_MAX;
	int r = too_far ? -ELOOP : read_manifest(f, digest, &m);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return note_missing(f->image, "manifest", digest);
	if (m.kind == MANIFEST_INDEX)
		return follow_index(f, &m, depth);
	if (platform)
		r = note_platform(&f->image->platforms, platform);
	if (r == 0 && m.config.digest.algorithm != DIGEST_NONE)
		r = follow_blob(f, &m.config);
	if (r == 0 && m.config.digest.algorithm != DIGEST_NONE && !f->tells &&
	    (!platform || !platform->os))
		r = note_config_platform(f, &m.config.digest);
	for (size_t i = 0; r == 0 && i < m.n_items; i++)
		r = follow_blob(f, &m.items[i]);
	return r;
}

static int strv_copy(char *const *from, char ***to)
{
	int r = 0;

	for (; r == 0 && from && *from; from++)
		r = strv_add(to, *from);
	return r;
}

static int add_image(struct image_list *list, const struct store *store,
		     const struct layer_image *from, const char *layer)
{
	_cleanup_reference_ struct reference reference = { 0 };
	struct image *larger = reallocarray(list->images, list->n_images + 1, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	list->images = larger;
	struct image *image = &list->images[list->n_images++];
	*image = (struct image){ .digest = from->digest };
	image->reference = strdup(from->reference);
	image->layer = layer ? strdup(layer) : NULL;
	if (!image->reference || (layer && !image->layer))
		return -ENOMEM;
	int r = reference_parse(from->reference, &reference, NULL);
	struct follow f = { .store = store,
			    .reference = &reference,
			    .image = image,
			    .tells = from->platforms != NULL };
	if (r == 0)
		r = follow_manifest(&f, &image->digest, NULL, 0);
	/* A single image has no index to say its platform; a layer manifest does. */
	if (r == 0 && !image->platforms)
		r = strv_copy(from->platforms, &image->platforms);
	return r;
}

static int add_layers(struct image_list *list, const struct store *store,
		      const struct layers_result *layers)
{
	int r = 0;

	for (size_t i = layers->n_layers; r == 0 && i-- > 0;) {
		const struct layer *layer = &layers->layers[i];
		for (size_t k = 0;
		     r == 0 && layer->state == LAYER_ACTIVE && k < layer->manifest.n_images; k++)
			r = add_image(list, store, &layer->manifest.images[k],
				      layer->manifest.name);
	}
	return r;
}

static int add_loose(struct image_list *list, const struct store *store, int volume)
{
	_cleanup_layer_manifest_ struct layer_manifest m = { 0 };
	int r = tree_describe(volume, &m, NULL);

	for (size_t i = 0; r == 0 && i < m.n_images; i++)
		r = add_image(list, store, &m.images[i], NULL);
	return r == -EINVAL ? 0 : r;
}

static bool meets(const struct image *image, const struct reference *needed, const char *text)
{
	_cleanup_reference_ struct reference cached = { 0 };

	if (strcmp(image->reference, text) == 0)
		return true;
	return needed->digest.algorithm != DIGEST_NONE &&
	       reference_parse(image->reference, &cached, NULL) == 0 &&
	       strcmp(cached.registry, needed->registry) == 0 &&
	       strcmp(cached.repository, needed->repository) == 0 &&
	       digest_equal(&image->digest, &needed->digest);
}

bool images_have(const struct image_list *list, const char *reference)
{
	_cleanup_reference_ struct reference needed = { 0 };
	bool found = false;

	if (reference_parse(reference, &needed, NULL) < 0)
		return false;
	for (size_t i = 0; !found && i < list->n_images; i++)
		found = meets(&list->images[i], &needed, reference);
	return found;
}

static int add_asked(struct image_list *list, const struct store *store, const char *text)
{
	_cleanup_reference_ struct reference reference = { 0 };
	_cleanup_content_ struct content content = CONTENT_INIT;
	char path[PATH_MAX];

	if (reference_parse(text, &reference, NULL) < 0 ||
	    reference.digest.algorithm == DIGEST_NONE || images_have(list, text) ||
	    tree_manifest_path(reference.registry, reference.repository, &reference.digest, path) <
		    0 ||
	    find(store, path, &content) < 0)
		return 0;
	const struct layer_image image = { .reference = (char *)text, .digest = reference.digest };
	return add_image(list, store, &image, NULL);
}

static int compare_images(const void *a, const void *b)
{
	return strcmp(((const struct image *)a)->reference, ((const struct image *)b)->reference);
}

int images_read(const char *run_dir, const struct layers_result *layers, char *const *asked,
		struct image_list *ret)
{
	_cleanup_images_ struct image_list list = { 0 };
	_cleanup_free_ char *path = path_join(run_dir, NAME_RUN_VOLUME);
	_cleanup_close_ int volume =
		path ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	_cleanup_(place_unrefp) struct place *loose = NULL;
	struct store store = { 0 };
	int r = path ? 0 : -ENOMEM;

	if (r == 0 && volume >= 0)
		r = place_new_directory(fcntl(volume, F_DUPFD_CLOEXEC, 3), &loose);
	if (loose)
		store.places[store.n++] = loose;
	for (size_t i = layers->n_layers; i-- > 0 && store.n < ARRAY_SIZE(store.places);) {
		const struct layer_handle *h = layers->layers[i].private_;
		if (layers->layers[i].state == LAYER_ACTIVE && h)
			store.places[store.n++] = h->place;
	}
	if (r == 0 && volume >= 0)
		r = add_loose(&list, &store, volume);
	if (r == 0)
		r = add_layers(&list, &store, layers);
	for (; r == 0 && asked && *asked; asked++)
		r = add_asked(&list, &store, *asked);
	if (r < 0)
		return r;
	if (list.n_images)
		qsort(list.images, list.n_images, sizeof(*list.images), compare_images);
	*ret = list;
	list = (struct image_list){ 0 };
	return 0;
}

int layers_images(const struct layers_request *request, char *const *asked,
		  struct layers_result *ret_layers, struct image_list *ret, struct diag *diag)
{
	_cleanup_layers_result_ struct layers_result layers = { 0 };
	_cleanup_free_ char *run_dir = NULL;
	_cleanup_close_ int lock = -1;
	struct layers_request settled;
	int r = run_lock(request, &settled, &run_dir, &lock, diag);

	if (r == 0)
		r = layers_survey_locked(&settled, &layers, diag);
	if (r == 0)
		r = images_read(run_dir, &layers, asked, ret);
	if (r < 0)
		return r;
	*ret_layers = layers;
	layers = (struct layers_result){ 0 };
	return 0;
}
