/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/tree_sync.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/images.h"
#include "layers/layer_open.h"
#include "store/ingest.h"
#include "store/manifest.h"
#include "store/tree.h"

#define CHUNK	   (8 * 1024 * 1024) /* between two words of progress */
#define ROOM_SPARE (1024 * 1024)     /* for directories, and what rounding takes */

struct sync {
	const struct layers_request *request;
	const struct layers_result *result;
	struct tree_sync *counts;
	char ***notes;
	int from, to;
	const char *registry, *repository;
	/* The image that is being looked at. */
	const char *what;
	bool measure;	 /* only adds up what is to be copied */
	size_t followed; /* entries of indexes */
	uint64_t done, need;
	struct diag *why;
};

static bool is_there(int dir, const char *path, uint64_t size)
{
	struct stat st;

	return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == size;
}

static int read_beneath(int dir, const char *path, char **ret, size_t *ret_size)
{
	_cleanup_close_ int fd = open_beneath(dir, path, O_RDONLY);

	return fd < 0 ? fd : read_fd(fd, MANIFEST_BYTES_MAX, ret, ret_size);
}

static int copy_blob(struct sync *s, const struct descriptor *d, const char *path, int from)
{
	_cleanup_(ingest_freep) struct ingest *i = NULL;
	int r = ingest_new(s->to, d->digest.algorithm, &i);

	for (uint64_t at = 0; r == 0 && at < d->size;) {
		uint64_t part = d->size - at < CHUNK ? d->size - at : CHUNK;
		r = ingest_copy(i, from, at, part);
		at += part;
		s->done += part;
		if (s->request->progress)
			s->request->progress(s->done, s->need, s->what, s->request->user);
	}
	return r < 0 ? r : ingest_commit(i, &d->digest, path, s->why);
}

static int take_blob(struct sync *s, const struct descriptor *d)
{
	char path[PATH_MAX], name[DIGEST_STRING_MAX];
	struct stat st;
	int r = tree_blob_path(&d->digest, path);

	if (r < 0 || is_there(s->to, path, d->size))
		return r;
	_cleanup_close_ int from = open_beneath(s->from, path, O_RDONLY);
	if (from == -ENOENT && d->foreign)
		return 0;
	digest_format(&d->digest, name);
	if (from < 0)
		return diag_set(s->why, from, "blob %s: %s", name,
				from == -ENOENT ? "it is not there" : strerror(-from));
	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != d->size)
		return diag_set(s->why, -EBADMSG, "blob %s: it has not the %llu bytes it should",
				name, (unsigned long long)d->size);
	if (s->measure) {
		s->need += d->size;
		return 0;
	}
	return copy_blob(s, d, path, from);
}

/* A manifest or a tag: its bytes are known already. */
static int write_text(struct sync *s, const char *path, const char *text, size_t size,
		      const struct digest *digest)
{
	_cleanup_(ingest_freep) struct ingest *i = NULL;

	if (s->measure) {
		s->need += size;
		return 0;
	}
	int r = ingest_new(s->to, digest->algorithm, &i);
	if (r == 0)
		r = ingest_write(i, text, size);
	return r < 0 ? r : ingest_commit(i, digest, path, s->why);
}

static int take_manifest(struct sync *s, const struct digest *digest, unsigned depth);

/* A platform that is not on the medium was left out there, and is left out here. */
static int take_child(struct sync *s, const struct descriptor *d, unsigned depth)
{
	char path[PATH_MAX];
	int r = tree_manifest_path(s->registry, s->repository, &d->digest, path);

	if (r < 0)
		return r;
	return faccessat(s->from, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0
		       ? 0
		       : take_manifest(s, &d->digest, depth + 1);
}

/* Everything that a manifest leads to, then itself. */
static int take_text(struct sync *s, const char *text, size_t size, const struct digest *digest,
		     unsigned depth)
{
	_cleanup_manifest_ struct manifest m = { 0 };
	char path[PATH_MAX];
	int r = tree_manifest_path(s->registry, s->repository, digest, path);

	if (r == 0 && depth > IMAGES_DEPTH_MAX)
		r = diag_set(s->why, -EBADMSG, "its indexes are nested deeper than %d",
			     IMAGES_DEPTH_MAX);
	if (r == 0)
		r = manifest_parse(text, size, &m, s->why);
	if (r == 0 && m.kind == MANIFEST_INDEX &&
	    (s->followed += m.n_items) > MANIFEST_FOLLOWED_MAX)
		r = diag_set(s->why, -EBADMSG, "its indexes have more than %d entries",
			     MANIFEST_FOLLOWED_MAX);
	if (r == 0 && m.kind == MANIFEST_IMAGE && m.config.digest.algorithm != DIGEST_NONE)
		r = take_blob(s, &m.config);
	for (size_t i = 0; r == 0 && i < m.n_items; i++)
		r = m.kind == MANIFEST_INDEX ? take_child(s, &m.items[i], depth)
					     : take_blob(s, &m.items[i]);
	if (r < 0 || is_there(s->to, path, size))
		return r;
	return write_text(s, path, text, size, digest);
}

static int take_manifest(struct sync *s, const struct digest *digest, unsigned depth)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX], name[DIGEST_STRING_MAX];
	struct digest got;
	size_t size = 0;
	int r = tree_manifest_path(s->registry, s->repository, digest, path);

	if (r == 0)
		r = read_beneath(s->from, path, &text, &size);
	if (r == 0)
		r = digest_of(digest->algorithm, text, size, &got);
	digest_format(digest, name);
	if (r < 0)
		return diag_set(s->why, r, "manifest %s: %s", name, strerror(-r));
	if (!digest_equal(&got, digest))
		return diag_set(s->why, -EBADMSG, "manifest %s: its bytes are not right", name);
	return take_text(s, text, size, digest, depth);
}

/* tag NULL: the manifest alone. */
static int take_image(struct sync *s, const char *tag, const struct digest *digest)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	struct digest found;
	size_t size = 0;

	s->followed = 0;
	if (!tag)
		return take_manifest(s, digest, 0);
	int r = tree_tag_path(s->registry, s->repository, tag, path);
	if (r == 0)
		r = read_beneath(s->from, path, &text, &size);
	if (r == 0)
		r = digest_of(DIGEST_SHA256, text, size, &found);
	if (r < 0)
		return diag_set(s->why, r, "its tag cannot be read: %s", strerror(-r));
	r = take_text(s, text, size, &found, 0);
	return r < 0 ? r : write_text(s, path, text, size, &found);
}

static int check_room(const struct sync *s)
{
	struct statvfs fs;
	char need[TEXT_SIZE_MAX], have[TEXT_SIZE_MAX];

	if (fstatvfs(s->to, &fs) < 0)
		return -errno;
	uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (s->need == 0 || s->need + ROOM_SPARE <= room)
		return 0;
	return diag_set(s->why, -ENOSPC, "it does not fit: %s are needed, %s are free",
			text_size_iec(s->need, need), text_size_iec(room, have));
}

/* Measured before anything is written, so that no half of it fills the volume. */
static int copy_image(struct sync *s, const char *tag, const struct digest *digest)
{
	s->done = s->need = 0;
	s->measure = true;
	int r = take_image(s, tag, digest);
	if (r == 0)
		r = check_room(s);
	s->measure = false;
	return r < 0 ? r : take_image(s, tag, digest);
}

/* Does an active layer give this tag? Layers are above trees. */
static bool is_held(const struct layers_result *result, const char *reference)
{
	for (size_t i = 0; i < result->n_layers; i++) {
		const struct layer *layer = &result->layers[i];
		if (layer->state == LAYER_ACTIVE && !layer->tree &&
		    layer_manifest_lists(&layer->manifest, reference))
			return true;
	}
	return false;
}

static int on_volume(int volume, const char *registry, const char *repository, const char *tag,
		     const struct digest *digest, bool *ret)
{
	char path[PATH_MAX];
	int r = tag ? tree_tag_path(registry, repository, tag, path)
		    : tree_manifest_path(registry, repository, digest, path);

	if (r == 0)
		*ret = faccessat(volume, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	return r;
}

static char *reference_text(const char *registry, const char *repository, const char *tag,
			    const struct digest *digest)
{
	char name[DIGEST_STRING_MAX];

	return text_format("%s/%s%c%s", registry, repository, tag ? ':' : '@',
			   tag ? tag : digest_format(digest, name));
}

/* What one image's failure means: said, counted, and the next one is tried. */
static int note_failure(struct sync *s, const char *tag, int err)
{
	/* Parts of an image that was named already need no line of their own. */
	bool known = !tag && s->counts->failed;

	s->counts->full |= err == -ENOSPC || err == -EDQUOT;
	s->counts->failed += !known;
	if (known)
		return 0;
	int r = strv_addf(s->notes, "%s was not copied: %s", s->what,
			  s->why->message ? diag_text(s->why) : strerror(-err));
	return r < 0 ? r : strv_addf(s->notes, "not on the volume: %s", s->what);
}

static int visit(const char *registry, const char *repository, const char *tag,
		 const struct digest *digest, void *user)
{
	struct sync *s = user;
	_cleanup_diag_ struct diag why = DIAG_INIT;
	_cleanup_free_ char *reference = reference_text(registry, repository, tag, digest);
	bool there = false;
	int r = reference ? on_volume(s->to, registry, repository, tag, digest, &there) : -ENOMEM;

	if (r < 0 || there || (tag && is_held(s->result, reference)))
		return r;
	s->registry = registry;
	s->repository = repository;
	s->what = reference;
	s->why = &why;
	r = copy_image(s, tag, digest);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return note_failure(s, tag, r);
	s->counts->copied += tag != NULL;
	return 0;
}

static int open_volume(const char *run_dir)
{
	_cleanup_free_ char *path = path_join(run_dir, NAME_RUN_VOLUME);
	int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -ENOMEM;

	return path && fd < 0 ? -errno : fd;
}

int tree_sync(const struct layers_request *request, const struct layers_result *result,
	      const struct layer *tree, struct tree_sync *ret, char ***notes)
{
	struct tree_sync counts = { 0 };
	_cleanup_close_ int from =
		open(tree->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int to = open_volume(request->run_dir);
	struct sync s = {
		.request = request,
		.result = result,
		.counts = &counts,
		.notes = notes,
		.from = from,
		.to = to,
	};

	if (from < 0 || to < 0)
		return -EIO;
	(void)ingest_clean(to);
	int r = tree_walk_manifests(from, visit, &s, NULL);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		counts.failed++;
		r = strv_addf(notes, "%s: its manifests cannot be read: %s", tree->path,
			      strerror(-r));
	}
	if (r == 0)
		*ret = counts;
	return r;
}

struct settle {
	const struct layers_result *result;
	int volume;
};

/* 1: it is on the medium only. */
static int find_missing(const char *registry, const char *repository, const char *tag,
			const struct digest *digest, void *user)
{
	const struct settle *s = user;
	_cleanup_free_ char *reference = reference_text(registry, repository, tag, digest);
	bool there = false;
	int r = reference ? on_volume(s->volume, registry, repository, tag, digest, &there)
			  : -ENOMEM;

	return r < 0 ? r : !there && !(tag && is_held(s->result, reference));
}

int trees_settle(const char *run_dir, struct layers_result *result)
{
	_cleanup_close_ int volume = open_volume(run_dir);
	const struct settle s = { .result = result, .volume = volume };

	for (size_t i = 0; volume >= 0 && i < result->n_layers; i++) {
		struct layer *layer = &result->layers[i];
		const struct layer_handle *h = layer->private_;
		if (!layer->tree || layer->state != LAYER_ACTIVE || !h)
			continue;
		int r = tree_walk_manifests(h->dir, find_missing, (void *)&s, NULL);
		if (r == -ENOMEM)
			return r;
		if (r != 0)
			continue;
		layer->state = LAYER_SUPERSEDED;
		layer->reason = strdup("its images are on the volume");
		free(layer->mount);
		layer->mount = NULL;
		if (!layer->reason)
			return -ENOMEM;
	}
	return 0;
}
