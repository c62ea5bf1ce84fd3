/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_LAYER_OPEN_H
#define LARDER_LAYERS_LAYER_OPEN_H
/*
 * From a file to its content. A layer that is mounted already is found by the file behind its loop device; any other is mounted
 * detached, so that looking at a layer leaves no trace. Where the kernel has no squashfs or no loop devices, or mounting is not
 * allowed, the image is read in place, here and by larderd (store/place.h).
 *
 * Beside the place where an active layer is mounted (or would be) lies RUN/layers/<name>-<version>-<id8>.sqsh, a symlink to its file:
 * by it larderd looks whether the file is still the same, and reads it where it is not mounted (store/parts.h).
 */
#include <sys/types.h>

#include "block/mounts.h"
#include "block/verity.h"
#include "layers/layers.h"
#include "layers/loop.h"
#include "store/parts.h"

/* The layers that are mounted below RUN/layers. */
struct mounted_layer {
	char *point;
	char *verity; /* name of its dm-verity device, which stands for the file; NULL: without */
	dev_t dev;    /* of the file behind it */
	ino_t ino;
};

struct mounted_layers {
	struct mounted_layer *list;
	size_t n;
	struct mounts mounts; /* all there are */
};

int mounted_layers_read(const char *run_dir, struct mounted_layers *ret);
void mounted_layers_done(struct mounted_layers *m);

/* What layer.private_ is while a layer is open. */
struct layer_handle {
	struct place *place; /* its content */
	int dir;	     /* the root of the mount; -1: it is read in place */
	int loop;	     /* keeps the device until it is mounted; -1 */
	char device[VERITY_PATH_MAX];
	char id[33];		 /* stands for what is in the file, and what proves it */
	char *probe;		 /* classic mounts only: where it is mounted for now */
	struct timespec changed; /* ctime of the file */
	dev_t dev;		 /* of the file */
	ino_t ino;
	struct part_file file;
	uint64_t disk; /* that it lies on (base/disk_sequence.h) */
	char *text;    /* of the layer manifest */
};

/*
 * Opens and checks (layer_check.h), also in several threads at once, and fills manifest, id, size, root_hash, note and, if it is mounted already, mount. config (may be NULL)
 * says which layers need dm-verity (layer_verity.h). -EINVAL and others with diag: the layer is broken. Without root, the reason is that
 * mounting is not allowed.
 */
int layer_open(struct layer *layer, const char *run_dir, const struct layer_config *config,
	       const struct mounted_layers *mounted, struct diag *diag);

/*
 * Mounts an open layer at its place below RUN/layers and sets layer->mount, unless it is to be read in place; makes the link to its file
 * and sets layer->link.
 */
int layer_mount(struct layer *layer, const char *run_dir, struct diag *diag);

/* Where the link to the file of an open layer is or would be; the caller's. */
int layer_link(const struct layer *layer, const char *run_dir, char **ret);

/* Makes the link to an open layer that is another copy of an active one, and sets layer->link. */
int layer_make_spare(struct layer *layer, const char *run_dir, struct diag *diag);

/* Its line in the list of a generation (store/parts.h): a spare, if it is not active. What it points to is the layer's. */
struct part layer_part(const struct layer *layer);

/* Ends what layer_open() began; a layer that was not mounted is gone. */
void layer_close(struct layer *layer);

/* That, and all that the struct owns. */
void layer_done(struct layer *layer);

#endif
