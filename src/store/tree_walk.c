/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk over manifests/: repositories are collected first, so that they come out sorted as text. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/names.h"
#include "base/text.h"
#include "store/reference.h"
#include "store/tree.h"

struct walk {
	int manifests; /* descriptor of manifests/ */
	tree_visit_fn visit;
	void *user;
	unsigned entries; /* seen so far: TREE_ENTRIES_MAX bounds a hostile tree */
	unsigned skipped;
};

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static mode_t entry_type(int dir, const struct dirent *e)
{
	struct stat st;

	if (e->d_type == DT_DIR)
		return S_IFDIR;
	if (e->d_type == DT_REG)
		return S_IFREG;
	if (e->d_type != DT_UNKNOWN || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return st.st_mode & S_IFMT;
}

/* The names in dir/path of the given type, sorted; anything else is counted as skipped if count_others. */
static int list_names(struct walk *w, int dir, const char *path, mode_t type, bool count_others,
		      char ***ret)
{
	_cleanup_strv_ char **names = NULL;
	_cleanup_closedir_ DIR *d = NULL;
	int fd = open_beneath(dir, path, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		int saved = errno;
		close_fd(fd);
		return -saved;
	}
	size_t n = 0, room = 0;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (++w->entries > TREE_ENTRIES_MAX)
			return -E2BIG;
		if (entry_type(dirfd(d), e) != type) {
			w->skipped += count_others;
			continue;
		}
		if (n + 1 >= room) {
			room = room ? room * 2 : 16;
			char **larger = realloc(names, room * sizeof(char *));
			if (!larger)
				return -ENOMEM;
			names = larger;
			names[n] = NULL;
		}
		names[n] = strdup(e->d_name);
		if (!names[n])
			return -ENOMEM;
		names[++n] = NULL;
	}
	if (names)
		qsort(names, n, sizeof(char *), compare_text);
	*ret = TAKE_PTR(names);
	return 0;
}

static bool is_skippable(int r)
{
	return r == -ENOENT || r == -ELOOP || r == -ENOTDIR || r == -EXDEV;
}

static int visit_tags(struct walk *w, int repository_dir, const char *registry,
		      const char *repository)
{
	_cleanup_strv_ char **names = NULL;
	int r = list_names(w, repository_dir, NAME_REFERENCE_DIR, S_IFREG, false, &names);

	if (r < 0)
		return is_skippable(r) ? 0 : r;
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

static int visit_digests(struct walk *w, int repository_dir, const char *registry,
			 const char *repository)
{
	_cleanup_strv_ char **names = NULL;
	int r = list_names(w, repository_dir, NAME_DIGEST_DIR, S_IFREG, false, &names);

	if (r < 0)
		return is_skippable(r) ? 0 : r;
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

/* Adds every directory below "repository" (NULL: the registry itself) that can be a repository. */
static int collect_repositories(struct walk *w, int registry_dir, const char *repository,
				unsigned depth, char ***repositories)
{
	_cleanup_strv_ char **names = NULL;
	int r = list_names(w, registry_dir, repository ? repository : ".", S_IFDIR, !repository,
			   &names);

	if (r < 0)
		return is_skippable(r) ? 0 : r;
	STRV_FOREACH (name, names) {
		_cleanup_free_ char *path = NULL;
		if (asprintf(&path, "%s%s%s", repository ? repository : "", repository ? "/" : "",
			     *name) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		if (!repository_is_valid(path) || depth == TREE_DEPTH_MAX) {
			w->skipped++;
			continue;
		}
		r = strv_add(repositories, path);
		if (r == 0)
			r = collect_repositories(w, registry_dir, path, depth + 1, repositories);
		if (r < 0)
			return r;
	}
	return 0;
}

static int walk_registry(struct walk *w, const char *dir, const char *registry)
{
	_cleanup_close_ int registry_dir = open_beneath(w->manifests, dir, O_RDONLY | O_DIRECTORY);
	_cleanup_strv_ char **repositories = NULL;

	if (registry_dir < 0)
		return registry_dir;
	int r = collect_repositories(w, registry_dir, NULL, 0, &repositories);
	if (r < 0)
		return r;
	if (repositories)
		qsort(repositories, strv_length(repositories), sizeof(char *), compare_text);
	STRV_FOREACH (repository, repositories) {
		_cleanup_close_ int fd =
			open_beneath(registry_dir, *repository, O_RDONLY | O_DIRECTORY);
		r = fd < 0 ? fd : visit_tags(w, fd, registry, *repository);
		if (r == 0)
			r = visit_digests(w, fd, registry, *repository);
		if (r != 0)
			return r;
	}
	return 0;
}

static int walk_all(struct walk *w)
{
	_cleanup_strv_ char **dirs = NULL;
	int r = list_names(w, w->manifests, ".", S_IFDIR, true, &dirs);

	if (r < 0)
		return r;
	STRV_FOREACH (dir, dirs) {
		char registry[NAME_MAX + 1];
		if (tree_registry_from_dir(*dir, registry) < 0) {
			w->skipped++;
			continue;
		}
		r = walk_registry(w, *dir, registry);
		if (r != 0)
			return r;
	}
	return 0;
}

int tree_walk_manifests(int tree, tree_visit_fn visit, void *user, unsigned *ret_skipped)
{
	_cleanup_close_ int manifests =
		open_beneath(tree, NAME_MANIFESTS_DIR, O_RDONLY | O_DIRECTORY);
	struct walk w = { .manifests = manifests, .visit = visit, .user = user };
	int r = manifests == -ENOENT ? 0 : manifests < 0 ? manifests : walk_all(&w);

	if (r == 0 && ret_skipped)
		*ret_skipped = w.skipped;
	return r;
}
