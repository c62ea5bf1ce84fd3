/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_LAYER_VERITY_H
#define LARDER_LAYERS_LAYER_VERITY_H
/*
 * Is a layer to be mounted through dm-verity, and by which root hash?
 *
 * A root hash in the machine config (CacheLayerConfig, rootHash) is authoritative: nobody who can write to the volume or to a
 * medium can change it. It holds for every file of that name, and if a version is configured, for that version. The layer is then
 * mounted through dm-verity or not at all. A root hash in LAYER.sqsh.roothash protects against corruption only, since who can replace
 * the layer can replace it, too (the signature covers the layer manifest, and thereby what is served, but not this file): it is
 * used where the machine can, and its absence hurts nobody. If both are there they must be equal.
 *
 *	config	.roothash  .verity  dm	 what happens
 *	-	-	   -	    any	 mounted without
 *	-	-	   yes	    any	 mounted without, with a note: there is nothing to check the tree against
 *	-	H	   -	    any	 mounted without, with a note
 *	-	H	   yes	    no	 mounted without, with a note
 *	-	H	   yes	    yes	 through dm-verity; what does not fit is broken
 *	C	- or C	   yes	    yes	 through dm-verity; what does not fit is broken
 *	C	- or C	   yes	    no	 broken
 *	C	- or C	   -	    any	 broken
 *	C	H	   any	    any	 broken: they contradict each other
 *	any	invalid	   any	    any	 broken
 */
#include <time.h>

#include "block/verity.h"
#include "config/machine_config.h"

struct verity_facts {
	const char *configured;	 /* root hash of the machine config; NULL: none */
	const char *beside;	 /* of .roothash; NULL: none */
	bool tree;		 /* is there a .verity file? */
	const char *unavailable; /* why this machine cannot; NULL: it can */
};

struct verity_plan {
	char root_hash[VERITY_ROOT_TEXT_MAX]; /* "": mounted without */
	bool required;			      /* the machine config wants it */
	struct timespec changed;	      /* ctime of the .verity file */
	char *note;			      /* what a person should know; NULL: nothing */
};
void verity_plan_done(struct verity_plan *plan);
#define _cleanup_verity_plan_ _cleanup_(verity_plan_done)

/* The table above. -EINVAL with diag: the layer is broken. */
int verity_decide(const struct verity_facts *facts, struct verity_plan *ret, struct diag *diag);

/* The root hash that the config wants for a layer of this name and version (NULL: none); NULL: none. config may be NULL. */
const char *verity_configured(const struct layer_config *config, const char *name,
			      const char *version);

/* Looks at what lies beside the file, and decides. Symlinks are followed only if follow. */
int verity_plan_read(const char *layer_file, bool follow, const char *configured,
		     struct verity_plan *ret, struct diag *diag);

/* The .verity file, a regular one. Its descriptor or a negative errno. */
int verity_open_tree(const char *layer_file, bool follow);

/* Back to mounting without; reason: why. Only where it is not required. */
int verity_plan_drop(struct verity_plan *plan, const char *reason);

#endif
