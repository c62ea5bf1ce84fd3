/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/place_names.h"

#include <string.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "store/place_kind.h"

/* The entries of a directory one after the other: its type, its name, a NUL. */
struct names {
	char *path;
	char *entries;
	size_t size, room;
	UT_hash_handle hh;
};

struct names_place {
	struct place place;
	struct names *directories; /* uthash, by path */
};

static struct names *find(struct place *place, const char *path)
{
	struct names_place *p = (struct names_place *)place;
	struct names *found;

	HASH_FIND_STR(p->directories, path, found);
	return found;
}

static int names_stat(struct place *place, const char *path, struct content_id *ret)
{
	(void)place, (void)path, (void)ret;
	return -ENOENT;
}

static int names_open(struct place *place, const char *path, struct content *ret)
{
	(void)place, (void)path, (void)ret;
	return -ENOENT;
}

static bool names_has_directory(struct place *place, const char *path)
{
	return find(place, path) != NULL;
}

static uint64_t names_stamp(struct place *place, const char *path)
{
	(void)place, (void)path;
	return 0;
}

int names_list(const struct names *directory, place_visit_any_fn visit, void *user)
{
	for (size_t at = 0; at < directory->size;) {
		mode_t type;
		memcpy(&type, directory->entries + at, sizeof(type));
		const char *name = directory->entries + at + sizeof(type);
		int r = visit(name, type, user);
		if (r != 0)
			return r;
		at += sizeof(type) + strlen(name) + 1;
	}
	return 0;
}

static int names_list_path(struct place *place, const char *path, place_visit_any_fn visit,
			   void *user)
{
	const struct names *directory = find(place, path);

	return directory ? names_list(directory, visit, user) : -ENOENT;
}

static void names_free(struct place *place)
{
	struct names_place *p = (struct names_place *)place;
	struct names *directory, *next;

	HASH_ITER (hh, p->directories, directory, next) {
		HASH_DEL(p->directories, directory);
		free(directory->path);
		free(directory->entries);
		free(directory);
	}
	free(p);
}

static const struct place_kind names_kind = {
	.stat = names_stat,
	.open = names_open,
	.has_directory = names_has_directory,
	.stamp = names_stamp,
	.list = names_list_path,
	.free = names_free,
};

int place_new_names(struct place **ret)
{
	struct names_place *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->place = (struct place){ &names_kind, 1 };
	*ret = &p->place;
	return 0;
}

int place_names_directory(struct place *names, const char *path, struct names **ret)
{
	struct names_place *p = (struct names_place *)names;
	struct names *directory = calloc(1, sizeof(*directory));

	if (!directory)
		return -ENOMEM;
	directory->path = strdup(path);
	if (!directory->path) {
		free(directory);
		return -ENOMEM;
	}
	HASH_ADD_KEYPTR(hh, p->directories, directory->path, strlen(directory->path), directory);
	*ret = directory;
	return 0;
}

static int make_room(struct names *directory, size_t more)
{
	if (directory->room - directory->size >= more)
		return 0;
	size_t room = directory->room ? directory->room * 2 : 256;
	if (room - directory->size < more)
		room = directory->size + more;
	char *larger = realloc(directory->entries, room);
	if (!larger)
		return -ENOMEM;
	directory->entries = larger;
	directory->room = room;
	return 0;
}

int names_add(struct names *directory, const char *name, mode_t type)
{
	size_t length = strlen(name) + 1;
	int r = make_room(directory, sizeof(type) + length);

	if (r < 0)
		return r;
	memcpy(directory->entries + directory->size, &type, sizeof(type));
	memcpy(directory->entries + directory->size + sizeof(type), name, length);
	directory->size += sizeof(type) + length;
	return 0;
}
