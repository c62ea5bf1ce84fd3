/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_BUILD_H
#define LARDER_LAYERS_BUILD_H
/*
 * Builds a cache layer: collects what the images need, then packs it (pack.h). File data is stored as it is, each file in one piece and in
 * blocks of 1 MiB, of 128 KiB where there is little: blobs are compressed already, and a registry can send them from the image file itself. The same input gives the same
 * bytes.
 *
 * Everything in the making lies in one directory beside the output, which a failure removes with all it holds.
 */
#include "block/verity.h"
#include "layers/images_list.h"
#include "layers/pack.h"
#include "layers/source.h"

struct build_options {
	const char *output;  /* LAYER.sqsh; OUTPUT.sha256 is written beside it */
	const char *name;    /* NULL: from the file name */
	const char *version; /* NULL: from the file name, if it has one */
	const char *author, *description;
	struct platform_choice choice;
	bool insecure;
	const char *sign_key; /* private key: OUTPUT.sig is written as well; NULL: unsigned */
	bool verity;	      /* OUTPUT.verity and OUTPUT.roothash are written as well */
	int64_t time;	      /* of every file: SOURCE_DATE_EPOCH, or 0 */
	pack_progress_fn progress;
	void *user;
	pack_progress_fn fetch_progress; /* of what skopeo brings; NULL: nobody looks */
	void *fetch_user;
	void (*work_dir)(const char *path,
			 void *user); /* told where the work directory is; may be NULL */
};

struct build_result {
	struct layer_manifest manifest; /* blobs NULL: there are n_blobs */
	uint64_t size;			/* bytes of the image file */
	struct digest digest;
	char root_hash[VERITY_ROOT_TEXT_MAX]; /* "": none */
};
void build_result_done(struct build_result *r);

/* -EINVAL with diag: wrong input. Nothing is left behind unless it succeeds. */
int build_layer(const struct images_list *list, const struct build_options *options,
		struct build_result *ret, struct diag *diag);

#endif
