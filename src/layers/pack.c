/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/pack.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/squash.h"
#include "store/side_hasher.h"
#include "store/tree.h"

/* A layer of little content is read in small pieces only: manifests, of which a kernel gets whole blocks. */
#define BLOCK_SIZE	 (1024 * 1024)
#define BLOCK_SIZE_SMALL (128 * 1024)
#define SMALL_BYTES	 (16 * 1024 * 1024)

struct writer {
	const struct pack *pack;
	struct squash *squash;
	struct squash_parts parts;
	struct side_hasher *hasher; /* of a blob */
	struct side_hasher *whole;  /* of the image */
	size_t filled;		    /* of the piece of whole */
	struct long_write image;
	uint64_t done; /* of the contents */
	struct diag *diag;
};

/* Splits "registry/repository" for the functions of store/tree.h. */
static int manifest_path(const struct item *item, char path[static PATH_MAX])
{
	const char *slash = strchr(item->repository, '/');
	_cleanup_free_ char *registry = NULL;

	if (!slash)
		return -EINVAL;
	registry = strndup(item->repository, (size_t)(slash - item->repository));
	return registry ? tree_manifest_path(registry, slash + 1, &item->digest, path) : -ENOMEM;
}

static int content_path(const struct item *item, char path[static PATH_MAX])
{
	return item->repository ? manifest_path(item, path) : tree_blob_path(&item->digest, path);
}

static int layer_manifest_path(const struct pack *pack, char path[static PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, NAME_LAYER_MANIFEST_DIR "/%s.yaml", pack->name);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static void report(struct writer *w, const char *what)
{
	if (w->pack->progress)
		w->pack->progress(w->done, w->pack->contents->bytes, what, w->pack->user);
}

static int open_item(struct writer *w, const struct item *item, struct content *ret)
{
	int r = contents_open(w->pack->contents, item->layer, item->path, ret, w->diag);

	if (r == 0 && ret->id.size != item->size)
		return diag_set(w->diag, -EBADMSG, "%s has %llu bytes, but its manifest says %llu",
				item->path, (unsigned long long)ret->id.size,
				(unsigned long long)item->size);
	return r;
}

/* Before anything is laid out by it. */
static int check_item(struct writer *w, const struct item *item)
{
	_cleanup_content_ struct content content = CONTENT_INIT;

	return open_item(w, item, &content);
}

static int image_error(struct writer *w, int r)
{
	return r < 0 ? diag_set(w->diag, r, "cannot write the layer: %s", strerror(-r)) : 0;
}

/* What was gathered goes to the disk, beside its hashing. */
static int emit_piece(struct writer *w)
{
	const char *piece = side_hasher_piece(w->whole);
	size_t size = w->filled;

	side_hasher_push(w->whole, size);
	w->filled = 0;
	return image_error(w, long_write(&w->image, piece, size));
}

/* What comes next in the image. */
static int emit(struct writer *w, const char *data, size_t size)
{
	int r = 0;

	while (r == 0 && size > 0) {
		char *piece = side_hasher_piece(w->whole);
		size_t part = SIDE_HASHER_PIECE - w->filled;
		if (part > size)
			part = size;
		memcpy(piece + w->filled, data, part);
		w->filled += part;
		data += part;
		size -= part;
		if (w->filled == SIDE_HASHER_PIECE)
			r = emit_piece(w);
	}
	return r;
}

/* The bytes of one file into the image, and their digest. */
static int pump(struct writer *w, const struct content *content, const struct item *item,
		struct digest *ret)
{
	int r = side_hasher_begin(w->hasher, item->digest.algorithm);

	if (content->fd >= 0)
		(void)posix_fadvise(content->fd, (off_t)content->offset, (off_t)item->size,
				    POSIX_FADV_SEQUENTIAL);
	for (uint64_t at = 0; r == 0 && at < item->size;) {
		size_t part = item->size - at < SIDE_HASHER_PIECE ? (size_t)(item->size - at)
								  : SIDE_HASHER_PIECE;
		void *piece = side_hasher_piece(w->hasher);
		r = content_read_exact(content, piece, part, at);
		if (r < 0)
			return diag_set(w->diag, r, "%s: %s", item->path,
					contents_why(item->layer, r));
		side_hasher_push(w->hasher, part);
		r = emit(w, piece, part);
		at += part;
		w->done += part;
		report(w, item->image);
	}
	return r < 0 ? r : side_hasher_finish(w->hasher, ret);
}

static int write_content(struct writer *w, const struct item *item)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	char what[DIGEST_STRING_MAX];
	struct digest got;
	int r = open_item(w, item, &content);

	if (r == 0)
		r = pump(w, &content, item, &got);
	if (r < 0)
		return r;
	if (!digest_equal(&got, &item->digest))
		return diag_set(w->diag, -EBADMSG, "%s: its bytes are not those of %s", item->path,
				digest_format(&item->digest, what));
	return 0;
}

/* Manifests, or blobs: each with f. */
static int for_items(struct writer *w, bool manifests,
		     int (*f)(struct writer *w, const struct item *item))
{
	const struct contents *c = w->pack->contents;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_items; i++)
		if ((c->items[i].repository != NULL) == manifests)
			r = f(w, &c->items[i]);
	return r;
}

static int add_content(struct writer *w, const struct item *item)
{
	char path[PATH_MAX];
	int r = content_path(item, path);

	return r < 0 ? r : squash_add_file(w->squash, path, item->size);
}

static int add_layer_manifest(struct writer *w)
{
	char path[PATH_MAX];
	int r = layer_manifest_path(w->pack, path);

	return r < 0 ? r : squash_add_file(w->squash, path, strlen(w->pack->layer_manifest));
}

/* A tag is one more name of its manifest. */
static int add_tags(struct writer *w)
{
	const struct contents *c = w->pack->contents;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_tags; i++) {
		const struct tag *t = &c->tags[i];
		char path[PATH_MAX], target[PATH_MAX];
		if (!t->tag)
			continue;
		r = tree_tag_path(t->registry, t->repository, t->tag, path);
		if (r == 0)
			r = tree_manifest_path(t->registry, t->repository, &t->digest, target);
		if (r == 0)
			r = squash_add_link(w->squash, path, target);
	}
	return r;
}

static bool is_below(const char *path, const char *directory)
{
	size_t size = strlen(directory);

	return strncmp(path, directory, size) == 0 && path[size] == '/';
}

/* Does the file of the one tag have the name of a directory of the other's repository, "acme/reference/1"? */
static bool is_in_the_way(const struct tag *file, const struct tag *other)
{
	char path[PATH_MAX], manifest[PATH_MAX], tag[PATH_MAX] = "";

	if (!file->tag || tree_tag_path(file->registry, file->repository, file->tag, path) < 0 ||
	    tree_manifest_path(other->registry, other->repository, &other->digest, manifest) < 0)
		return false;
	if (other->tag)
		(void)tree_tag_path(other->registry, other->repository, other->tag, tag);
	return is_below(manifest, path) || is_below(tag, path);
}

static int explain_twice(struct writer *w)
{
	const struct contents *c = w->pack->contents;

	for (size_t i = 0; i < c->n_tags; i++)
		for (size_t k = 0; k < c->n_tags; k++) {
			const struct tag *a = &c->tags[i], *b = &c->tags[k];
			if (is_in_the_way(a, b))
				return diag_set(
					w->diag, -EINVAL,
					"%s/%s:%s and %s/%s cannot be in one cache, where the tag's file "
					"would have the name of the repository's directory; call one of "
					"them something else (REFERENCE=SOURCE)",
					a->registry, a->repository, a->tag, b->registry,
					b->repository);
		}
	return diag_set(w->diag, -EEXIST, "cannot lay out the layer: it has one name twice");
}

static int lay_out(struct writer *w)
{
	bool small = w->pack->contents->bytes <= SMALL_BYTES;
	int r = squash_new(small ? BLOCK_SIZE_SMALL : BLOCK_SIZE, w->pack->time, &w->squash);

	if (r == 0)
		r = add_layer_manifest(w);
	if (r == 0)
		r = for_items(w, true, add_content);
	if (r == 0)
		r = add_tags(w);
	if (r == 0)
		r = for_items(w, false, add_content);
	if (r == 0)
		r = squash_lay_out(w->squash, &w->parts);
	squash_freep(&w->squash); /* before the threads take what they need */
	w->squash = NULL;
	if (r == -EEXIST)
		return explain_twice(w);
	return r < 0 ? diag_set(w->diag, r, "cannot lay out the layer: %s", strerror(-r)) : 0;
}

static int start_threads(struct writer *w)
{
	int r = side_hasher_new(&w->hasher);

	if (r == 0)
		r = side_hasher_new(&w->whole);
	if (r == 0)
		r = side_hasher_begin(w->whole, DIGEST_SHA256);
	return r < 0 ? diag_set(w->diag, r, "cannot start the threads that hash: %s", strerror(-r))
		     : 0;
}

static int write_all(struct writer *w)
{
	int r = emit(w, w->parts.head, w->parts.head_size);

	if (r == 0)
		r = emit(w, w->pack->layer_manifest, strlen(w->pack->layer_manifest));
	if (r == 0)
		r = for_items(w, true, write_content);
	if (r == 0)
		r = for_items(w, false, write_content);
	return r < 0 ? r : emit(w, w->parts.tail, w->parts.tail_size);
}

static void writer_done(struct writer *w)
{
	(void)long_write_end(&w->image);
	squash_freep(&w->squash);
	squash_parts_done(&w->parts);
	side_hasher_freep(&w->hasher);
	side_hasher_freep(&w->whole);
}

int pack_write(const struct pack *pack, uint64_t *ret_size, struct digest *ret, struct diag *diag)
{
	_cleanup_(writer_done) struct writer w = {
		.pack = pack,
		.diag = diag,
	};
	int r = for_items(&w, false, check_item);

	if (r == 0)
		r = lay_out(&w);
	if (r == 0)
		r = start_threads(&w);
	long_write_begin(&w.image, pack->fd, 0);
	if (r == 0)
		r = write_all(&w);
	if (r == 0)
		r = emit_piece(&w); /* what is left */
	if (r == 0)
		r = image_error(&w, long_write_end(&w.image));
	if (r < 0)
		return r;
	*ret_size = w.image.at;
	return side_hasher_finish(w.whole, ret);
}
