/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all kinds of places share: owners, contents, sorted names. */
#include "store/place_kind.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

struct place *place_ref(struct place *place)
{
	__atomic_add_fetch(&place->owners, 1, __ATOMIC_RELAXED);
	return place;
}

void place_unref(struct place *place)
{
	if (__atomic_sub_fetch(&place->owners, 1, __ATOMIC_ACQ_REL) == 0)
		place->kind->free(place);
}

void place_set_mounted(struct place *place, uint64_t mounted)
{
	place->mounted = mounted;
}

void place_set_identify(struct place *place, place_identify_fn identify, const void *user)
{
	place->identify = identify;
	place->identify_user = user;
}

void place_identify(const struct place *place, struct content_id *id)
{
	id->mounted = place->mounted;
	if (place->identify)
		place->identify(place->identify_user, id);
}

int place_stat(struct place *place, const char *path, struct content_id *ret)
{
	return place->kind->stat(place, path, ret);
}

int place_open(struct place *place, const char *path, struct content *ret)
{
	return place->kind->open(place, path, ret);
}

bool place_has_directory(struct place *place, const char *path)
{
	return place->kind->has_directory(place, path);
}

uint64_t place_stamp(struct place *place, const char *path)
{
	return place->kind->stamp(place, path);
}

bool name_is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int place_list_any(struct place *place, const char *path, place_visit_any_fn visit, void *user)
{
	return place->kind->list(place, path, visit, user);
}

struct list_visit {
	place_visit_fn visit;
	void *user;
};

static int visit_useful(const char *name, mode_t type, void *user)
{
	const struct list_visit *v = user;

	return S_ISDIR(type) || S_ISREG(type) ? v->visit(name, S_ISDIR(type), v->user) : 0;
}

int place_list(struct place *place, const char *path, place_visit_fn visit, void *user)
{
	struct list_visit v = { visit, user };

	return place_list_any(place, path, visit_useful, &v);
}

struct name_list {
	char **names;
	size_t n, capacity;
	bool directories;
};

static int add_name(const char *name, bool directory, void *user)
{
	struct name_list *list = user;

	if (directory != list->directories)
		return 0;
	if (list->n + 1 >= list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 16;
		char **larger = realloc(list->names, capacity * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		list->names = larger;
		list->capacity = capacity;
	}
	list->names[list->n] = strdup(name);
	if (!list->names[list->n])
		return -ENOMEM;
	list->names[++list->n] = NULL;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int place_names(struct place *place, const char *path, bool directories, char ***ret)
{
	struct name_list list = { .directories = directories };
	int r = place_list(place, path, add_name, &list);

	if (r < 0 && r != -ENOENT) {
		strv_free(list.names);
		return r;
	}
	if (list.n > 1)
		qsort(list.names, list.n, sizeof(char *), compare_names);
	*ret = list.names;
	return 0;
}

void content_id_set(struct content_id *id, const struct stat *st)
{
	*id = (struct content_id){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.change = st->st_ctim.tv_sec * 1000000000LL + st->st_ctim.tv_nsec,
	};
}

ssize_t content_read(const struct content *content, void *buffer, size_t size, uint64_t offset)
{
	if (offset >= content->id.size)
		return 0;
	if (size > content->id.size - offset)
		size = (size_t)(content->id.size - offset);
	if (content->fd < 0)
		return content->place->kind->read(content->place, content, buffer, size, offset);
	for (;;) {
		ssize_t n = pread(content->fd, buffer, size, (off_t)(content->offset + offset));
		if (n >= 0 || errno != EINTR)
			return n < 0 ? -errno : n;
	}
}

/* Taking a name away changes the ctime, too. Since a file without any cannot be opened anew, its mtime is good enough. */
static bool is_only_deleted(const struct stat *now, int64_t change)
{
	return now->st_nlink == 0 &&
	       now->st_mtim.tv_sec * 1000000000LL + now->st_mtim.tv_nsec <= change;
}

bool file_holds(const struct content_id *file, const struct stat *st)
{
	struct content_id now;

	content_id_set(&now, st);
	return now.device == file->device && now.inode == file->inode && now.size == file->size &&
	       (now.change == file->change || is_only_deleted(st, file->change));
}

bool content_holds(const struct content *content)
{
	bool in_image = content->place && content->place->kind->image_fd;
	int fd = in_image ? content->place->kind->image_fd(content->place) : content->fd;
	struct content_id file = content->id;
	struct stat st;

	/* In a layer that is mounted: it has the identity of the layer's file. */
	if (!in_image && file.image)
		return true;
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	if (in_image) {
		file.inode = file.image;
		file.size = (uint64_t)st.st_size;
	}
	return file_holds(&file, &st);
}

int content_read_exact(const struct content *content, void *buffer, size_t size, uint64_t offset)
{
	char *at = buffer;

	while (size > 0) {
		ssize_t n = content_read(content, at, size, offset);
		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		at += n;
		offset += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int content_read_all(const struct content *content, size_t max, char **ret, size_t *ret_size)
{
	size_t size = (size_t)content->id.size;

	if (content->id.size > max)
		return -EFBIG;
	_cleanup_free_ char *buffer = malloc(size + 1);
	if (!buffer)
		return -ENOMEM;
	int r = content_read_exact(content, buffer, size, 0);
	if (r < 0)
		return r;
	buffer[size] = '\0';
	*ret = TAKE_PTR(buffer);
	*ret_size = size;
	return 0;
}

static void *memdup(const void *data, size_t size)
{
	void *copy = malloc(size);

	return copy ? memcpy(copy, data, size) : NULL;
}

int content_copy(const struct content *content, struct content *ret)
{
	struct content copy = *content;

	if (copy.file) {
		copy.file = memdup(content->file, content->place->kind->file_size);
		if (!copy.file)
			return -ENOMEM;
	}
	if (copy.place)
		place_ref(copy.place);
	else if (copy.fd >= 0) {
		copy.fd = fcntl(content->fd, F_DUPFD_CLOEXEC, 3);
		if (copy.fd < 0)
			return -errno;
	}
	*ret = copy;
	return 0;
}

void content_done(struct content *content)
{
	if (content->place)
		place_unref(content->place);
	else
		close_fd(content->fd);
	free(content->file);
	*content = CONTENT_INIT;
}
