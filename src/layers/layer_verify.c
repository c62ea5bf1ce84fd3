/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole content of a layer, hashed. */
#include <fcntl.h>
#include <string.h>

#include "base/text.h"
#include "layers/layer_check.h"
#include "store/manifest.h"
#include "store/place.h"
#include "store/tree.h"
#include "store/verify.h"

struct verify {
	struct place *place;
	const struct layer_manifest *manifest;
	const char *where;
	uint64_t done, total;
	bool failed;
	void (*progress)(uint64_t done, uint64_t total, const char *what, void *user);
	void *user;
	char ***broken;
};

/* Says what is wrong and goes on: a person wants to know all of it. */
static int report_broken(struct verify *v, const char *name, const char *what)
{
	v->failed = true;
	return strv_addf(v->broken, "%s: %s: %s", v->where, name, what);
}

/* The disk is asked, not the page cache. */
static void forget_pages(const struct content *content)
{
	if (content->fd >= 0)
		(void)posix_fadvise(content->fd, (off_t)content->offset, (off_t)content->id.size,
				    POSIX_FADV_DONTNEED);
}

static int hash_file(struct place *place, const char *path, const struct digest *digest,
		     bool *ret_sound, uint64_t *ret_size)
{
	_cleanup_(blob_check_freep) struct blob_check *check = NULL;
	_cleanup_content_ struct content content = CONTENT_INIT;
	int r = place_open(place, path, &content);

	if (r == 0) {
		forget_pages(&content);
		*ret_size = content.id.size;
		r = blob_check_new(&content, digest, &check);
	}
	while (r == 0)
		r = blob_check_step(check, ret_sound);
	return r < 0 ? r : 0;
}

static int verify_file(struct verify *v, const char *path, const struct digest *digest)
{
	char name[DIGEST_STRING_MAX];
	uint64_t size = 0;
	bool sound = false;
	int r = hash_file(v->place, path, digest, &sound, &size);

	digest_format(digest, name);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return report_broken(v, name, r == -ENOENT ? "it is not there" : strerror(-r));
	if (!sound)
		return report_broken(v, name, "its bytes are not right");
	v->done += size;
	if (v->progress)
		v->progress(v->done, v->total, name, v->user);
	return 0;
}

/* Are there a manifest's bytes of that digest under their digest? */
static int has_manifest(const struct verify *v, const char *registry, const char *repository,
			enum digest_algorithm algorithm, const char *text, size_t size, bool *ret)
{
	struct content_id id;
	struct digest digest;
	char path[PATH_MAX];
	int r = digest_of(algorithm, text, size, &digest);

	if (r == 0)
		r = tree_manifest_path(registry, repository, &digest, path);
	if (r == 0)
		*ret |= place_stat(v->place, path, &id) == 0;
	return r;
}

/* A tag is a copy of a manifest that is there under its digest, too; the name does not say of which. */
static int verify_tag(struct verify *v, const char *registry, const char *repository,
		      const char *tag)
{
	_cleanup_content_ struct content content = CONTENT_INIT;
	_cleanup_free_ char *name = text_format("%s/%s:%s", registry, repository, tag);
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	bool known = false;
	size_t size = 0;

	if (!name)
		return -ENOMEM;
	/* Then layer_check() compared it with the layer manifest already. */
	if (layer_manifest_lists(v->manifest, name))
		return 0;
	int r = tree_tag_path(registry, repository, tag, path);
	if (r == 0)
		r = place_open(v->place, path, &content);
	if (r == 0) {
		forget_pages(&content);
		r = content_read_all(&content, MANIFEST_BYTES_MAX, &text, &size);
	}
	if (r == 0)
		r = has_manifest(v, registry, repository, DIGEST_SHA256, text, size, &known);
	if (r == 0 && !known)
		r = has_manifest(v, registry, repository, DIGEST_SHA512, text, size, &known);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return report_broken(v, name, strerror(-r));
	return known ? 0
		     : report_broken(v, name,
				     "its bytes are not those of any manifest that is there");
}

static int verify_manifest(const char *registry, const char *repository, const char *tag,
			   const struct digest *digest, void *user)
{
	char path[PATH_MAX];

	if (tag)
		return verify_tag(user, registry, repository, tag);
	int r = tree_manifest_path(registry, repository, digest, path);
	return r < 0 ? r : verify_file(user, path, digest);
}

/* For the progress: blobs, each once. Manifests are few, and small beside them. */
static void add_up(struct verify *v, const struct layer_manifest *manifest)
{
	for (size_t i = 0; v->progress && i < manifest->n_blobs; i++) {
		char path[PATH_MAX];
		struct content_id id;
		if (tree_blob_path(&manifest->blobs[i], path) == 0 &&
		    place_stat(v->place, path, &id) == 0)
			v->total += id.size;
	}
}

int layer_verify(struct place *place, const struct layer_manifest *manifest, const char *where,
		 void (*progress)(uint64_t done, uint64_t total, const char *what, void *user),
		 void *user, char ***broken)
{
	struct verify v = {
		.place = place,
		.manifest = manifest,
		.where = where,
		.progress = progress,
		.user = user,
		.broken = broken,
	};
	add_up(&v, manifest);
	int r = tree_walk_place(place, verify_manifest, &v, NULL);

	for (size_t i = 0; r == 0 && i < manifest->n_blobs; i++) {
		char path[PATH_MAX];
		r = tree_blob_path(&manifest->blobs[i], path);
		if (r == 0)
			r = verify_file(&v, path, &manifest->blobs[i]);
	}
	if (r < 0 && r != -ENOMEM)
		r = report_broken(&v, "manifests", strerror(-r));
	return r < 0 ? r : v.failed ? -EBADMSG : 0;
}
