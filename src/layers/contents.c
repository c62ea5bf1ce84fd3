/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/contents.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>

#include "base/io.h"
#include "base/text.h"
#include "layers/superblock.h"
#include "layers/version.h"
#include "store/reference.h"
#include "store/tree.h"

/* A digest, as blob or as manifest of a repository, that is in the contents already. */
struct known {
	UT_hash_handle hh;
	char key[];
};

void contents_end(struct contents *c)
{
	struct known *known = c->index, *one, *next;

	HASH_ITER (hh, known, one, next) {
		HASH_DEL(known, one);
		free(one);
	}
	c->index = NULL;
}

void contents_done(struct contents *c)
{
	contents_end(c);
	for (size_t i = 0; i < c->n_items; i++) {
		free(c->items[i].path);
		free(c->items[i].repository);
	}
	for (size_t i = 0; i < c->n_tags; i++) {
		free(c->tags[i].registry);
		free(c->tags[i].repository);
		free(c->tags[i].tag);
	}
	for (size_t i = 0; i < c->n_images; i++) {
		free(c->images[i].reference);
		strv_free(c->images[i].platforms);
		strv_free(c->images[i].omitted);
	}
	free(c->items);
	free(c->tags);
	free(c->images);
	if (c->place)
		place_unref(c->place);
	*c = (struct contents){ 0 };
}

/* 1: it was not there and is now; 0: it was there. */
static int remember(struct contents *c, const struct digest *digest, const char *repository)
{
	char text[DIGEST_STRING_MAX];
	_cleanup_free_ char *key =
		text_format("%s %s", digest_format(digest, text), repository ? repository : "");
	struct known *known = c->index, *one;

	if (!key)
		return -ENOMEM;
	HASH_FIND_STR(known, key, one);
	if (one)
		return 0;
	one = calloc(1, sizeof(*one) + strlen(key) + 1);
	if (!one)
		return -ENOMEM;
	memcpy(one->key, key, strlen(key) + 1);
	HASH_ADD_STR(known, key, one);
	c->index = known;
	return 1;
}

/* Room for one more in an array that grows by doubling. */
static int grow(void *array, size_t n, size_t size)
{
	void **at = array;

	if (n & (n - 1))
		return 0;
	void *larger = reallocarray(*at, n ? n * 2 : 1, size);
	if (!larger)
		return -ENOMEM;
	*at = larger;
	return 0;
}

static int add_item(struct contents *c, const struct item *item, struct diag *diag)
{
	int r = remember(c, &item->digest, item->repository);

	if (r <= 0)
		return r;
	if (c->n_items == CONTENTS_MAX)
		return diag_set(diag, -EINVAL, "more than %d manifests and blobs", CONTENTS_MAX);
	r = grow(&c->items, c->n_items, sizeof(*c->items));
	if (r < 0)
		return r;
	struct item *new = &c->items[c->n_items];
	*new = *item;
	new->path = strdup(item->path);
	new->repository = item->repository ? strdup(item->repository) : NULL;
	c->n_items++;
	c->bytes += item->size;
	return new->path && (!item->repository || new->repository) ? 0 : -ENOMEM;
}

int contents_open_layer(struct contents *c, const char *layer, struct diag *diag)
{
	struct stat st;

	if (c->layer && strcmp(c->layer, layer) == 0)
		return 0;
	_cleanup_close_ int fd = open(layer, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return diag_set(diag, -errno, "%s: %s", layer, strerror(errno));
	if (c->place)
		place_unref(c->place);
	c->place = NULL;
	c->layer = NULL;
	int r = superblock_read(fd, (uint64_t)st.st_size, diag);
	if (r == 0)
		r = place_new_image(TAKE_FD(fd), &c->place, diag);
	if (r < 0)
		return diag_prefix(diag, r, "%s", layer);
	c->layer = layer;
	return 0;
}

static int open_file(const char *path, struct content *ret)
{
	struct stat st;
	_cleanup_close_ int fd =
		open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	*ret = (struct content){ .id.size = (uint64_t)st.st_size, .fd = TAKE_FD(fd) };
	return 0;
}

int contents_open(struct contents *c, const char *layer, const char *path, struct content *ret,
		  struct diag *diag)
{
	int r = layer ? contents_open_layer(c, layer, diag) : 0;

	if (r < 0)
		return r;
	r = layer ? place_open(c->place, path + strlen(layer) + 1, ret) : open_file(path, ret);
	if (r == -EISDIR)
		return diag_set(diag, -EINVAL, "%s is no regular file", path);
	return r < 0 ? diag_set(diag, r, "%s: %s", path, contents_why(layer, r)) : 0;
}

const char *contents_why(const char *layer, int r)
{
	return layer && r == -EIO ? "it cannot be read: the layer is damaged, or its disk is"
				  : strerror(-r);
}

/* What is known while one image is being added. */
struct adding {
	struct contents *contents;
	const struct locator *locator;
	const struct platform_choice *choice;
	struct layer_image *image;
	const char *repository; /* "registry/repository" */
	size_t followed;	/* entries of indexes */
	struct diag *diag;
};

bool platform_is_chosen(const struct platform_choice *choice, const struct platform *p)
{
	if (choice->all)
		return true;
	for (size_t i = 0; i < choice->n_platforms; i++)
		if (platform_matches(p, &choice->platforms[i]))
			return true;
	return false;
}

bool index_takes(const struct platform_choice *choice, const struct manifest *index, size_t i)
{
	const struct descriptor *d = &index->items[i];
	bool any = false;

	if (d->platform.os)
		return platform_is_chosen(choice, &d->platform);
	for (size_t k = 0; k < index->n_items; k++) {
		const struct descriptor *other = &index->items[k];
		any |= other->platform.os ? platform_is_chosen(choice, &other->platform)
					  : k < i && !descriptor_is_index(other);
	}
	return choice->all || descriptor_is_index(d) || !any;
}

static int not_found(struct adding *a, const char *what, const char *digest, int err)
{
	if (err == -ENOENT)
		return diag_set(a->diag, err, "%s %s is not in the source", what, digest);
	return diag_set(a->diag, err, "%s %s: %s", what, digest,
			err == -ELOOP ? "it is, or lies behind, a symlink, and none is followed"
				      : contents_why(a->locator->layer, err));
}

static int add_blob(struct adding *a, const struct descriptor *d)
{
	_cleanup_free_ char *path = NULL;
	char text[DIGEST_STRING_MAX];
	int r = a->locator->locate(a->locator, &d->digest, false, &path);

	if (r == -ENOENT && d->foreign)
		return 0;
	if (r < 0)
		return not_found(a, "the blob", digest_format(&d->digest, text), r);
	a->image->size += d->size;
	struct item item = {
		.digest = d->digest,
		.size = d->size,
		.layer = a->locator->layer,
		.path = path,
		.image = a->image->reference,
	};
	return add_item(a->contents, &item, a->diag);
}

/* The whole of what a locator found. -EFBIG without diag: it is no manifest, so large. */
static int read_all(struct adding *a, const char *path, char **ret, size_t *ret_size)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	int r = contents_open(a->contents, a->locator->layer, path, &content, a->diag);

	if (r < 0)
		return r;
	r = content_read_all(&content, MANIFEST_BYTES_MAX, ret, ret_size);
	return r < 0 && r != -EFBIG
		       ? diag_set(a->diag, r, "%s: %s", path, contents_why(a->locator->layer, r))
		       : r;
}

/* Reads what a locator found, checks its digest, and adds it as a manifest of the image's repository. */
static int read_manifest(struct adding *a, const struct digest *digest, char **ret,
			 size_t *ret_size)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	char wanted[DIGEST_STRING_MAX];
	struct digest got;
	size_t size = 0;
	int r = a->locator->locate(a->locator, digest, true, &path);

	digest_format(digest, wanted);
	if (r < 0)
		return not_found(a, "the manifest", wanted, r);
	r = read_all(a, path, &text, &size);
	if (r == 0)
		r = digest_of(digest->algorithm, text, size, &got);
	if (r < 0)
		return diag_prefix(a->diag, r, "manifest %s", wanted);
	if (!digest_equal(&got, digest))
		return diag_set(a->diag, -EBADMSG, "manifest %s: its bytes have another digest",
				wanted);
	struct item item = {
		.digest = *digest,
		.size = size,
		.layer = a->locator->layer,
		.path = path,
		.repository = (char *)a->repository,
		.image = a->image->reference,
	};
	a->image->size += size;
	r = add_item(a->contents, &item, a->diag);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(text);
	*ret_size = size;
	return 0;
}

/* Where somebody else wrote it, it may be anything; in the layer manifest and in messages it stands as it is. */
static bool is_platform(const char *text)
{
	struct platform p = { 0 };
	bool good = strlen(text) <= LAYER_NAME_MAX && platform_parse(text, &p) == 0;

	platform_done(&p);
	return good;
}

/* A name that is listed once; platforms that say "unknown" (attestations), or are none, are not shown. */
static int note_platform(char ***list, const struct platform *p)
{
	_cleanup_free_ char *text = platform_format(p);

	if (!text)
		return -ENOMEM;
	if (text_starts_with(text, "unknown/") || strv_contains(*list, text) || !is_platform(text))
		return 0;
	return strv_take(list, TAKE_PTR(text));
}

/* The platform of an image that no index describes is written in its config. One that says nothing has none. */
static int note_config_platform(struct adding *a, const struct descriptor *config)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	struct platform p = { 0 };
	size_t size = 0;

	if (config->digest.algorithm == DIGEST_NONE ||
	    a->locator->locate(a->locator, &config->digest, false, &path) < 0)
		return 0;
	int r = read_all(a, path, &text, &size);
	if (r < 0)
		return r == -EFBIG ? 0 : r;
	r = platform_of_config(text, size, &p);
	if (r == 0)
		r = note_platform(&a->image->platforms, &p);
	platform_done(&p);
	return r == -ENOENT ? 0 : r;
}

/* Adds to *taken how many images it is or has; an index without any counts as one. */
static int add_manifest(struct adding *a, const struct digest *digest,
			const struct platform *platform, unsigned depth, size_t *taken);

static int add_image_manifest(struct adding *a, const struct manifest *m,
			      const struct platform *platform)
{
	int r = 0;

	if (m->config.digest.algorithm != DIGEST_NONE)
		r = add_blob(a, &m->config);
	for (size_t i = 0; r == 0 && i < m->n_items; i++)
		r = add_blob(a, &m->items[i]);
	if (r < 0)
		return r;
	if (platform && platform->os)
		return note_platform(&a->image->platforms, platform);
	return note_config_platform(a, &m->config);
}

static int nothing_chosen(struct adding *a)
{
	_cleanup_free_ char *list = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&list, &size);

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; a->image->omitted && a->image->omitted[i]; i++)
		fprintf(f, "%s%s", i ? ", " : "", a->image->omitted[i]);
	fclose(f);
	return diag_set(a->diag, -EINVAL,
			"it has no image for the wanted platform; it has %s (see --platform)",
			list && *list ? list : "none");
}

static int add_index(struct adding *a, const struct manifest *m, unsigned depth, size_t *taken)
{
	if (depth >= CONTENTS_DEPTH_MAX)
		return diag_set(a->diag, -EINVAL, "its indexes are nested deeper than %d",
				CONTENTS_DEPTH_MAX);
	a->followed += m->n_items;
	if (a->followed > MANIFEST_FOLLOWED_MAX)
		return diag_set(a->diag, -EINVAL, "its indexes have more than %d entries",
				MANIFEST_FOLLOWED_MAX);
	for (size_t i = 0; i < m->n_items; i++) {
		const struct descriptor *d = &m->items[i];
		int r = index_takes(a->choice, m, i)
				? add_manifest(a, &d->digest, &d->platform, depth + 1, taken)
				: note_platform(&a->image->omitted, &d->platform);
		if (r < 0)
			return r;
	}
	*taken += m->n_items == 0;
	return 0;
}

static int add_manifest(struct adding *a, const struct digest *digest,
			const struct platform *platform, unsigned depth, size_t *taken)
{
	_cleanup_manifest_ struct manifest m = { 0 };
	_cleanup_free_ char *text = NULL;
	char name[DIGEST_STRING_MAX];
	size_t size = 0;
	int r = read_manifest(a, digest, &text, &size);

	if (r < 0)
		return r;
	r = manifest_parse(text, size, &m, a->diag);
	if (r < 0)
		return diag_prefix(a->diag, r, "manifest %s", digest_format(digest, name));
	if (m.kind == MANIFEST_INDEX)
		return add_index(a, &m, depth, taken);
	++*taken;
	return add_image_manifest(a, &m, platform);
}

/* The same tag may come twice with one digest (from two sources), but not with two. */
static int add_tag(struct contents *c, const struct reference *reference,
		   const struct digest *digest, struct diag *diag)
{
	for (size_t i = 0; reference->tag && i < c->n_tags; i++) {
		const struct tag *t = &c->tags[i];
		if (!t->tag || strcmp(t->tag, reference->tag) != 0 ||
		    strcmp(t->repository, reference->repository) != 0 ||
		    strcmp(t->registry, reference->registry) != 0)
			continue;
		if (digest_equal(&t->digest, digest))
			return 0;
		return diag_set(diag, -EINVAL, "its tag was given before, with another digest");
	}
	int r = grow(&c->tags, c->n_tags, sizeof(*c->tags));
	if (r < 0)
		return r;
	struct tag *t = &c->tags[c->n_tags++];
	*t = (struct tag){ .digest = *digest };
	t->registry = strdup(reference->registry);
	t->repository = strdup(reference->repository);
	t->tag = reference->tag ? strdup(reference->tag) : NULL;
	return t->registry && t->repository && (t->tag || !reference->tag) ? 0 : -ENOMEM;
}

static unsigned count_parts(const char *repository)
{
	unsigned n = 1;

	for (; *repository; repository++)
		n += *repository == '/';
	return n;
}

static int add_image(struct adding *a, const struct reference *reference,
		     const struct digest *digest)
{
	struct contents *c = a->contents;
	char text[DIGEST_STRING_MAX];
	size_t tags = c->n_tags;

	if (reference->digest.algorithm != DIGEST_NONE && !digest_equal(&reference->digest, digest))
		return diag_set(a->diag, -EBADMSG, "the source has another digest");
	if (count_parts(reference->repository) > TREE_DEPTH_MAX)
		return diag_set(a->diag, -EINVAL,
				"its repository has more than %d parts, and is not found in a "
				"cache then; call it something shorter (REFERENCE=SOURCE)",
				TREE_DEPTH_MAX);
	/* The file of a tag is the manifest once more, and its SHA-256 is what it leads to. */
	if (reference->tag && digest->algorithm != DIGEST_SHA256)
		return diag_set(a->diag, -EINVAL,
				"no tag can lead to it, whose digest is none of SHA-256; call it "
				"%s/%s@%s",
				reference->registry, reference->repository,
				digest_format(digest, text));
	int r = add_tag(c, reference, digest, a->diag);
	if (r < 0 || c->n_tags == tags)
		return r;
	r = grow(&c->images, c->n_images, sizeof(*c->images));
	if (r < 0)
		return r;
	a->image = &c->images[c->n_images++];
	*a->image = (struct layer_image){ .digest = *digest };
	a->image->reference = reference_format(reference);
	_cleanup_free_ char *repository =
		text_format("%s/%s", reference->registry, reference->repository);
	if (!a->image->reference || !repository)
		return -ENOMEM;
	a->repository = repository;
	size_t taken = 0;
	r = add_manifest(a, digest, NULL, 0, &taken);
	return r < 0 || taken ? r : nothing_chosen(a);
}

int contents_add_image(struct contents *c, const struct locator *locator, const char *reference,
		       const struct digest *digest, const struct platform_choice *choice,
		       struct diag *diag)
{
	_cleanup_reference_ struct reference parsed = { 0 };
	struct adding a = { .contents = c, .locator = locator, .choice = choice, .diag = diag };
	int r = reference_parse(reference, &parsed, diag);

	if (r == 0)
		r = add_image(&a, &parsed, digest);
	return r < 0 ? diag_prefix(diag, r, "%s", reference) : 0;
}
