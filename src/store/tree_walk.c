/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk over manifests/: repositories are collected first, so that they come out sorted as text. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/names.h"
#include "base/text.h"
#include "store/reference.h"
#include "store/place.h"
#include "store/tree.h"

struct walk {
	struct place *place;
	tree_visit_fn visit;
	void *user;
	unsigned entries; /* seen so far: TREE_ENTRIES_MAX bounds a hostile tree */
	unsigned skipped;
};

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory of the given type; anything else is counted as skipped if count_others. */
struct name_list {
	struct walk *walk;
	mode_t type;
	bool count_others;
	char **names;
	size_t n, room;
};

static int add_name(const char *name, mode_t type, void *user)
{
	struct name_list *list = user;

	if (++list->walk->entries > TREE_ENTRIES_MAX)
		return -E2BIG;
	if (type != list->type) {
		list->walk->skipped += list->count_others;
		return 0;
	}
	if (list->n + 1 >= list->room) {
		list->room = list->room ? list->room * 2 : 16;
		char **larger = realloc(list->names, list->room * sizeof(char *));
		if (!larger)
			return -ENOMEM;
		list->names = larger;
		list->names[list->n] = NULL;
	}
	list->names[list->n] = strdup(name);
	if (!list->names[list->n])
		return -ENOMEM;
	list->names[++list->n] = NULL;
	return 0;
}

/* Sorted. */
static int list_names(struct walk *w, const char *path, mode_t type, bool count_others, char ***ret)
{
	struct name_list list = { .walk = w, .type = type, .count_others = count_others };
	int r = place_list_any(w->place, path, add_name, &list);

	if (r < 0) {
		strv_free(list.names);
		return r;
	}
	if (list.n > 1)
		qsort(list.names, list.n, sizeof(char *), compare_text);
	*ret = list.names;
	return 0;
}

/* below + "/" + name. */
static int join(const char *below, const char *name, char path[static PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/%s", below, name);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int visit_tags(struct walk *w, const char *directory, const char *registry,
		      const char *repository)
{
	_cleanup_strv_ char **names = NULL;
	char path[PATH_MAX];
	int r = join(directory, NAME_REFERENCE_DIR, path);

	if (r == 0)
		r = list_names(w, path, S_IFREG, false, &names);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	STRV_FOREACH (name, names) {
		if (!tag_is_valid(*name)) {
			w->skipped++;
			continue;
		}
		r = w->visit(registry, repository, *name, NULL, w->user);
		if (r != 0)
			return r;
	}
	return 0;
}

static int visit_digests(struct walk *w, const char *directory, const char *registry,
			 const char *repository)
{
	_cleanup_strv_ char **names = NULL;
	char path[PATH_MAX];
	int r = join(directory, NAME_DIGEST_DIR, path);

	if (r == 0)
		r = list_names(w, path, S_IFREG, false, &names);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	STRV_FOREACH (name, names) {
		struct digest digest;
		if (digest_parse_file_name(*name, &digest) < 0) {
			w->skipped++;
			continue;
		}
		r = w->visit(registry, repository, NULL, &digest, w->user);
		if (r != 0)
			return r;
	}
	return 0;
}

/* Below a repository these are its own, whatever else they could be. */
static bool is_of_repository(const char *name)
{
	return strcmp(name, NAME_REFERENCE_DIR) == 0 || strcmp(name, NAME_DIGEST_DIR) == 0;
}

/* Adds "repository" ("": the registry itself, which is none) and every directory below it that can be a repository and has something of one. */
static int collect_repositories(struct walk *w, const char *registry_dir, const char *repository,
				unsigned depth, char ***repositories)
{
	_cleanup_strv_ char **names = NULL;
	char path[PATH_MAX];
	int r = *repository ? join(registry_dir, repository, path) : 0;

	if (r == 0)
		r = list_names(w, *repository ? path : registry_dir, S_IFDIR, !*repository, &names);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (*repository &&
	    (strv_contains(names, NAME_REFERENCE_DIR) || strv_contains(names, NAME_DIGEST_DIR)))
		r = strv_add(repositories, repository);
	STRV_FOREACH (name, names) {
		_cleanup_free_ char *child = NULL;
		if (r < 0)
			return r;
		child = text_format("%s%s%s", repository, *repository ? "/" : "", *name);
		if (!child)
			return -ENOMEM;
		if (!repository_is_valid(child) || depth == TREE_DEPTH_MAX) {
			w->skipped += !(*repository && is_of_repository(*name));
			continue;
		}
		r = collect_repositories(w, registry_dir, child, depth + 1, repositories);
	}
	return r;
}

static int walk_registry(struct walk *w, const char *dir, const char *registry)
{
	_cleanup_strv_ char **repositories = NULL;
	char registry_dir[PATH_MAX], path[PATH_MAX];
	int r = join(NAME_MANIFESTS_DIR, dir, registry_dir);

	if (r == 0)
		r = collect_repositories(w, registry_dir, "", 0, &repositories);
	if (r < 0)
		return r;
	if (repositories)
		qsort(repositories, strv_length(repositories), sizeof(char *), compare_text);
	STRV_FOREACH (repository, repositories) {
		r = join(registry_dir, *repository, path);
		if (r == 0)
			r = visit_tags(w, path, registry, *repository);
		if (r == 0)
			r = visit_digests(w, path, registry, *repository);
		if (r != 0)
			return r;
	}
	return 0;
}

int tree_walk_place(struct place *place, tree_visit_fn visit, void *user, unsigned *ret_skipped)
{
	struct walk w = { .place = place, .visit = visit, .user = user };
	_cleanup_strv_ char **dirs = NULL;
	int r = list_names(&w, NAME_MANIFESTS_DIR, S_IFDIR, true, &dirs);

	STRV_FOREACH (dir, dirs) {
		char registry[NAME_MAX + 1];
		if (tree_registry_from_dir(*dir, registry) < 0) {
			w.skipped++;
			continue;
		}
		r = walk_registry(&w, *dir, registry);
		if (r != 0)
			return r;
	}
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && ret_skipped)
		*ret_skipped = w.skipped;
	return r;
}

int tree_walk_manifests(int tree, tree_visit_fn visit, void *user, unsigned *ret_skipped)
{
	_cleanup_(place_unrefp) struct place *place = NULL;
	int fd = fcntl(tree, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return -errno;
	int r = place_new_directory(fd, &place);
	return r < 0 ? r : tree_walk_place(place, visit, user, ret_skipped);
}
