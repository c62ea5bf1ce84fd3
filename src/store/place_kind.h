/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_STORE_PLACE_KIND_H
#define LARDER_STORE_PLACE_KIND_H
/* Inside of store/place: what each kind of place can do. */
#include <sys/stat.h>

#include "store/place.h"

struct place_kind {
	int (*stat)(struct place *place, const char *path, struct content_id *ret);
	int (*open)(struct place *place, const char *path, struct content *ret);
	bool (*has_directory)(struct place *place, const char *path);
	uint64_t (*stamp)(struct place *place, const char *path);
	int (*list)(struct place *place, const char *path, place_visit_any_fn visit, void *user);
	/* Only for contents with fd -1. */
	ssize_t (*read)(struct place *place, const struct content *content, void *buffer,
			size_t size, uint64_t offset);
	size_t file_size;		      /* of what content.file points to */
	int (*image_fd)(struct place *place); /* of the image's file; NULL: it is no image */
	void (*free)(struct place *place);
};

struct place {
	const struct place_kind *kind;
	unsigned owners;  /* atomic */
	uint64_t mounted; /* see place_set_mounted() */
	place_identify_fn identify;
	const void *identify_user;
};

/* What every kind ends with when it has found out which bytes these are. */
void place_identify(const struct place *place, struct content_id *id);

void content_id_set(struct content_id *id, const struct stat *st);

/* "." and "..": a directory is listed with each of them once; as an entry of an image they are an attempt to lead out of it. */
bool name_is_dots(const char *name);

/* Is the file that had this identity unchanged, but for being deleted? */
bool file_holds(const struct content_id *file, const struct stat *now);

#endif
