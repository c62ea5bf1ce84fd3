/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_LAYERS_H
#define LARDER_LAYERS_LAYERS_H
/*
 * Cache layers on this machine: found on the volume, built in, and on media; checked; chosen; each mounted once; merged by one
 * read-only overlay, the generation, which RUN/cache names.
 *
 *	RUN/media/N                        trusted media, read-only
 *	RUN/layers/<name>-<version>-<id8>  each active layer; id8 names this file of this layer
 *	RUN/gen/N, RUN/cache → gen/N       the generation; a new one is mounted beside the old before the link is renamed
 *
 * One layer that is broken is a row with its reason; it never keeps the others from being served. All calls lock RUN/lock.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "block/disk.h"
#include "config/machine_config.h"
#include "layers/layer_manifest.h"

/* What to do about a full volume, in messages and advice. */
#define LAYERS_MAKE_ROOM                                                                             \
	"let the volume grow (grow and maxSize of its VolumeConfig), keep fewer old versions (keep " \
	"of CacheLayerConfig, \"larder layers prune\"), or leave the layer on its medium"

#define LAYERS_MAX	  4096 /* candidates looked at */
#define LAYERS_ACTIVE_MAX 499  /* what one overlay takes (500), less its empty bottom */

enum layer_state {
	LAYER_ACTIVE,
	LAYER_SUPERSEDED,     /* another version of it, or another copy, is active */
	LAYER_MISSING,	      /* configured, and not there (in that version) */
	LAYER_BROKEN,	      /* it cannot be used; reason says why */
	LAYER_NOT_CONFIGURED, /* there, and CacheLayerConfig does not list it */
	LAYER_REFUSED,	      /* whole, but not trusted enough; reason says why */
	LAYER_GONE, /* the generation has it, and no file stands for it any more; only layers_inspect() finds it */
};

enum layer_origin {
	LAYER_ON_VOLUME,
	LAYER_BUILT_IN, /* /usr/lib/larder/layers, /var/lib/larder/layers */
	LAYER_ON_MEDIUM,
};

struct layer {
	char *path; /* the .sqsh file, or a medium's cache tree; NULL: missing */
	enum layer_origin origin;
	enum layer_state state;
	char *reason;			/* NULL: none */
	struct layer_manifest manifest; /* of a broken layer: what its file name says */
	struct digest id;		/* of the layer manifest's bytes; DIGEST_NONE: not read */
	uint64_t size;			/* bytes of the file */
	bool tree;			/* a cache tree in a directory instead of an image file */
	bool is_signed;			/* by one of trust.keys */
	bool unchecked; /* it has a signature, which may be by a key that could not be read */
	char *mount;	/* where it is mounted; NULL: it is not */
	char *root_hash; /* of dm-verity, through which it is mounted; NULL: without (layers/layer_verity.h) */
	char *note;    /* what a person should know, though it works; NULL: nothing */
	bool in_place; /* it cannot be mounted, and is read from its file; reason says why */
	char *link;    /* RUN/layers/….sqsh, the link to its file; NULL: it is not in use */
	bool guards;   /* something on a medium would replace a tag of it: it is not pruned */
	bool changed;  /* its file was written to since it was put to use */
	void *private_;
};

struct medium {
	char *device, *label, *fstype;
	char *mount;  /* NULL: not mounted */
	bool trusted; /* the boot medium, or matched by CacheMediaConfig */
	bool failed;  /* it is trusted, and could not be mounted */
	char *reason; /* why it is not used; NULL: it is */
};

struct layers_result {
	struct layer *layers; /* natural order of the file name: the last is on top */
	size_t n_layers;
	struct medium *media;
	size_t n_media;
	unsigned generation;	/* 0: there is none, since no layer is active */
	bool changed;		/* a new generation was published */
	char **conflicts;	/* "A and B give registry/repository:tag different digests" */
	unsigned copied;	/* sync: layers that are new on the volume */
	unsigned copied_images; /* sync: images of cache trees that are */
	char **deleted;		/* files of superseded layers that made room */
	char **notes;		/* what a person should know: what did not fit, what was pruned */
};

struct layers_request {
	const struct machine_config *config;
	const char *config_root; /* prefix of the files that the config names; NULL: root */
	const char *root;	 /* prefix of where built-in layers lie; NULL: /; else no media */
	const char *run_dir;	 /* never NULL */
	/* Where media are looked for, with the system disk settled; NULL: they are read anew. */
	const struct disk_list *disks;
	/* Told of what takes long; may be NULL. */
	void (*progress)(uint64_t done, uint64_t total, const char *what, void *user);
	void *user;
};

/*
 * Mounts media and layers and publishes a generation if it differs from the one that is there. A second call adopts what is
 * mounted. Fails only when nothing could be tried (no run directory, no memory).
 */
int layers_activate(const struct layers_request *request, struct layers_result *ret,
		    struct diag *diag);

/* Looks at everything as layers_activate() does, and changes nothing; only a replacement that was interrupted is completed. */
int layers_inspect(const struct layers_request *request, struct layers_result *ret,
		   struct diag *diag);

/*
 * Copies active layers from media to the volume, and the images of their cache trees into its loose tree (tree_sync.h), each
 * checked while it is copied, publishes the generation that uses the copies, and unmounts media that nothing needs any more.
 * -ENODEV with diag: there is something to copy, or nothing at all, and no volume. -ENOSPC with diag: the volume is full; what fits was copied, in the order of CacheLayerConfig
 * (else of file names), the rest is served from its medium. *ret is set in this case, too.
 */
int layers_sync(const struct layers_request *request, struct layers_result *ret, struct diag *diag);

/*
 * Copies layer files to the volume as sync does, and publishes the generation that follows. What is superseded now stays as far as
 * CacheLayerConfig's "keep" says. -ENODEV, -ENOSPC, -EBADMSG, -EINVAL with diag; those before the one that failed were added.
 */
int layers_add_files(const struct layers_request *request, char *const *files,
		     struct layers_result *ret, struct diag *diag);

/*
 * Deletes superseded layers from the volume, the oldest versions first, so that at most "keep" of each name stay. Active layers,
 * those that are not configured or broken, and those that guard a tag are never touched. What lies beside a layer that is
 * gone (layers/beside.h) goes as well. Names of deleted files are notes of *ret.
 */
int layers_prune(const struct layers_request *request, struct layers_result *ret,
		 struct diag *diag);

/*
 * Hashes everything in every layer that can be opened (names: only these, which alone are in *ret; NULL or empty: all). Those whose bytes are wrong become
 * LAYER_BROKEN in *ret with their reason. -ENOENT with diag: no layer has one of the names.
 */
int layers_verify(const struct layers_request *request, char *const *names,
		  struct layers_result *ret, struct diag *diag);

/* Unmounts generations, layers and media of run_dir, in this order. 0 if there was nothing. -EBUSY with diag: something is
 * still used; it is detached, and goes when its last user ends. -ETIMEDOUT with diag: another command has been changing what is
 * mounted for half a minute; nothing was done. */
int layers_stop(const char *run_dir, struct diag *diag);

void layers_result_done(struct layers_result *result);
#define _cleanup_layers_result_ _cleanup_(layers_result_done)

const char *layer_state_name(enum layer_state state);	 /* "active", "not configured", … */
const char *layer_origin_name(enum layer_origin origin); /* "volume", "built-in", "medium" */

#endif
