/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Units of a system: which file of a name counts, and which drop-ins it has (systemd.unit(5)). */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "needs/unit_file.h"

struct search {
	struct collector *c;
	const char *const *directories;
	const char *const *suffixes;
	bool deep;
	struct unit_list *list;
	unsigned files;
	struct place *seen; /* directories */
	size_t n_seen;
};

struct place {
	dev_t device;
	ino_t inode;
};

void unit_list_done(struct unit_list *list)
{
	for (size_t i = 0; i < list->n_units; i++)
		unit_done(&list->units[i]);
	free(list->units);
	*list = (struct unit_list){ 0 };
}

static bool is_known(const struct unit_list *list, const char *name)
{
	for (size_t i = 0; i < list->n_units; i++)
		if (strcmp(list->units[i].name, name) == 0)
			return true;
	return false;
}

static bool has_suffix(const struct search *s, const char *name)
{
	for (const char *const *suffix = s->suffixes; *suffix; suffix++)
		if (text_ends_with(name, *suffix))
			return true;
	return false;
}

static int parse(struct search *s, struct unit *unit, const char *path)
{
	_cleanup_rootfs_file_ struct rootfs_file file = { 0 };
	size_t ignored = 0;
	int r = collect_read(s->c, path, &file);

	if (r == 0 && file.text) {
		unit->loaded = true;
		r = unit_parse(unit, file.text, &ignored);
	}
	if (r == -E2BIG)
		return collect_note(s->c, "%s is not read to its end: more than %d settings", path,
				    UNIT_SETTINGS_MAX);
	return r == 0 && ignored > 0
		       ? collect_note(
				 s->c,
				 "%s: lines that are neither a section nor a setting in one count "
				 "nothing: %zu",
				 path, ignored)
		       : r;
}

/* Empty, a device (/dev/null) or a link to nowhere: the unit is masked. A pipe or a directory is not, and cannot be read. */
static bool is_masked(const struct search *s, const char *path)
{
	struct stat st;
	int r = rootfs_stat(s->c->root, path, &st);

	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR;
	return S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ||
	       (S_ISREG(st.st_mode) && st.st_size == 0);
}

static int add_unit(struct search *s, const char *name, const char *path)
{
	struct unit_list *list = s->list;

	if (s->files++ == NEEDS_FILES_MAX)
		return collect_note(s->c, "%s and more are not read: there are more than %d units",
				    path, NEEDS_FILES_MAX);
	if (s->files > NEEDS_FILES_MAX)
		return 0;
	struct unit *larger = reallocarray(list->units, list->n_units + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	list->units = larger;
	struct unit *unit = &larger[list->n_units++];
	*unit = (struct unit){ .name = strdup(name), .path = strdup(path) };
	if (!unit->name || !unit->path)
		return -ENOMEM;
	return is_masked(s, path) ? 0 : parse(s, unit, path);
}

/* A directory that a link leads to again has nothing new. -EEXIST: it is one, or there are too many. */
static int see_directory(struct search *s, const char *path)
{
	struct stat st;

	if (rootfs_stat(s->c->root, path, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0; /* collect_list() says why */
	for (size_t i = 0; i < s->n_seen; i++)
		if (s->seen[i].device == st.st_dev && s->seen[i].inode == st.st_ino)
			return -EEXIST;
	if (s->n_seen == NEEDS_FILES_MAX) {
		int r = collect_note(
			s->c, "not all directories of units are read: there are more than %d",
			NEEDS_FILES_MAX);
		return r < 0 ? r : -EEXIST;
	}
	struct place *larger = reallocarray(s->seen, s->n_seen + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	s->seen = larger;
	s->seen[s->n_seen++] = (struct place){ st.st_dev, st.st_ino };
	return 0;
}

static int read_directory(struct search *s, const char *directory, unsigned depth)
{
	_cleanup_strv_ char **names = NULL;
	int r = see_directory(s, directory);

	if (r < 0)
		return r == -EEXIST ? 0 : r;
	r = collect_list(s->c, directory, &names);
	STRV_FOREACH (name, names) {
		_cleanup_free_ char *path = NULL;
		if (r < 0 || **name == '.')
			continue;
		if (asprintf(&path, "%s/%s", directory, *name) < 0)
			return -ENOMEM;
		if (has_suffix(s, *name))
			r = is_known(s->list, *name) ? 0 : add_unit(s, *name, path);
		else if (s->deep && depth < NEEDS_DEPTH_MAX && !text_ends_with(*name, ".d"))
			r = read_directory(s, path, depth + 1);
	}
	return r;
}

/* name → path of a drop-in; one of the same name gives way. */
struct drop_in {
	char *name, *path;
};
struct drop_ins {
	struct drop_in *list;
	size_t n;
};

static void drop_ins_done(struct drop_ins *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->list[i].name);
		free(d->list[i].path);
	}
	free(d->list);
}

static int add_drop_in(struct drop_ins *d, const char *name, char *path)
{
	for (size_t i = 0; i < d->n; i++) {
		if (strcmp(d->list[i].name, name) != 0)
			continue;
		free(d->list[i].path);
		d->list[i].path = path;
		return 0;
	}
	struct drop_in *larger = reallocarray(d->list, d->n + 1, sizeof(*larger));
	if (larger) {
		d->list = larger;
		d->list[d->n++] = (struct drop_in){ strdup(name), path };
	}
	if (larger && d->list[d->n - 1].name)
		return 0;
	if (!larger)
		free(path);
	return -ENOMEM;
}

static int list_drop_ins(struct search *s, const char *directory, const char *stem,
			 struct drop_ins *d)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_strv_ char **names = NULL;

	if (asprintf(&path, "%s/%s.d", directory, stem) < 0)
		return -ENOMEM;
	int r = collect_list(s->c, path, &names);
	STRV_FOREACH (name, names) {
		char *full = NULL;
		if (r < 0 || **name == '.' || !text_ends_with(*name, ".conf"))
			continue;
		r = asprintf(&full, "%s/%s", path, *name) < 0 ? -ENOMEM
							      : add_drop_in(d, *name, full);
	}
	return r;
}

/* "a-b.container": container, a-.container, a-b.container; of a name, the most specific counts. strv. */
static int drop_in_stems(const char *name, char ***ret)
{
	const char *type = strrchr(name, '.');
	_cleanup_strv_ char **stems = NULL;
	int r = strv_add(&stems, type + 1);

	for (const char *dash = name; r == 0 && (dash = strchr(dash, '-')) && dash < type; dash++)
		if (dash[1] != '.')
			r = strv_addf(&stems, "%.*s%s", (int)(dash + 1 - name), name, type);
	if (r == 0)
		r = strv_add(&stems, name);
	if (r == 0)
		*ret = TAKE_PTR(stems);
	return r;
}

static int compare_drop_ins(const void *a, const void *b)
{
	return strcmp(((const struct drop_in *)a)->name, ((const struct drop_in *)b)->name);
}

static int read_drop_ins(struct search *s, struct unit *unit)
{
	_cleanup_(drop_ins_done) struct drop_ins found = { 0 };
	_cleanup_strv_ char **stems = NULL;
	_cleanup_free_ char *own =
		strndup(unit->path, (size_t)(strrchr(unit->path, '/') - unit->path));
	size_t n = 0;
	int r = own ? drop_in_stems(unit->name, &stems) : -ENOMEM;

	while (s->directories[n])
		n++;
	STRV_FOREACH (stem, stems) {
		/* From the directory that counts least to the one that counts most. */
		for (size_t i = n; r == 0 && i-- > 0;)
			r = list_drop_ins(s, s->directories[i], *stem, &found);
		if (r == 0 && s->deep)
			r = list_drop_ins(s, own, *stem, &found);
	}
	if (found.n > 0)
		qsort(found.list, found.n, sizeof(*found.list), compare_drop_ins);
	for (size_t i = 0; r == 0 && i < found.n; i++)
		r = parse(s, unit, found.list[i].path);
	return r;
}

static int compare_units(const void *a, const void *b)
{
	return natural_compare(((const struct unit *)a)->name, ((const struct unit *)b)->name);
}

int units_read(struct collector *c, const char *const *directories, const char *const *suffixes,
	       bool deep, struct unit_list *ret)
{
	_cleanup_units_ struct unit_list list = { 0 };
	struct search s = {
		.c = c,
		.directories = directories,
		.suffixes = suffixes,
		.deep = deep,
		.list = &list,
	};
	int r = 0;

	for (; r == 0 && *directories; directories++)
		r = read_directory(&s, *directories, 0);
	free(s.seen);
	/* Drop-ins do not bring a masked unit back, but one whose file is a bare "[Pod]" lives by them. */
	for (size_t i = 0; r == 0 && i < list.n_units; i++)
		if (list.units[i].loaded)
			r = read_drop_ins(&s, &list.units[i]);
	if (r < 0)
		return r;
	if (list.n_units)
		qsort(list.units, list.n_units, sizeof(*list.units), compare_units);
	*ret = list;
	list = (struct unit_list){ 0 };
	return 0;
}
