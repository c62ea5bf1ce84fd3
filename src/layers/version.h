/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LARDER_LAYERS_VERSION_H
#define LARDER_LAYERS_VERSION_H
/*
 * Names and versions of layers, and the file name that carries both: [NNN-]NAME-VERSION.sqsh.
 *
 *	000-k8s-1.34.2.sqsh         k8s, 1.34.2
 *	001-iscsi-tools-v0.1.1.sqsh iscsi-tools, v0.1.1
 *	extras.sqsh                 extras, no version
 *
 * A name is lower-case letters, digits and . _ - (first a letter or digit); a version begins with a letter or digit and may hold
 * . _ - + ~ ^ as well. Neither can leave a directory.
 */
#include <stdbool.h>

#include "base/cleanup.h"

#define LAYER_NAME_MAX	  64
#define LAYER_VERSION_MAX 64

bool layer_name_is_valid(const char *text);
bool layer_version_is_valid(const char *text);

/*
 * Order of two versions: by Semantic Versioning 2.0 section 11 if both are such (a leading "v" counts nothing, build
 * metadata orders last), else by the UAPI Group's version format specification (UAPI.10). Below, above or equal 0 as strcmp().
 */
int layer_version_compare(const char *a, const char *b);

/*
 * What a file name says: *ret_name, and *ret_version or NULL; owned by the caller. The version begins after the first "-" that is
 * followed by a digit, or by "v" and a digit. -EINVAL: it is no name of a layer file. -ENOMEM.
 */
int layer_file_name_parse(const char *file, char **ret_name, char **ret_version);

#endif
