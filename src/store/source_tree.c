/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source that is a cache tree: every question is a path. */
#include "store/source_kind.h"

#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "store/reference.h"
#include "store/tree.h"

static int tree_source_blob_path(struct source *source, const struct digest *digest,
				 char path[static PATH_MAX])
{
	(void)source;
	return tree_blob_path(digest, path);
}

static int tree_source_manifest_path(struct source *source, const char *registry,
				     const char *repository, const struct digest *digest,
				     char path[static PATH_MAX])
{
	(void)source;
	return tree_manifest_path(registry, repository, digest, path);
}

static int tree_source_tag_path(struct source *source, const char *registry, const char *repository,
				const char *tag, char path[static PATH_MAX])
{
	(void)source;
	return tree_tag_path(registry, repository, tag, path);
}

/* manifests/<registry>/<repository>/<kind> */
static int kind_path(const char *registry, const char *repository, const char *kind,
		     char path[static PATH_MAX])
{
	char dir[NAME_MAX + 1];

	if (tree_registry_to_dir(registry, dir) < 0 || !repository_is_valid(repository))
		return -EINVAL;
	int n = snprintf(path, PATH_MAX, NAME_MANIFESTS_DIR "/%s/%s/%s", dir, repository, kind);
	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/*
 * "digest" and "reference" in a repository hold its files, and may as well be a part of the name of another one ("acme/digest"). What
 * is in such a directory tells: files, or nothing yet, are the repository's; in one that has directories alone it has none.
 */
static int end_at_file(const char *name, bool directory, void *user)
{
	bool *directories = user;

	(void)name;
	*directories |= directory;
	return !directory;
}

static bool is_kind(struct place *place, const char *path)
{
	bool directories = false;
	int r = place_list(place, path, end_at_file, &directories);

	return r > 0 || (r == 0 && !directories);
}

static bool tree_source_has_repository(struct source *source, const char *registry,
				       const char *repository)
{
	static const char *const kinds[] = { NAME_DIGEST_DIR, NAME_REFERENCE_DIR };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kind_path(registry, repository, kinds[i], path) == 0 &&
		    is_kind(source->place, path))
			return true;
	return false;
}

static int tree_source_registries(struct source *source, char ***ret)
{
	_cleanup_strv_ char **dirs = NULL, **registries = NULL;
	char registry[NAME_MAX + 1];
	int r = place_names(source->place, NAME_MANIFESTS_DIR, true, &dirs);

	STRV_FOREACH (dir, dirs)
		if (r == 0 && tree_registry_from_dir(*dir, registry) == 0)
			r = strv_add(&registries, registry);
	if (r == 0)
		*ret = TAKE_PTR(registries);
	return r;
}

static int tree_source_tags(struct source *source, const char *registry, const char *repository,
			    char ***ret)
{
	_cleanup_strv_ char **names = NULL;
	char path[PATH_MAX];
	size_t kept = 0;
	int r = kind_path(registry, repository, NAME_REFERENCE_DIR, path);

	if (r == 0)
		r = place_names(source->place, path, false, &names);
	if (r < 0)
		return r;
	for (size_t i = 0; names && names[i]; i++) {
		if (tag_is_valid(names[i]))
			names[kept++] = names[i];
		else
			free(names[i]);
	}
	if (names)
		names[kept] = NULL;
	*ret = TAKE_PTR(names);
	return 0;
}

struct manifest_walk {
	source_manifest_fn visit;
	void *user;
};

static int visit_manifest(const char *name, bool directory, void *user)
{
	const struct manifest_walk *walk = user;
	struct digest digest;

	if (directory || digest_parse_file_name(name, &digest) < 0)
		return 0;
	return walk->visit(&digest, walk->user);
}

static int tree_source_manifests(struct source *source, const char *registry,
				 const char *repository, source_manifest_fn visit, void *user)
{
	struct manifest_walk walk = { visit, user };
	char path[PATH_MAX];
	int r = kind_path(registry, repository, NAME_DIGEST_DIR, path);

	if (r == 0)
		r = place_list(source->place, path, visit_manifest, &walk);
	return r == -ENOENT ? 0 : r;
}

struct repository_walk {
	struct source *source;
	const char *registry;
	const char *directory; /* of the registry */
	source_repository_fn visit;
	void *user;
};

/* Every directory below a registry may be a part of the name of a repository. */
static int walk_repositories(struct repository_walk *walk, const char *repository, unsigned depth)
{
	_cleanup_strv_ char **names = NULL;
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), NAME_MANIFESTS_DIR "/%s%s%s", walk->directory,
			 *repository ? "/" : "", repository);

	if (n < 0 || (size_t)n >= sizeof(path) || depth > TREE_DEPTH_MAX)
		return 0;
	int r = place_names(walk->source->place, path, true, &names);
	if (r == 0 && names && *repository &&
	    tree_source_has_repository(walk->source, walk->registry, repository))
		r = walk->visit(walk->registry, repository, walk->user);
	STRV_FOREACH (name, names) {
		char child[PATH_MAX];
		if (r != 0)
			break;
		n = snprintf(child, sizeof(child), "%s%s%s", repository, *repository ? "/" : "",
			     *name);
		if (n > 0 && (size_t)n < sizeof(child) && repository_is_valid(child))
			r = walk_repositories(walk, child, depth + 1);
	}
	return r;
}

static int tree_source_repositories(struct source *source, source_repository_fn visit, void *user)
{
	_cleanup_strv_ char **registries = NULL;
	int r = tree_source_registries(source, &registries);

	STRV_FOREACH (registry, registries) {
		char directory[NAME_MAX + 1];
		struct repository_walk walk = { source, *registry, directory, visit, user };
		if (r == 0)
			r = tree_registry_to_dir(*registry, directory);
		if (r == 0)
			r = walk_repositories(&walk, "", 0);
	}
	return r;
}

static void tree_source_free(struct source *source)
{
	free(source);
}

static const struct source_kind tree_kind = {
	.blob_path = tree_source_blob_path,
	.manifest_path = tree_source_manifest_path,
	.tag_path = tree_source_tag_path,
	.has_repository = tree_source_has_repository,
	.registries = tree_source_registries,
	.tags = tree_source_tags,
	.manifests = tree_source_manifests,
	.repositories = tree_source_repositories,
	.blob_directory = NAME_BLOB_DIR,
	.free = tree_source_free,
};

int source_new_tree(struct place *place, struct source **ret)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source) {
		place_unref(place);
		return -ENOMEM;
	}
	*source = (struct source){ .kind = &tree_kind, .owners = 1, .place = place };
	*ret = source;
	return 0;
}
