/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding out what a source is, and what all kinds share. */
#include "store/source_kind.h"
#include "store/tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

struct source *source_ref(struct source *source)
{
	__atomic_add_fetch(&source->owners, 1, __ATOMIC_RELAXED);
	return source;
}

void source_unref(struct source *source)
{
	if (__atomic_sub_fetch(&source->owners, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	place_unref(source->place);
	free(source->path);
	source->kind->free(source);
}

const char *source_path(const struct source *source)
{
	return source->path;
}

/* FNV-1a: two names in one boot will not meet, and nobody gains by making them. */
void source_set_mounted(struct source *source, const char *words)
{
	uint64_t hash = 14695981039346656037ULL;

	for (; *words; words++)
		hash = (hash ^ (unsigned char)*words) * 1099511628211ULL;
	place_set_mounted(source->place, hash);
}

static int open_place(const char *path, struct place **ret, struct diag *diag)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return diag_set(diag, -errno, "cannot open %s: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return place_new_directory(fd, ret);
	int r = place_new_image(fd, ret, diag);
	return r < 0 ? diag_prefix(diag, r, "cannot read %s", path) : 0;
}

/* The last component of a path, without the suffix of an image. */
static char *name_of(const char *path)
{
	size_t size = strlen(path);

	while (size > 1 && path[size - 1] == '/')
		size--;
	size_t start = size;
	while (start > 0 && path[start - 1] != '/')
		start--;
	const char *dot = memchr(path + start, '.', size - start);
	return strndup(path + start,
		       dot && dot > path + start ? (size_t)(dot - path) - start : size - start);
}

struct place *source_place(struct source *source)
{
	return source->place;
}

/* Takes place in any case. */
static int new_source(struct place *place, const char *path, bool only_tree, struct source **ret,
		      struct diag *diag)
{
	_cleanup_free_ char *name = name_of(path);
	struct content_id marker;

	if (!name) {
		place_unref(place);
		return -ENOMEM;
	}
	if (!only_tree && place_stat(place, LAYOUT_MARKER_FILE, &marker) == 0)
		return source_new_layout(place, name, ret, diag);
	return source_new_tree(place, ret);
}

static int open_source(const char *path, bool only_tree, struct source **ret, struct diag *diag)
{
	struct place *place;
	_cleanup_(source_unrefp) struct source *source = NULL;
	int r = open_place(path, &place, diag);

	if (r < 0)
		return r;
	r = new_source(place, path, only_tree, &source, diag);
	if (r < 0)
		return diag_prefix(diag, r, "%s", path);
	source->path = strdup(path);
	if (!source->path)
		return -ENOMEM;
	*ret = TAKE_PTR(source);
	return 0;
}

int source_open(const char *path, struct source **ret, struct diag *diag)
{
	return open_source(path, false, ret, diag);
}

int source_open_tree(const char *path, struct source **ret, struct diag *diag)
{
	return open_source(path, true, ret, diag);
}

uint64_t source_stamp(struct source *source)
{
	static const char *const below[] = { "", "/sha256", "/sha512" };
	size_t n = source->kind->blob_names_are_hex ? ARRAY_SIZE(below) : 1;
	uint64_t stamp = 0;

	for (size_t i = 0; i < n; i++) {
		char path[PATH_MAX];
		snprintf(path, sizeof(path), "%s%s", source->kind->blob_directory, below[i]);
		stamp = stamp * 1099511628211ULL + place_stamp(source->place, path);
	}
	return stamp;
}

/* A path that cannot be made names nothing. */
static int no_path(int r)
{
	return r == -ENOMEM ? r : -ENOENT;
}

int source_stat_blob(struct source *source, const struct digest *digest, struct content_id *ret)
{
	char path[PATH_MAX];
	int r = source->kind->blob_path(source, digest, path);

	return r < 0 ? no_path(r) : place_stat(source->place, path, ret);
}

int source_open_blob(struct source *source, const struct digest *digest, struct content *ret)
{
	char path[PATH_MAX];
	int r = source->kind->blob_path(source, digest, path);

	return r < 0 ? no_path(r) : place_open(source->place, path, ret);
}

int source_stat_manifest(struct source *source, const char *registry, const char *repository,
			 const struct digest *digest, struct content_id *ret)
{
	char path[PATH_MAX];
	int r = source->kind->manifest_path(source, registry, repository, digest, path);

	return r < 0 ? no_path(r) : place_stat(source->place, path, ret);
}

int source_open_manifest(struct source *source, const char *registry, const char *repository,
			 const struct digest *digest, struct content *ret)
{
	char path[PATH_MAX];
	int r = source->kind->manifest_path(source, registry, repository, digest, path);

	return r < 0 ? no_path(r) : place_open(source->place, path, ret);
}

int source_stat_tag(struct source *source, const char *registry, const char *repository,
		    const char *tag, struct content_id *ret)
{
	char path[PATH_MAX];
	int r = source->kind->tag_path(source, registry, repository, tag, path);

	return r < 0 ? no_path(r) : place_stat(source->place, path, ret);
}

int source_open_tag(struct source *source, const char *registry, const char *repository,
		    const char *tag, struct content *ret)
{
	char path[PATH_MAX];
	int r = source->kind->tag_path(source, registry, repository, tag, path);

	return r < 0 ? no_path(r) : place_open(source->place, path, ret);
}

bool source_has_blobs(struct source *source)
{
	return place_has_directory(source->place, source->kind->blob_directory);
}

bool source_has_repository(struct source *source, const char *registry, const char *repository)
{
	return source->kind->has_repository(source, registry, repository);
}

int source_registries(struct source *source, char ***ret)
{
	return source->kind->registries(source, ret);
}

int source_tags(struct source *source, const char *registry, const char *repository, char ***ret)
{
	return source->kind->tags(source, registry, repository, ret);
}

int source_manifests(struct source *source, const char *registry, const char *repository,
		     source_manifest_fn visit, void *user)
{
	return source->kind->manifests(source, registry, repository, visit, user);
}

int source_repositories(struct source *source, source_repository_fn visit, void *user)
{
	return source->kind->repositories(source, visit, user);
}

struct blob_walk {
	struct source *source;
	const char *algorithm; /* the directory below blob_directory; NULL: none */
	source_blob_fn visit;
	void *user;
};

static int visit_blob(const char *name, bool directory, void *user)
{
	struct blob_walk *walk = user;
	char text[DIGEST_STRING_MAX];
	struct digest digest;
	struct content_id id;

	if (directory)
		return 0;
	int n = walk->algorithm ? snprintf(text, sizeof(text), "%s-%s", walk->algorithm, name)
				: snprintf(text, sizeof(text), "%s", name);
	if (n < 0 || (size_t)n >= sizeof(text) || digest_parse_file_name(text, &digest) < 0 ||
	    source_stat_blob(walk->source, &digest, &id) < 0)
		return 0;
	return walk->visit(&digest, id.size, walk->user);
}

int source_blobs(struct source *source, source_blob_fn visit, void *user)
{
	static const char *const algorithms[] = { "sha256", "sha512" };
	struct blob_walk walk = { source, NULL, visit, user };
	char path[PATH_MAX];
	int r = 0;

	if (!source->kind->blob_names_are_hex)
		r = place_list(source->place, source->kind->blob_directory, visit_blob, &walk);
	for (size_t i = 0; source->kind->blob_names_are_hex && i < ARRAY_SIZE(algorithms); i++) {
		walk.algorithm = algorithms[i];
		snprintf(path, sizeof(path), "%s/%s", source->kind->blob_directory, algorithms[i]);
		r = place_list(source->place, path, visit_blob, &walk);
		if (r != 0 && r != -ENOENT)
			break;
	}
	return r == -ENOENT ? 0 : r;
}
