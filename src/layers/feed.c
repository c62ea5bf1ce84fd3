/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "layers/feed.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "layers/tar_stream.h"
#include "store/side_hasher.h"
#include "store/tree.h"

#define READAHEAD_BYTES (8 * 1024 * 1024) /* asked for before it is needed */

struct writer {
	const struct feed *feed;
	struct tar_stream tar;
	struct side_hasher *hasher;
	bool lends; /* see send_piece() */
	uint64_t done;
	struct diag *diag;
};

/* Splits "registry/repository" for the functions of store/tree.h. */
static int manifest_path(const struct content *item, char path[static PATH_MAX])
{
	const char *slash = strchr(item->repository, '/');
	_cleanup_free_ char *registry = NULL;

	if (!slash)
		return -EINVAL;
	registry = strndup(item->repository, (size_t)(slash - item->repository));
	return registry ? tree_manifest_path(registry, slash + 1, &item->digest, path) : -ENOMEM;
}

static int content_path(const struct content *item, char path[static PATH_MAX])
{
	return item->repository ? manifest_path(item, path) : tree_blob_path(&item->digest, path);
}

static int layer_manifest_path(const struct feed *feed, char path[static PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, NAME_LAYER_MANIFEST_DIR "/%s.yaml", feed->name);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

struct paths {
	char **list;
	size_t n, room;
};

static int paths_add(struct paths *p, const char *path, size_t size)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		char **larger = reallocarray(p->list, room, sizeof(char *));
		if (!larger)
			return -ENOMEM;
		p->list = larger;
		p->room = room;
	}
	p->list[p->n] = strndup(path, size);
	return p->list[p->n++] ? 0 : -ENOMEM;
}

static void paths_done(struct paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i]);
	free(p->list);
}

/* Every directory above path. */
static int add_parents(struct paths *p, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r = paths_add(p, path, (size_t)(slash - path));
		if (r < 0)
			return r;
	}
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int collect_directories(const struct feed *feed, struct paths *p)
{
	const struct contents *c = feed->contents;
	char path[PATH_MAX];
	int r = layer_manifest_path(feed, path);

	if (r == 0)
		r = add_parents(p, path);
	/* Blobs share one directory; adding it once is enough. */
	if (r == 0)
		r = paths_add(p, NAME_BLOB_DIR, strlen(NAME_BLOB_DIR));
	for (size_t i = 0; r == 0 && i < c->n_items; i++) {
		if (!c->items[i].repository)
			continue;
		r = content_path(&c->items[i], path);
		if (r == 0)
			r = add_parents(p, path);
	}
	for (size_t i = 0; r == 0 && i < c->n_tags; i++) {
		if (!c->tags[i].tag)
			continue;
		r = tree_tag_path(c->tags[i].registry, c->tags[i].repository, c->tags[i].tag, path);
		if (r == 0)
			r = add_parents(p, path);
	}
	qsort(p->list, p->n, sizeof(char *), compare_paths);
	return r;
}

static int write_directories(struct writer *w)
{
	_cleanup_(paths_done) struct paths p = { 0 };
	int r = collect_directories(w->feed, &p);

	for (size_t i = 0; r == 0 && i < p.n; i++)
		if (i == 0 || strcmp(p.list[i], p.list[i - 1]) != 0)
			r = tar_directory(&w->tar, p.list[i]);
	return r;
}

static int write_layer_manifest(struct writer *w)
{
	char path[PATH_MAX];
	size_t size = strlen(w->feed->layer_manifest);
	int r = layer_manifest_path(w->feed, path);

	if (r == 0)
		r = tar_file(&w->tar, path, size);
	if (r == 0)
		r = write_exact(w->tar.fd, w->feed->layer_manifest, size);
	return r < 0 ? r : tar_pad(&w->tar, size);
}

static void report(struct writer *w, const char *what)
{
	if (w->feed->progress)
		w->feed->progress(w->done, w->feed->contents->bytes, what, w->feed->user);
}

static int check_size(struct writer *w, int fd, const struct content *item)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return diag_set(w->diag, -EINVAL, "%s is no regular file", item->path);
	if ((uint64_t)st.st_size != item->size)
		return diag_set(w->diag, -EBADMSG, "%s has %lld bytes, but its manifest says %llu",
				item->path, (long long)st.st_size, (unsigned long long)item->size);
	return 0;
}

static bool pipe_is_small(int fd)
{
	int size = fcntl(fd, F_GETPIPE_SZ);

	return size > 0 && size <= SIDE_HASHER_PIECE;
}

/*
 * A piece goes into the pipe as the pages that it lies in, which saves a copy. They must stay as they are until they were read from it,
 * which they were once as much as the pipe holds was written after them: so only if one more full piece of the file follows. Those in
 * front of it are not filled anew before that is written.
 */
static int send_piece(struct writer *w, void *piece, size_t size, uint64_t following)
{
	struct iovec rest = { .iov_base = piece, .iov_len = size };
	bool lend = w->lends && following >= SIDE_HASHER_PIECE;

	while (lend && rest.iov_len > 0) {
		ssize_t n = vmsplice(w->tar.fd, &rest, 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* a sandbox may forbid it; write() says what else it is */
		rest.iov_base = (char *)rest.iov_base + n;
		rest.iov_len -= (size_t)n;
	}
	return write_exact(w->tar.fd, rest.iov_base, rest.iov_len);
}

/* The bytes of one file into the stream, and their digest. */
static int pump(struct writer *w, int fd, const struct content *item, struct digest *ret)
{
	int r = side_hasher_begin(w->hasher, item->digest.algorithm);

	for (uint64_t at = 0; r == 0 && at < item->size;) {
		size_t part = item->size - at < SIDE_HASHER_PIECE ? (size_t)(item->size - at)
								  : SIDE_HASHER_PIECE;
		void *piece = side_hasher_piece(w->hasher);
		if (at % READAHEAD_BYTES == 0)
			(void)posix_fadvise(fd, (off_t)(at + READAHEAD_BYTES), READAHEAD_BYTES,
					    POSIX_FADV_WILLNEED);
		r = pread_exact(fd, piece, part, at);
		if (r == 0) {
			side_hasher_push(w->hasher, part);
			r = send_piece(w, piece, part, item->size - at - part);
		}
		at += part;
		w->done += part;
		report(w, item->image);
	}
	return r < 0 ? r : side_hasher_finish(w->hasher, ret);
}

static int write_content(struct writer *w, const struct content *item)
{
	char path[PATH_MAX], what[DIGEST_STRING_MAX];
	struct digest got;
	_cleanup_close_ int fd = open(item->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	int r = fd < 0 ? -errno : check_size(w, fd, item);

	digest_format(&item->digest, what);
	if (r == 0)
		r = content_path(item, path);
	if (r == 0)
		r = tar_file(&w->tar, path, item->size);
	if (r == 0)
		r = pump(w, fd, item, &got);
	if (r == -EPIPE || r == -EBADMSG)
		return r;
	if (r < 0)
		return diag_set(w->diag, r, "%s: %s", item->path, strerror(-r));
	if (!digest_equal(&got, &item->digest))
		return diag_set(w->diag, -EBADMSG, "%s: its bytes are not those of %s", item->path,
				what);
	return tar_pad(&w->tar, item->size);
}

static int write_items(struct writer *w, bool manifests)
{
	const struct contents *c = w->feed->contents;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_items; i++)
		if ((c->items[i].repository != NULL) == manifests)
			r = write_content(w, &c->items[i]);
	return r;
}

/* A tag is one more name of its manifest. */
static int write_tags(struct writer *w)
{
	const struct contents *c = w->feed->contents;
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
			r = tar_hard_link(&w->tar, path, target);
	}
	return r;
}

int feed_write(const struct feed *feed, struct diag *diag)
{
	_cleanup_(side_hasher_freep) struct side_hasher *hasher = NULL;
	int r = side_hasher_new(&hasher);
	struct writer w = {
		.feed = feed,
		.tar = { .fd = feed->fd, .time = feed->time },
		.hasher = hasher,
		.lends = pipe_is_small(feed->fd),
		.diag = diag,
	};

	if (r == 0)
		r = write_directories(&w);

	if (r == 0)
		r = write_layer_manifest(&w);
	if (r == 0)
		r = write_items(&w, true);
	if (r == 0)
		r = write_tags(&w);
	if (r == 0)
		r = write_items(&w, false);
	return r < 0 ? r : tar_end(&w.tar);
}
